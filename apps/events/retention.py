"""Deletes what is older than its retention: in small steps, again and again, harmless to run twice.

Invariant: Kafka's records go first, then `HandledEvent`, then `Event`: what can be fed again is still
recognised.
"""

import time

import structlog
from django.conf import settings
from django.db import connection

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
    SELECT e.position FROM events_event e WHERE e.recorded_at < now() - make_interval(days => %s)
    AND NOT EXISTS (SELECT 1 FROM events_outboxentry o WHERE o.event_id = e.position) LIMIT %s)
"""


def prune_handled_events() -> int:
    """How many rows went."""
    return _prune("handled_events", _DELETE_HANDLED, days=settings.HANDLED_EVENT_RETENTION_DAYS)


def prune_events() -> int:
    """How many rows went. One that Kafka never acknowledged stays, however old."""
    return _prune("events", _DELETE_EVENTS, days=settings.EVENT_RETENTION_DAYS)


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
