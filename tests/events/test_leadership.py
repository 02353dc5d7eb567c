"""One session leads; a session that died does not believe it still does."""

import time
from itertools import count

import psycopg
import pytest
from django.conf import settings

from apps.events import leadership as leaderships
from apps.events.leadership import Leadership
from tests.support.topics import wait_until

_keys = count(8_000_000_000)


@pytest.fixture
def pair():
    """Two that want the same lead."""
    key = next(_keys)
    with Leadership(key=key) as first, Leadership(key=key) as second:
        yield first, second


def terminate(leadership):
    with psycopg.connect(settings.DATABASE_DIRECT_URL, autocommit=True) as session:
        session.execute("SELECT pg_terminate_backend(%s, 5000)", [leadership.session.info.backend_pid])


def test_only_one_session_leads(pair):
    first, second = pair

    assert (first.acquire(), second.acquire()) == (True, False)
    assert (first.holds(), second.holds()) == (True, False)


def test_nobody_leads_before_trying(pair):
    assert pair[0].holds() is False


def test_giving_up_lets_the_next_lead(pair):
    first, second = pair
    first.acquire()
    first.release()

    assert (first.holds(), second.acquire(), second.holds()) == (False, True, True)


def test_asking_twice_is_given_up_by_closing_once(pair):
    first, second = pair
    first.acquire()
    first.acquire()
    first.release()

    assert second.acquire() is True


def test_a_session_that_was_killed_holds_nothing_and_the_other_leads(pair):
    first, second = pair
    first.acquire()
    terminate(first)

    assert (first.holds(), second.acquire()) == (False, True)


def test_a_session_that_was_killed_does_not_lead_again_by_reconnecting_silently(pair):
    first, second = pair
    first.acquire()
    terminate(first)
    second.acquire()

    assert (first.acquire(), first.acquire(), first.holds()) == (False, False, False)


def test_leading_of_one_lock_is_not_leading_of_another(pair):
    first, _ = pair
    first.acquire()

    with Leadership(key=next(_keys)) as other:
        assert (other.holds(), other.acquire()) == (False, True)


def test_a_database_that_is_away_is_not_led():
    with Leadership(url="postgresql://nobody@127.0.0.1:1/nothing") as leadership:
        assert (leadership.acquire(), leadership.holds()) == (False, False)


def _soon(true):
    time.sleep(0.1)
    return true


def test_who_does_not_ask_for_too_long_has_lost_the_lead(pair, monkeypatch):
    monkeypatch.setattr(leaderships, "SILENCE_SECONDS", 1)
    first, second = pair
    first.acquire()

    assert wait_until(lambda: _soon(second.acquire()), seconds=20)
    assert (first.holds(), second.holds()) == (False, True)


def test_who_asks_keeps_the_lead(pair, monkeypatch):
    monkeypatch.setattr(leaderships, "SILENCE_SECONDS", 2)
    first, second = pair
    first.acquire()

    until = time.monotonic() + 4
    while time.monotonic() < until:
        assert _soon(first.holds())

    assert second.acquire() is False


def test_without_the_limit_who_is_silent_keeps_the_lead(pair, monkeypatch):
    """The negative control: 0 is PostgreSQL's own, no limit."""
    monkeypatch.setattr(leaderships, "SILENCE_SECONDS", 0)
    first, second = pair
    first.acquire()

    assert not wait_until(lambda: _soon(second.acquire()), seconds=4)
    assert first.holds()


def test_the_server_looks_after_the_leaders_connection_within_seconds(pair):
    """Where packets are dropped without a word, by default it would look after two hours."""
    first, _ = pair
    first.acquire()

    names = ("idle_session_timeout", "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
    shown = [first.session.execute(f"SHOW {name}").fetchone()[0] for name in names]
    user_timeout = first.session.execute("SHOW tcp_user_timeout").fetchone()[0]

    assert (shown, user_timeout) == (["30s", "5", "2", "3"], "10000")
