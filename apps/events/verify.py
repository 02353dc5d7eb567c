"""Holds the event log against its promises. Reads only, and may run while the system works.

What is on its way (in the outbox, or younger than `UNDER_WAY_SECONDS`) is no finding.
"""

from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection

from apps.events import event_types, selectors
from apps.events.subscriptions import ConsumerGroup, groups

UNDER_WAY_SECONDS = 30
EXAMPLES = 5

_GAPS = """
SELECT subject_type || '/' || subject_id || ': versions ' || min(subject_version) || ' to ' || max(subject_version)
    || ', but ' || count(*) || ' events'
FROM events_event WHERE subject_version IS NOT NULL
GROUP BY subject_type, subject_id HAVING count(*) <> max(subject_version) - min(subject_version) + 1
LIMIT %(limit)s
"""
_DISORDER = """
SELECT subject_type || '/' || subject_id || ': version ' || subject_version || ' stands before its predecessor'
FROM (SELECT *, lag(subject_version) OVER (PARTITION BY subject_type, subject_id ORDER BY position) AS before
      FROM events_event WHERE subject_version IS NOT NULL) e
WHERE before >= subject_version LIMIT %(limit)s
"""
_ORPHANS = """
SELECT 'outbox entry ' || event_id || ' points at no event' FROM events_outboxentry o
WHERE NOT EXISTS (SELECT 1 FROM events_event e WHERE e.position = o.event_id) LIMIT %(limit)s
"""
# The tables whose rows must have events are those that carry the guard; a row untouched for longer than the
# log's retention may have outlived its events.
_GUARDED = """
SELECT tgrelid::regclass::text, encode(tgargs, 'escape')
FROM pg_trigger WHERE tgfoid = 'events_require_event'::regproc ORDER BY 1
"""
_UNTOLD = """
SELECT %(subject)s || '/' || r.id || ' is at version ' || r.version
    || coalesce(', but its events end at ' || e.last, ', but has no event')
FROM {table} r LEFT JOIN LATERAL (
    SELECT max(subject_version) AS last FROM events_event WHERE subject_type = %(subject)s AND subject_id = r.id
) e ON true
WHERE e.last IS DISTINCT FROM r.version AND (e.last IS NOT NULL OR r.updated_at > now() - interval '89 days')
LIMIT %(limit)s
"""
_UNHANDLED = """
SELECT e.type || ' ' || e.event_id || ' at position ' || e.position
FROM events_event e
WHERE e.recorded_at < now() - make_interval(secs => %(seconds)s)
  AND e.recorded_at > now() - make_interval(days => 13) AND e.type = ANY(%(types)s)
  AND NOT EXISTS (SELECT 1 FROM events_outboxentry o WHERE o.event_id = e.position)
  AND NOT EXISTS (SELECT 1 FROM events_handledevent h WHERE h."group" = %(group)s AND h.event_id = e.event_id)
  AND NOT EXISTS (SELECT 1 FROM events_deadletter d WHERE d."group" = %(group)s AND d.event_id = e.event_id)
LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise: whether it holds, and what was seen, in words."""

    promise: str
    holds: bool
    told: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def run() -> list[Finding]:
    """Every promise checked, in a fixed order."""
    return [
        _none_of("Versions of each subject are contiguous", _GAPS),
        _none_of("Events of each subject stand in the order of their versions", _DISORDER),
        _none_of("Every outbox entry points at an event", _ORPHANS),
        *_all_told(),
        *(_all_handled(group) for group in groups()),
        *(_nothing_repaired(status) for status in selectors.group_progress()),
    ]


def _all_told() -> list[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(_GUARDED)
        guarded = [(table, arguments.split("\\000")[0]) for table, arguments in cursor.fetchall()]
    return [
        _none_of(f"Every {subject}'s version has its event", _UNTOLD.format(table=table), subject=subject)
        for table, subject in guarded
    ]


def _all_handled(group: ConsumerGroup) -> Finding:
    types = [event_type.name for event_type in event_types.declared() if group.wants(event_type.name)]
    return _none_of(
        f"Every event that {group.name} subscribes to is handled or parked",
        _UNHANDLED,
        group=group.name,
        types=types,
        seconds=UNDER_WAY_SECONDS,
    )


def _nothing_repaired(status: selectors.GroupStatus) -> Finding:
    return Finding(
        f"The reconcile never had to repair {status.group}",
        holds=status.repaired == 0,
        told=f"{status.repaired} repaired, {status.caught_up} caught up from the log, {status.parked} parked",
    )


def _none_of(promise: str, query: str, **parameters: Any) -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(query, {"limit": EXAMPLES, **parameters})
        examples = [row[0] for row in cursor.fetchall()]
    return Finding(promise, holds=not examples, told="; ".join(examples) or "yes")
