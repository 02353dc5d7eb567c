"""Guessing passwords is slow by every door, says nothing, and a broken store keeps nobody out."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.db.models import F
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import backoff
from apps.accounts.addresses import client_address
from apps.accounts.exceptions import SignInHeldBack
from apps.accounts.models import FailedSignIns
from tests.support.factories import person

pytestmark = pytest.mark.django_db

PASSWORD = "a-good-password"
HERE, ELSEWHERE = "198.51.100.7", "198.51.100.8"
API, PAGE, ADMIN = "/api/v1/auth/token/", "/sign-in/", "/admin/login/"
DOORS = {"the API": (APIClient, API, 401), "the page": (Client, PAGE, 200), "the admin": (Client, ADMIN, 200)}


def attempt(path=API, *, username="ada", password="wrong", address=HERE, client=APIClient):
    return client().post(path, {"username": username, "password": password}, REMOTE_ADDR=address)


def fail(times, **where):
    for _ in range(times):
        attempt(**where)


def seconds_pass(seconds):
    """The same as waiting: every instant that was written moves into the past."""
    earlier = timedelta(seconds=seconds)
    FailedSignIns.objects.update(
        first_failed_at=F("first_failed_at") - earlier,
        held_until=F("held_until") - earlier,
        forgotten_at=F("forgotten_at") - earlier,
    )


@pytest.mark.parametrize(("client", "path", "refused"), DOORS.values(), ids=DOORS)
def test_the_fifth_failure_makes_the_next_attempt_wait_at_every_door(ada, client, path, refused):
    statuses = [attempt(path, client=client).status_code for _ in range(6)]
    held = attempt(path, client=client, password=PASSWORD)

    assert statuses == [refused] * 5 + [429]
    assert (held.status_code, held.headers["Retry-After"]) == (429, "1")
    assert "Too many attempts to sign in failed." in held.content.decode()
    assert FailedSignIns.objects.get(username="ada").failures == 5


@pytest.mark.parametrize(("client", "path", "refused"), DOORS.values(), ids=DOORS)
def test_failures_at_one_door_count_at_the_others(ada, client, path, refused):
    fail(5, path=path, client=client)

    assert [attempt(door, client=kind).status_code for kind, door, _ in DOORS.values()] == [429, 429, 429]


def test_a_held_back_page_keeps_the_name_and_says_how_long(ada):
    fail(5)

    page = attempt(PAGE, client=Client).content.decode()

    assert "Wait at least 1 s." in page
    assert 'value="ada"' in page


def test_the_wait_doubles_up_to_a_quarter_of_an_hour(ada):
    fail(4)
    waits = []
    for _ in range(13):
        attempt()
        waits.append(int(attempt().headers["Retry-After"]))
        seconds_pass(waits[-1])

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


def test_without_the_back_off_nobody_would_wait(ada, monkeypatch):
    monkeypatch.setattr(backoff, "PAIR_LIMIT", 10**6)
    monkeypatch.setattr(backoff, "ADDRESS_LIMIT", 10**6)

    assert {attempt().status_code for _ in range(12)} == {401}


def test_the_right_password_begins_anew(ada):
    fail(4)

    assert attempt(password=PASSWORD).status_code == 200
    assert [attempt().status_code for _ in range(6)] == [401] * 5 + [429]


def test_failures_count_for_a_quarter_of_an_hour(ada):
    fail(4)
    seconds_pass(15 * 60 + 1)

    assert [attempt().status_code for _ in range(6)] == [401] * 5 + [429]


def test_after_waiting_the_right_password_opens_the_door(ada):
    fail(5)
    assert attempt(password=PASSWORD).status_code == 429

    seconds_pass(1)

    assert attempt(password=PASSWORD).status_code == 200


def test_who_is_attacked_from_elsewhere_signs_in_all_the_same(ada):
    fail(6)

    assert attempt(password=PASSWORD, address=ELSEWHERE).status_code == 200


def test_a_name_that_nobody_has_counts_and_answers_like_any_other(ada):
    known, unknown = ([attempt(username=name) for _ in range(6)] for name in ("ada", "nobody"))

    assert [each.status_code for each in known] == [each.status_code for each in unknown]
    assert known[0].json()["detail"] == unknown[0].json()["detail"]
    assert known[5].json()["detail"] == unknown[5].json()["detail"]


def test_an_unknown_name_costs_as_much_hashing_as_a_known_one(ada, monkeypatch):
    from django.contrib.auth.hashers import MD5PasswordHasher

    hashed, real = [], MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *words: hashed.append(1) or real(*words))

    attempt(username="ada")
    for_known = len(hashed)
    attempt(username="nobody")

    assert (for_known, len(hashed) - for_known) == (1, 1)


def test_twenty_failures_from_an_address_hold_back_every_name_there(ada):
    for number in range(20):
        attempt(username=f"guess-{number}")

    assert attempt(password=PASSWORD).status_code == 429
    assert attempt(password=PASSWORD, address=ELSEWHERE).status_code == 200
    assert not FailedSignIns.objects.filter(username="guess-20").exists()


def test_an_address_of_ipv6_is_its_network(ada):
    for number in range(20):
        attempt(username=f"guess-{number}", address=f"2001:db8::{number:x}")

    assert attempt(address="2001:db8::ffff").status_code == 429
    assert attempt(address="2001:db8:0:1::1").status_code == 401


def test_a_name_of_any_length_is_counted(ada):
    fail(2, username="x" * 150)
    attempt(PAGE, client=Client, username="y" * 151)

    assert FailedSignIns.objects.get(username="x" * 150).failures == 2


def test_a_store_that_fails_keeps_nobody_out_and_says_so(ada, caplog):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_failedsignins RENAME TO lost")

    assert attempt().status_code == 401
    assert attempt(password=PASSWORD).status_code == 200
    assert caplog.text.count("sign_in_back_off_failed_open") == 4


def test_outlived_rows_go_when_new_ones_come(ada, monkeypatch):
    monkeypatch.setattr(backoff, "PRUNED_AT_ONCE", 2)
    for name in ("one", "two", "three"):
        attempt(username=name)
    seconds_pass(15 * 60 + 1)

    attempt(username="four", address=ELSEWHERE)

    assert FailedSignIns.objects.count() == 4 + 2 - 2


def test_no_password_stands_in_the_rows_or_the_log(ada, caplog):
    caplog.set_level("DEBUG")
    fail(6, password="hunter2-hunter2")

    with connection.cursor() as cursor:
        cursor.execute("SELECT f::text FROM accounts_failedsignins f")
        rows = str(cursor.fetchall())
    assert "hunter2" not in rows + caplog.text


@pytest.mark.django_db(transaction=True)
def test_many_attempts_at_once_are_no_more_than_their_number_one_by_one():
    person("ada")
    start, outcomes = threading.Barrier(12), []

    def guess():
        start.wait()
        try:
            backoff.begin_attempt(username="ada", address=HERE)
            outcomes.append("let through")
        except SignInHeldBack:
            outcomes.append("held back")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count("let through") == 5


@pytest.mark.parametrize(
    ("proxies", "direct", "forwarded", "believed"),
    [
        (0, HERE, "203.0.113.1", HERE),
        (1, HERE, "203.0.113.1", "203.0.113.1"),
        (1, HERE, "192.0.2.66, 203.0.113.1", "203.0.113.1"),
        (2, HERE, "192.0.2.66, 203.0.113.1, 10.0.0.1", "203.0.113.1"),
        (2, HERE, "203.0.113.1", HERE),
        (1, HERE, "nonsense", HERE),
        (1, HERE, "", HERE),
        (0, "::ffff:198.51.100.7", "", HERE),
        (0, "2001:db8::1", "", "2001:db8::/64"),
        (0, "", "", ""),
    ],
)
def test_a_header_counts_only_as_far_as_our_proxies_wrote_it(settings, proxies, direct, forwarded, believed):
    settings.TRUSTED_PROXIES = proxies

    assert client_address({"REMOTE_ADDR": direct, "HTTP_X_FORWARDED_FOR": forwarded}) == believed


def test_a_forged_header_does_not_make_a_guesser_somebody_new(ada):
    for number in range(6):
        APIClient().post(
            API, {"username": "ada", "password": "wrong"}, REMOTE_ADDR=HERE, HTTP_X_FORWARDED_FOR=f"203.0.113.{number}"
        )

    assert attempt().status_code == 429
