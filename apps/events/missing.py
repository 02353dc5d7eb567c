"""What the log has for a consumer group and the group was not given, looked for in steps that each take a moment.

Invariant: the horizon of a lap is taken before its first step. When a lap has come to the end of the log, every event
of its types of a transaction below that horizon was handled, parked or among the positions that it found.

A group whose marks are young asks for the few transactions since in one statement, by the index of transactions. Where
they are old (a new group, another Kafka after a long time) the log is walked by position, a window a statement: one
over all of a large log would end at the limit of a statement, at every attempt.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from apps.events import event_types, retention
from apps.events.subscriptions import ConsumerGroup

# A statement over so many transactions or positions takes a fraction of a second.
NEAR_TRANSACTIONS = 50_000
WINDOW = 20_000
# So long one look may take: who looks also has a heartbeat, or a job's limit.
BUDGET_SECONDS = 5.0
# A lap that nobody went on with for so long is begun anew.
FORGOTTEN_SECONDS = 600.0

_MISSING = """
SELECT e.position
FROM events_event e
JOIN unnest(%(types)s::text[], %(marks)s::bigint[]) AS m (type, mark)
    ON m.type = CASE WHEN %(every)s AND NOT e.type = ANY(%(snapshots)s::text[]) THEN '*' ELSE e.type END
WHERE {where} AND e.transaction_id >= m.mark
  AND e.recorded_at > now() - make_interval(days => %(days)s)
  AND e.recorded_at <= statement_timestamp() - make_interval(secs => %(older)s::double precision)
  AND e.erased_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM events_handledevent h WHERE h."group" = %(group)s AND h.event_id = e.event_id)
  AND NOT EXISTS (SELECT 1 FROM events_deadletter d WHERE d."group" = %(group)s AND d.event_id = e.event_id)
{relayed}ORDER BY e.position
LIMIT %(limit)s
"""
_SINCE = "e.transaction_id >= %(lowest)s AND e.position <= %(upto)s"
_WITHIN = "e.position > %(after)s AND e.position <= %(upto)s"
_RELAYED = "  AND NOT EXISTS (SELECT 1 FROM events_outboxentry o WHERE o.event_id = e.position)\n"
_HORIZON = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
# OFFSET 0: statistics from before a backlog was worked off make reading the whole log look cheap.
_RELAYED_HORIZON = """
least(pg_snapshot_xmin(pg_current_snapshot())::text::bigint, (
    SELECT min(e.transaction_id) FROM events_outboxentry o
    CROSS JOIN LATERAL (SELECT transaction_id FROM events_event WHERE position = o.event_id OFFSET 0) e
))
"""
_LAST = "(SELECT coalesce(max(position), 0) FROM events_event)"
_NEXT = "SELECT min(position) FROM events_event WHERE position > %s"


@dataclass(slots=True)
class _Lap:
    """Through the log up to `last`; nothing is missing up to `after`.

    It is gone on with until nothing is found. While records never cease to come, something of the last moment is
    always on its way, and looks missing: of one lap it is handled by the next look, and the marks move on.
    """

    types: Mapping[str, int]
    horizon: int
    last: int
    after: int = -1
    at: float = field(default_factory=time.monotonic)

    @property
    def is_short(self) -> bool:
        return self.horizon - min(self.types.values(), default=0) <= NEAR_TRANSACTIONS


@dataclass(frozen=True, slots=True)
class Found:
    """The oldest positions of what is missing. `complete` when there is no more up to the `horizon`."""

    positions: list[int]
    complete: bool
    horizon: int
    told: str = ""


# By what was looked for: what another question passed by may be what this one is for.
_laps: dict[tuple[str, bool, float], _Lap] = {}


def look(
    group: ConsumerGroup,
    types: Mapping[str, int],
    *,
    limit: int,
    relayed_or_not: bool = False,
    older_than_seconds: float = 0,
) -> Found:
    """At or above the mark of their type, in order, at most `limit`; another look goes on behind what is not missing.

    With `relayed_or_not` also what is still in the outbox.
    """
    name = group.name, relayed_or_not, older_than_seconds
    lap = _laps.pop(name, None)
    if lap is None or lap.types != types or time.monotonic() - lap.at > FORGOTTEN_SECONDS:
        lap = _begin(types, relayed_or_not)
    asked = _asked(group, types, limit, older_than_seconds)
    relayed = "" if relayed_or_not else _RELAYED
    if lap.is_short:
        found = _positions(_MISSING.format(where=_SINCE, relayed=relayed), asked | {"upto": lap.last})
        if found:
            _laps[name] = lap
        return Found(found, complete=len(found) < limit, horizon=lap.horizon)
    until = time.monotonic() + BUDGET_SECONDS
    found = []
    while not found and lap.after < lap.last and time.monotonic() < until:
        window = {"after": lap.after, "upto": lap.after + WINDOW}
        found = _positions(_MISSING.format(where=_WITHIN, relayed=relayed), asked | window)
        lap.after = lap.after if found else _behind(lap)
    complete = len(found) < limit and lap.after + (WINDOW if found else 0) >= lap.last
    if found or not complete:  # what was found may not be handled yet
        lap.at = time.monotonic()
        _laps[name] = lap
    return Found(found, complete, lap.horizon, told=f"Looked through the log up to {lap.after} of {lap.last}.")


def forget() -> None:
    """Begin every lap anew."""
    _laps.clear()


def _begin(types: Mapping[str, int], relayed_or_not: bool) -> _Lap:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_HORIZON if relayed_or_not else _RELAYED_HORIZON}, {_LAST}")
        horizon, last = cursor.fetchone()
    return _Lap(dict(types), horizon, last)


def _asked(group: ConsumerGroup, types: Mapping[str, int], limit: int, older_than_seconds: float) -> dict[str, Any]:
    return {
        "lowest": min(types.values(), default=0),
        "days": retention.days_handled_is_known(),
        "older": older_than_seconds,
        "types": list(types),
        "marks": list(types.values()),
        "every": group.takes_every_fact,
        "snapshots": [event_type.name for event_type in event_types.declared() if event_type.snapshot],
        "group": group.name,
        "limit": limit,
    }


def _positions(statement: str, asked: dict[str, Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        return [row[0] for row in cursor.fetchall()]


def _behind(lap: _Lap) -> int:
    """The end of the window, or, over a gap, what stands before the next event."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [lap.after + WINDOW])
        following = cursor.fetchone()[0]
    return lap.last if following is None else min(following - 1, lap.last)
