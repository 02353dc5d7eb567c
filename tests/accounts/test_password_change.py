"""Whoever sits at a browser that is signed in guesses its password no faster than at the doors."""

import pytest
from django.test import Client

from apps.accounts import backoff
from apps.accounts.models import FailedSignIns, User
from tests.support.factories import person

pytestmark = pytest.mark.django_db

CHANGE, PASSWORD, NEW = "/password/change/", "a-good-password", "Xq9-long-enough"
HERE, ELSEWHERE = "198.51.100.7", "198.51.100.8"


@pytest.fixture
def page(ada):
    client = Client()
    client.force_login(ada)
    return client


def change(page, *, old="wrong", address=HERE):
    form = {"old_password": old, "new_password1": NEW, "new_password2": NEW}
    return page.post(CHANGE, form, REMOTE_ADDR=address)


def test_the_fifth_wrong_old_password_makes_the_next_wait_and_changes_nothing(page):
    statuses = [change(page).status_code for _ in range(5)]
    held = change(page, old=PASSWORD)

    assert statuses == [200] * 5
    assert (held.status_code, held.headers["Retry-After"]) == (429, "1")
    assert "Wait at least 1 s." in held.content.decode()
    assert held.content.decode().count('type="password"') == 3
    assert User.objects.get().check_password(PASSWORD)
    assert FailedSignIns.objects.get(username="ada").failures == 5


def test_a_page_that_is_held_back_shows_no_password_again(page):
    for _ in range(5):
        change(page)

    assert NEW not in change(page, old=PASSWORD).content.decode()


def test_without_the_back_off_no_change_would_wait(page, monkeypatch):
    monkeypatch.setattr(backoff, "PAIR_LIMIT", 10**6)
    monkeypatch.setattr(backoff, "ADDRESS_LIMIT", 10**6)

    assert {change(page).status_code for _ in range(12)} == {200}


def test_guesses_here_count_at_the_doors_and_those_at_the_doors_here(page):
    for _ in range(3):
        change(page)
    for _ in range(2):
        Client().post("/sign-in/", {"username": "ada", "password": "wrong"}, REMOTE_ADDR=HERE)
    at_the_door = Client().post("/sign-in/", {"username": "ada", "password": PASSWORD}, REMOTE_ADDR=HERE)

    assert (at_the_door.status_code, change(page, old=PASSWORD).status_code) == (429, 429)


def test_who_is_guessed_at_elsewhere_changes_the_password_all_the_same(page):
    for _ in range(6):
        change(page)

    assert change(page, old=PASSWORD, address=ELSEWHERE).status_code == 302
    assert User.objects.get().check_password(NEW)


def test_the_right_old_password_begins_anew(page):
    for _ in range(4):
        change(page)

    assert change(page, old=PASSWORD).status_code == 302
    assert not FailedSignIns.objects.filter(username="ada").exists()


def test_the_admins_own_page_leads_to_this_one():
    client = Client()
    client.force_login(person("boss", is_staff=True, is_superuser=True))

    for address in ("/admin/password_change/", "/admin/password_change"):
        response = client.post(address, {"old_password": "wrong"})
        assert (response.status_code, response.headers["Location"]) == (302, CHANGE)
