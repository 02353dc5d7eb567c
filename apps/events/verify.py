"""Holds the event log against its promises. Reads only, and may run while the system works.

What is on its way breaks no promise: not what is in the outbox or younger than `UNDER_WAY_SECONDS`, nor what a group
has yet to handle while it gets on with it. Each check is one statement, so it sees one instant, and has a time limit
of its own: it may read the whole log.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection, transaction

from apps.events import event_types, retention, selectors
from apps.events.subscriptions import ConsumerGroup, groups

UNDER_WAY_SECONDS = 30
# So long a group may stand still before what it has not handled breaks one.
PATIENCE_SECONDS = 10.0
STATEMENT_LIMIT = "10min"
# Of the transaction as a whole; servers before 17 have none.
_NO_LIMIT_FOR_ALL = "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'transaction_timeout'"
# Enough to sort a million events without the disk.
WORK_MEMORY = "128MB"
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
FROM (SELECT subject_type, subject_id, subject_version,
             lag(subject_version) OVER (PARTITION BY subject_id, subject_type ORDER BY position) AS before
      FROM events_event WHERE subject_version IS NOT NULL) e
WHERE before >= subject_version LIMIT %(limit)s
"""
_ORPHANS = """
SELECT 'outbox entry ' || event_id || ' points at no event' FROM events_outboxentry o
WHERE NOT EXISTS (SELECT 1 FROM events_event e WHERE e.position = o.event_id) LIMIT %(limit)s
"""
# By the instants at which transactions began: a partition is one member's at a time, so a later version is handled in
# the same transaction or in one that began after the commit of the earlier.
_HANDLED_IN_DISORDER = """
SELECT subject_type || '/' || subject_id || ': version ' || subject_version || ' was handled before its predecessor'
FROM (SELECT e.subject_type, e.subject_id, e.subject_version, h.handled_at,
             lag(h.handled_at) OVER (PARTITION BY e.subject_id, e.subject_type ORDER BY e.subject_version) AS before
      FROM events_handledevent h JOIN events_event e ON e.event_id = h.event_id
      WHERE h."group" = %(group)s AND e.subject_version IS NOT NULL) handled
WHERE before > handled_at LIMIT %(limit)s
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
WHERE e.last IS DISTINCT FROM r.version
  AND (e.last IS NOT NULL OR r.updated_at > now() - make_interval(days => %(days)s))
LIMIT %(limit)s
"""
_UNHANDLED = """
FROM events_event e
WHERE e.recorded_at < now() - make_interval(secs => %(seconds)s)
  AND e.recorded_at > now() - make_interval(days => %(days)s)
  AND e.erased_at IS NULL
  AND (e.type = ANY(%(types)s) OR (%(every)s AND NOT e.type LIKE %(snapshots)s))
  AND e.position <= %(last)s
  AND NOT EXISTS (SELECT 1 FROM events_outboxentry o WHERE o.event_id = e.position)
  AND NOT EXISTS (SELECT 1 FROM events_handledevent h WHERE h."group" = %(group)s AND h.event_id = e.event_id)
  AND NOT EXISTS (SELECT 1 FROM events_deadletter d WHERE d."group" = %(group)s AND d.event_id = e.event_id)
"""
_COUNT_UNHANDLED = f"SELECT count(*) {_UNHANDLED}"
_SHOW_UNHANDLED = f"""
SELECT e.type || ' ' || e.event_id || ' at position ' || e.position {_UNHANDLED} ORDER BY e.position LIMIT %(limit)s
"""
_LAST = "SELECT coalesce(max(position), 0) FROM events_event"


@dataclass(frozen=True, slots=True)
class Checked:
    """One promise: whether it holds, and what was seen, in words."""

    promise: str
    holds: bool
    told: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def run(*, patience_seconds: float = 0.0) -> list[Checked]:
    """Every promise checked, in a fixed order; a group that stands still is waited for so long."""
    return [
        _none_of("Versions of each subject are contiguous", _GAPS),
        _none_of("Events of each subject stand in the order of their versions", _DISORDER),
        _none_of("Every outbox entry points at an event", _ORPHANS),
        *_all_told(),
        *_all_handled_by_each(groups(), patience_seconds=patience_seconds),
        *(_all_in_order(group) for group in groups()),
        *(_nothing_repaired(status) for status in selectors.group_progress()),
    ]


def _all_told() -> list[Checked]:
    guarded = [(table, arguments.split("\\000")[0]) for table, arguments in _rows(_GUARDED)]
    return [
        _none_of(
            f"Every {subject}'s version has its event",
            _UNTOLD.format(table=table),
            subject=subject,
            days=retention.days_facts_are_known(),
        )
        for table, subject in guarded
    ]


def _all_handled_by_each(chosen: list[ConsumerGroup], *, patience_seconds: float) -> list[Checked]:
    return [_all_handled(group, patience_seconds) for group in chosen]


def _all_handled(group: ConsumerGroup, patience_seconds: float) -> Checked:
    wanted: dict[str, Any] = {
        "group": group.name,
        "types": [event_type.name for event_type in group.types()],
        "every": group.takes_every_fact,
        "snapshots": f"%{event_types.SNAPSHOT_MARK}%",
        "seconds": UNDER_WAY_SECONDS,
        "days": retention.days_handled_is_known(),
        "last": _rows(_LAST)[0][0],
    }
    _wait_while_it_gets_on(wanted, patience_seconds)
    return _none_of(f"Every event that {group.name} subscribes to is handled or parked", _SHOW_UNHANDLED, **wanted)


def _wait_while_it_gets_on(wanted: dict[str, Any], patience_seconds: float) -> None:
    fewest, until = None, time.monotonic() + patience_seconds
    while left := _rows(_COUNT_UNHANDLED, **wanted)[0][0]:
        if fewest is None or left < fewest:
            fewest, until = left, time.monotonic() + patience_seconds
        if time.monotonic() >= until:
            return
        time.sleep(min(0.5, patience_seconds))


def _all_in_order(group: ConsumerGroup) -> Checked:
    return _none_of(
        f"{group.name} handled the versions of each subject in order", _HANDLED_IN_DISORDER, group=group.name
    )


def _nothing_repaired(status: selectors.GroupStatus) -> Checked:
    return Checked(
        f"The reconcile never had to repair {status.group}",
        holds=status.repaired == 0,
        told=f"{status.repaired} repaired, {status.caught_up} caught up from the log, {status.parked} parked",
    )


def _none_of(promise: str, query: str, **parameters: Any) -> Checked:
    examples = [row[0] for row in _rows(query, limit=EXAMPLES, **parameters)]
    return Checked(promise, holds=not examples, told="; ".join(examples) or "yes")


def _rows(query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_LIMIT}'")
        cursor.execute(_NO_LIMIT_FOR_ALL)
        cursor.execute(f"SET LOCAL work_mem = '{WORK_MEMORY}'")
        cursor.execute(query, parameters or None)
        return cursor.fetchall()
