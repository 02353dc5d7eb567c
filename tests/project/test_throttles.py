"""Who asks too often waits; the counting is bounded, and its faults keep nobody out."""

import pytest
from rest_framework.test import APIClient

from tests.support.factories import person
from todo_project import throttles
from todo_project.throttles import SlidingCount

pytestmark = pytest.mark.django_db

ME = "/api/v1/me/"
TOKEN = "/api/v1/auth/token/"


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(throttles, "_counted", SlidingCount())


@pytest.fixture
def three_a_minute(settings):
    settings.THROTTLE_PERSON_PER_MINUTE = 3
    settings.THROTTLE_ADDRESS_PER_MINUTE = 3


def of(name):
    client = APIClient()
    client.force_login(person(name))
    return client


def test_a_person_beyond_the_rate_is_told_when_to_come_again(three_a_minute):
    client = of("ada")

    *passed, refused = [client.get(ME) for _ in range(4)]

    assert [response.status_code for response in passed] == [200, 200, 200]
    assert (refused.status_code, refused.headers["Content-Type"]) == (429, "application/problem+json")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.json()["code"] == "throttled"


def test_without_the_rate_nobody_waits():
    client = of("ada")

    assert {client.get(ME).status_code for _ in range(10)} == {200}


def test_one_person_does_not_use_up_anothers_rate(three_a_minute):
    ada, grace = of("ada"), of("grace")
    for _ in range(4):
        ada.get(ME)

    assert [ada.get(ME).status_code, grace.get(ME).status_code] == [429, 200]


def test_strangers_are_counted_by_their_address(three_a_minute):
    def ask(address):
        return APIClient().post(TOKEN, {}, REMOTE_ADDR=address).status_code

    assert [ask("198.51.100.7") for _ in range(4)] == [400, 400, 400, 429]
    assert ask("198.51.100.8") == 400


def test_who_is_signed_in_is_not_counted_by_address(three_a_minute):
    for _ in range(4):
        APIClient().post(TOKEN, {})

    assert of("ada").get(ME).status_code == 200


def test_a_fault_in_the_counting_lets_the_request_pass_with_one_line(three_a_minute, monkeypatch, caplog):
    def breaks(*_, **__):
        raise MemoryError

    monkeypatch.setattr(SlidingCount, "wait", breaks)
    client = of("ada")

    assert client.get(ME).status_code == 200
    assert caplog.text.count("throttle_failed_open") == 1


def waits(count, *instants, limit=2):
    return [count.wait("ada", limit=limit, now=now) for now in instants]


def test_a_window_slides():
    count = SlidingCount()

    assert waits(count, 600, 610, 620) == [None, None, 40]
    # Of the two a minute ago three quarters still count, then half of them.
    assert waits(count, 675, 676) == [None, pytest.approx(14, abs=0.1)]
    assert waits(count, 691) == [None]


def test_after_two_quiet_minutes_nothing_counts():
    count = SlidingCount()
    waits(count, 600, 610, 620)

    assert waits(count, 720, 721) == [None, None]


@pytest.mark.parametrize("start", [600.0, 617.3, 659.9])
def test_who_waits_as_long_as_told_gets_in(start):
    count = SlidingCount()
    now = start
    while (told := count.wait("ada", limit=7, now=now)) is None:
        now += 1.7
    later = now + told

    assert count.wait("ada", limit=7, now=later + 0.01) is None


def test_what_is_counted_has_a_bounded_size():
    count = SlidingCount(max_keys=100)

    for number in range(1000):
        count.wait(f"address {number}", limit=5, now=600)

    assert len(count) == 100
    assert count.wait("address 999", limit=1, now=600) is not None
