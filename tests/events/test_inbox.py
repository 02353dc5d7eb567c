"""Two members with overlapping batches note them as handled once each, and never wait for each other in a circle."""

import threading
import time
from uuid import UUID

import pytest
from django.db import OperationalError, connection, transaction

from apps.events import inbox
from apps.events.models import HandledEvent
from tests.events.concurrency import in_background

pytestmark = pytest.mark.django_db(transaction=True)

FIRST, MIDDLE, LAST = (UUID(int=number) for number in (1, 2, 3))


@pytest.fixture
def group(new_group):
    return new_group("chores")


def claim(group, *ids):
    with transaction.atomic():
        return inbox.claim_ids(group, ids)


def claim_and_hold(group, held, may_end, *ids):
    with transaction.atomic():
        inbox.claim_ids(group, ids)
        held.set()
        may_end.wait(30)


def wait_for(sessions):
    """Until so many sessions of this database wait for another."""
    until = time.monotonic() + 20
    found = -1
    while found < sessions and time.monotonic() < until:
        time.sleep(0.02)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            found = cursor.fetchone()[0]
    assert found >= sessions


def claim_overlapping(group):
    """What two members claim: one stands in the middle of its batch when the other, with its batch the other way
    round, comes.
    """
    held, may_end = threading.Event(), threading.Event()
    with in_background(lambda: claim_and_hold(group, held, may_end, MIDDLE)):
        held.wait(20)
        with in_background(lambda: claim(group, FIRST, MIDDLE, LAST)) as one:
            wait_for(1)
            with in_background(lambda: claim(group, LAST, FIRST)) as other:
                wait_for(2)
                may_end.set()
                return one.result(20), other.result(20)


def test_overlapping_batches_in_other_orders_are_claimed_once_each(group):
    one, other = claim_overlapping(group)

    assert (one, other) == ({FIRST, LAST}, set())
    assert HandledEvent.objects.filter(group="chores").count() == 3


def test_without_sorting_they_wait_for_each_other_in_a_circle(group, monkeypatch):
    """The negative control: PostgreSQL has to end one of the two."""
    monkeypatch.setattr(inbox, "sorted", lambda ids, key: list(ids), raising=False)

    with pytest.raises(OperationalError, match="deadlock detected"):
        claim_overlapping(group)
