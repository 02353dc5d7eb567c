"""Deletes what is older than its retention: in small steps, again and again, harmless to run twice.

How long what is kept stands in the settings, and what a check may still expect of it follows here; the database's
guard of the log has the same figures, and a test holds it to them. Invariant: Kafka's records go first, then
`HandledEvent`, and a fact's `Event` last: what can be fed again is still recognised. Snapshots are for screens, and
go with what was handled. That somebody was erased is never forgotten: what still comes of them is not to be kept.
"""

import time

import structlog
from django.conf import settings
from django.db import connection

from apps.events import event_types

log = structlog.get_logger(__name__)

STEP = 5000
# Of each run and table: as much as fits, so that pruning keeps up with whatever is written, and within the job's limit.
BUDGET_SECONDS = 20

# By the database's clock: the log refuses to let go of a row that is a second too young by it.
_DELETE_HANDLED = """
DELETE FROM events_handledevent WHERE ("group", event_id) IN (
    SELECT "group", event_id FROM events_handledevent
    WHERE handled_at < now() - make_interval(days => %s) LIMIT %s)
"""
_DELETE_EVENTS = """
DELETE FROM events_event WHERE position IN (
    SELECT e.position FROM events_event e WHERE e.recorded_at < now() - make_interval(days => %s){of}
    AND e.type <> 'account.erased.v1'
    AND NOT EXISTS (SELECT 1 FROM events_outboxentry o WHERE o.event_id = e.position) LIMIT %s)
"""
# As the index of snapshots by age has it.
_OF_SNAPSHOTS = f" AND e.type LIKE '%%{event_types.SNAPSHOT_MARK}%%'"

# What is about to go is not looked for any more: a row may go between two looks, and clocks differ.
_MARGIN_DAYS = 1


def days_handled_is_known() -> int:
    """So old may an event be for its row in the inbox to be there for certain."""
    return settings.HANDLED_EVENT_RETENTION_DAYS - _MARGIN_DAYS


def days_facts_are_known() -> int:
    """So old may a fact be for its event to be there for certain."""
    return settings.EVENT_RETENTION_DAYS - _MARGIN_DAYS


def prune_handled_events() -> int:
    """How many rows went."""
    return _prune("handled_events", _DELETE_HANDLED, days=settings.HANDLED_EVENT_RETENTION_DAYS)


def prune_events() -> int:
    """How many rows went, facts and snapshots. One that Kafka never acknowledged stays, however old."""
    snapshots = _DELETE_EVENTS.format(of=_OF_SNAPSHOTS)
    return _prune("snapshots", snapshots, days=settings.SNAPSHOT_RETENTION_DAYS) + _prune(
        "events", _DELETE_EVENTS.format(of=""), days=settings.EVENT_RETENTION_DAYS
    )


def _prune(what: str, statement: str, *, days: int) -> int:
    gone = 0
    step, until = STEP, time.monotonic() + BUDGET_SECONDS
    while step == STEP:
        with connection.cursor() as cursor:
            cursor.execute(statement, [days, STEP])
            step = cursor.rowcount
        gone += step
        if time.monotonic() >= until:
            break
    if gone:
        log.info("pruned", what=what, rows=gone, older_than_days=days)
    return gone
