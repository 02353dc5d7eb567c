"""A ticket opens one socket, once, within thirty seconds by the database's clock."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.db.models import F

from apps.accounts import credentials
from apps.accounts.models import SocketTicket, User
from tests.support.factories import person

pytestmark = pytest.mark.django_db

TICKET = "/api/v1/ws-ticket/"


def seconds_pass(seconds):
    SocketTicket.objects.update(expires_at=F("expires_at") - timedelta(seconds=seconds))


def test_a_ticket_is_forty_three_characters_and_kept_as_a_hash(browser, caplog):
    caplog.set_level("DEBUG")
    response = browser.post(TICKET)

    ticket = response.json()["ticket"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM accounts_socketticket t")
        (row,) = cursor.fetchone()
    assert (response.status_code, response.json()["expires_in_seconds"], len(ticket)) == (201, 30, 43)
    assert "no-store" in response.headers["Cache-Control"]
    assert ticket not in row
    assert ticket not in caplog.text


def test_a_ticket_tells_whose_it_is_once(browser, ada):
    ticket = browser.post(TICKET).json()["ticket"]

    assert credentials.redeem_ticket(ticket) == ada
    assert credentials.redeem_ticket(ticket) is None


def test_a_ticket_is_good_for_thirty_seconds(ada):
    early, late = credentials.issue_ticket(user=ada), credentials.issue_ticket(user=ada)

    seconds_pass(29)
    assert credentials.redeem_ticket(early) == ada
    seconds_pass(1)
    assert credentials.redeem_ticket(late) is None


def test_nobody_comes_in_with_another_text_or_once_deactivated(ada):
    ticket = credentials.issue_ticket(user=ada)
    User.objects.update(is_active=False)

    assert [credentials.redeem_ticket(text) for text in (ticket, "", "x" * 43, "\0")] == [None] * 4


def test_expired_tickets_go_when_new_ones_are_made_some_at_a_time(ada, monkeypatch):
    monkeypatch.setattr(credentials, "PRUNED_AT_ONCE", 2)
    for _ in range(3):
        credentials.issue_ticket(user=ada)
    seconds_pass(31)

    credentials.issue_ticket(user=ada)

    assert SocketTicket.objects.count() == 3 + 1 - 2


def test_a_ticket_takes_who_is_signed_in(stranger):
    assert stranger.post(TICKET).status_code == 401
    assert not SocketTicket.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_comes_in():
    ada = person("ada")
    ticket = credentials.issue_ticket(user=ada)
    start, came_in = threading.Barrier(6), []

    def come_in():
        start.wait()
        came_in.append(credentials.redeem_ticket(ticket))
        connections.close_all()

    threads = [threading.Thread(target=come_in) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(came_in, key=str) == sorted([ada, *[None] * 5], key=str)
