"""Holds the trail against the event log: every fact recorded, and as it was logged.

Invariant: reads only, in steps over the log's positions; what is on its way is no finding.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.audit.verification.findings import Finding, Wrong
from apps.events import event_types

STEP = 2000

_STEP = """
SELECT e.position, e.event_id, e.type, e.subject_type || '/' || e.subject_id, r.id, r.chain, r.sequence,
    (e.type, e.subject_type, e.subject_id, e.source, e.occurred_at) =
        (r.type, r.subject_type, r.subject_id, r.source, r.occurred_at)
    AND e.subject_version IS NOT DISTINCT FROM r.subject_version AND e.owner_id IS NOT DISTINCT FROM r.owner_id
    AND e.actor_id IS NOT DISTINCT FROM r.actor_id AND e.causation_id IS NOT DISTINCT FROM r.causation_id AS same,
    e.erased_at IS NULL, e.correlation_id, e.data::text, c.text,
    EXISTS (SELECT 1 FROM events_outboxentry o WHERE o.event_id = e.position) AS in_outbox,
    EXISTS (SELECT 1 FROM events_handledevent h WHERE h."group" = 'audit' AND h.event_id = e.event_id)
        OR e.recorded_at < now() - make_interval(days => %(inbox_days)s) AS was_handled
FROM (SELECT * FROM events_event WHERE position > %(after)s ORDER BY position LIMIT %(most)s) e
LEFT JOIN audit_auditrecord r ON r.event_id = e.event_id
LEFT JOIN audit_auditcontent c ON c.event_id = e.event_id
WHERE NOT e.type = ANY(%(snapshots)s)
ORDER BY e.position
"""
# Backwards from the end: what is asked for is near it. Positions follow the time but for transactions under way.
_POSITION_AT = "SELECT position FROM events_event WHERE recorded_at < %s ORDER BY position DESC LIMIT 1"
_LAST_POSITION = "SELECT coalesce(max(position), 0) FROM events_event"
_ID_AT = "SELECT id FROM audit_auditrecord WHERE recorded_at < %s ORDER BY id DESC LIMIT 1"
# The log may have forgotten what is older than its retention.
_UNLOGGED = """
SELECT max(r.id), count(*) FILTER (
    WHERE r.readable AND r.recorded_at > now() - make_interval(days => %s)
    AND NOT EXISTS (SELECT 1 FROM events_event e WHERE e.event_id = r.event_id))
FROM (SELECT * FROM audit_auditrecord WHERE id > %s ORDER BY id LIMIT %s) r
"""
_END_OF_STEP = """
SELECT max(position) FROM (SELECT position FROM events_event WHERE position > %s ORDER BY position LIMIT %s) e
"""


@dataclass(slots=True)
class Stretch:
    """A piece of the log that was looked at, up to `position`.

    `waiting` events are not recorded yet, the first of them at `waits_from`.
    """

    position: int
    waiting: int = 0
    waits_from: int | None = None
    findings: list[Finding] = field(default_factory=list)


def compare(*, after: int = 0) -> Iterator[Stretch]:
    """Everything logged behind a position, stretch by stretch."""
    # A position beyond the log is nobody's: it was made up, or the log was restored.
    after = after if after <= _one(_LAST_POSITION) else 0
    # By rows, not by numbers: numbers may have gaps of any width.
    while upto := _one(_END_OF_STEP, after, STEP):
        yield _stretch(after, upto)
        after = upto


def position_at(instant: datetime) -> int:
    """The last position that was logged before an instant, 0 for none."""
    return _one(_POSITION_AT, instant)


def unlogged(*, since: datetime) -> Iterator[int]:
    """Records since an instant whose events the log does not have, step by step: others wrote them onto the topic."""
    after: int | None = _one(_ID_AT, since)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_UNLOGGED, [settings.EVENT_RETENTION_DAYS - 1, after, STEP])
            after, count = cursor.fetchone()
        if after is None:
            return
        yield count


def _one(query: str, *parameters: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        row = cursor.fetchone()
    return int(row[0]) if row and row[0] else 0


def _stretch(after: int, upto: int) -> Stretch:
    stretch = Stretch(position=upto)
    with connection.cursor() as cursor:
        cursor.execute(
            _STEP,
            {
                "after": after,
                "most": STEP,
                "inbox_days": settings.HANDLED_EVENT_RETENTION_DAYS,
                "snapshots": [event_type.name for event_type in event_types.declared() if event_type.snapshot],
            },
        )
        for row in cursor:
            _judge(stretch, _Compared(*row))
    return stretch


class _Compared(NamedTuple):
    """An event of the log beside its record."""

    position: int
    event_id: UUID
    type: str
    subject: str
    record_id: int | None
    chain: int | None
    sequence: int | None
    same: bool | None
    whole: bool
    correlation_id: str
    data: str
    text: str | None
    in_outbox: bool
    was_handled: bool


def _judge(stretch: Stretch, one: _Compared) -> None:
    what = f"{one.type} of {one.subject} (event {one.event_id}, position {one.position})"
    if one.record_id is not None:
        if one.same and _same_content(one):
            return
        wrong, told = Wrong.NOT_AS_LOGGED, f"Record {one.record_id} does not tell {what} as the event log does."
    elif one.was_handled and not one.in_outbox:
        wrong, told = Wrong.EVENT_MISSING, f"{what} was recorded, and its record is gone."
    else:
        stretch.waiting += 1
        stretch.waits_from = stretch.waits_from or one.position
        return
    found = Finding(
        wrong=wrong,
        told=told,
        chain=one.chain,
        sequence=one.sequence,
        record_id=one.record_id,
        event_id=one.event_id,
    )
    stretch.findings.append(found)


def _same_content(one: _Compared) -> bool:
    """An event that was emptied has nothing to compare, nor has a record whose content is gone."""
    if one.text is None or not one.whole:
        return True
    try:
        told, logged = _read(one.text), _read(one.data)
        return bool(told["data"] == logged and told["correlation_id"] == one.correlation_id)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
        return False


def _read(text: str) -> Any:
    # The log's column writes a number in another form than the text that came; as decimals they are the same.
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)
