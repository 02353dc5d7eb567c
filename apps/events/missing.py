"""What the log has for a consumer group and the group was not given, looked for in steps that each take a moment.

Invariant: the horizon of a lap is taken before its first step. When a lap has come to the end of the log, every event
of its types of a transaction below that horizon was handled, parked or among the positions that it found.

A group whose marks are young asks for the few transactions since in one statement, by the index of transactions. Where
they are old (a new group, another Kafka after a long time) the log is walked by position, a window a statement: one
over all of a large log would end at the limit of a statement, at every attempt.

A lap speaks of what there was when it began. So it belongs to who began it, for one reason to look: what comes later,
such as a partition that another member gave up, is behind it.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.events import event_types, retention
from apps.events.subscriptions import ConsumerGroup

# A statement over so many transactions or positions takes a fraction of a second.
NEAR_TRANSACTIONS = 50_000
WINDOW = 20_000
# So long one look may take: who looks also has a heartbeat, or a job's limit.
BUDGET_SECONDS = 5.0

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


@dataclass(frozen=True, slots=True)
class _Question:
    """What is looked for; what another question passed by may be what this one is for."""

    group: str
    relayed_or_not: bool
    older_than_seconds: float
    cluster: str


@dataclass(slots=True)
class _Lap:
    """Through the log up to `last`; nothing is missing up to `after`."""

    types: Mapping[str, int]
    horizon: int
    last: int
    after: int = -1

    @property
    def is_short(self) -> bool:
        return self.horizon - min(self.types.values(), default=0) <= NEAR_TRANSACTIONS


@dataclass(frozen=True, slots=True)
class Found:
    """The oldest positions of what is missing. `complete` when there is no more up to the `horizon`."""

    positions: list[int]
    complete: bool
    horizon: int
    told: str
    question: _Question
    lap: _Lap


class Laps:
    """The laps of one who looks, as far as they have come."""

    def __init__(self) -> None:
        self._laps: dict[_Question, _Lap] = {}

    def look(
        self,
        group: ConsumerGroup,
        types: Mapping[str, int],
        *,
        limit: int,
        relayed_or_not: bool = False,
        older_than_seconds: float = 0.0,
        cluster: str = "",
    ) -> Found:
        """What is missing above the mark of its type, in order, at most `limit`.

        With `relayed_or_not` also what is still in the outbox. Until a lap is complete, another look for the same, and
        for the sake of the same `cluster`, goes on with it, behind what is not missing.
        """
        question = _Question(group.name, relayed_or_not, older_than_seconds, cluster)
        lap = self._laps.pop(question, None)
        if lap is None or lap.types != types:
            lap = _begin(types, relayed_or_not)
        asked = _asked(group, types, limit, older_than_seconds)
        positions, complete, told = (_since_the_marks if lap.is_short else _by_windows)(lap, question, asked)
        found = Found(positions, complete, lap.horizon, told, question, lap)
        if not complete:
            self.keep(found)
        return found

    def keep(self, found: Found) -> None:
        """Go on with this lap, though it is complete: what it found is not handled yet.

        While records never cease to come, something of the last moment is always on its way, and looks missing: of one
        lap it is handled by the next look, and the marks move on.
        """
        self._laps[found.question] = found.lap


def _since_the_marks(lap: _Lap, question: _Question, asked: dict[str, Any]) -> tuple[list[int], bool, str]:
    found = _positions(_SINCE, question, asked | {"upto": lap.last})
    return found, len(found) < asked["limit"], ""


def _by_windows(lap: _Lap, question: _Question, asked: dict[str, Any]) -> tuple[list[int], bool, str]:
    """To the first window in which something is missing, or as far as the time allows."""
    until = time.monotonic() + BUDGET_SECONDS
    found: list[int] = []
    while not found and lap.after < lap.last and time.monotonic() < until:
        found = _positions(_WITHIN, question, asked | {"after": lap.after, "upto": lap.after + WINDOW})
        lap.after = lap.after if found else _behind(lap)
    complete = len(found) < asked["limit"] and lap.after + (WINDOW if found else 0) >= lap.last
    return found, complete, f"Looked through the log up to {lap.after} of {lap.last}."


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


def _positions(where: str, question: _Question, asked: dict[str, Any]) -> list[int]:
    statement = _MISSING.format(where=where, relayed="" if question.relayed_or_not else _RELAYED)
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        return [row[0] for row in cursor.fetchall()]


def _behind(lap: _Lap) -> int:
    """The end of the window, or, over a gap, what stands before the next event."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [lap.after + WINDOW])
        following = cursor.fetchone()[0]
    return lap.last if following is None else min(following - 1, lap.last)
