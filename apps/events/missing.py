"""What the log has for a consumer group and the group was not given, looked for in steps that each take a moment.

Invariant: the horizon of a lap is taken before its first step. When a lap has come to the end of the log, every event
of its types of a transaction below that horizon was handled, parked or among the positions that it found.

A group whose marks are young asks for the few transactions since in one statement, by the index of transactions. Where
they are old (a new group, another Kafka after a long time) the log is walked by position, a window a statement: one
over all of a large log would end at the limit of a statement, at every attempt.

A held entry keeps the marks where they are, perhaps for days. So who looks remembers what was settled behind it, and
looks for what was held in particular: it may be lost once it has left the outbox.

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
# More than these are not looked for one by one.
MOST_HELD = 10_000

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
_AMONG = "e.position = ANY(%(held)s::bigint[])"
_WITHIN = "e.position > %(after)s AND e.position <= %(upto)s"
_RELAYED = "  AND NOT EXISTS (SELECT 1 FROM events_outboxentry o WHERE o.event_id = e.position)\n"
_HORIZON = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
# OFFSET 0: statistics from before a backlog was worked off make reading the whole log look cheap.
_RELAYED_HORIZON = """
least(pg_snapshot_xmin(pg_current_snapshot())::text::bigint, (
    SELECT min(e.transaction_id) FROM events_outboxentry o
    CROSS JOIN LATERAL (SELECT transaction_id FROM events_event WHERE position = o.event_id OFFSET 0) e{which}
))
"""
_NOT_HELD = " WHERE o.held_at IS NULL"
_HELD = "ARRAY(SELECT event_id FROM events_outboxentry WHERE held_at IS NOT NULL ORDER BY event_id LIMIT %s)"
_LAST = "(SELECT coalesce(max(position), 0) FROM events_event)"
_NEXT = "SELECT min(position) FROM events_event WHERE position > %s"


@dataclass(frozen=True, slots=True)
class _Question:
    """What is looked for; what another question passed by may be what this one is for."""

    group: str
    relayed_or_not: bool
    older_than_seconds: float
    cluster: str


@dataclass(frozen=True, slots=True)
class _Settled:
    """Of these types, all below the `horizon` is handled or parked, but perhaps what was `held` then.

    `types` are with the marks of then.
    """

    types: Mapping[str, int]
    horizon: int
    held: list[int]

    def holds_for(self, types: Mapping[str, int]) -> bool:
        """Not with a mark that was set back, or of a type that was not among them."""
        return all(name in self.types and mark >= self.types[name] for name, mark in types.items())


@dataclass(slots=True)
class _Lap:
    """Through the log up to `last`; nothing is missing up to `after`."""

    types: Mapping[str, int]
    horizon: int
    last: int
    settles: "_Settled"
    after: int = -1

    @property
    def is_short(self) -> bool:
        return self.settles.horizon - min(self.types.values(), default=0) <= NEAR_TRANSACTIONS


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
        self._settled: dict[_Question, _Settled] = {}

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
        settled = self._settled.get(question)
        if settled is None or not settled.holds_for(types):
            settled = _Settled(types, horizon=0, held=[])
        since = {name: max(mark, settled.horizon) for name, mark in types.items()}
        lap = self._laps.pop(question, None)
        if lap is None or lap.types != since:
            lap = _begin(since, types, relayed_or_not)
        asked = _asked(group, since, limit, older_than_seconds)
        positions, complete, told = (_since_the_marks if lap.is_short else _by_windows)(lap, question, asked)
        if settled.held:
            # After the lap was begun: what was let go by then, and has left the outbox, is seen here.
            asked = _asked(group, types, limit, older_than_seconds) | {"held": settled.held}
            positions = sorted({*_positions(_AMONG, question, asked), *positions})
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

    def settle(self, found: Found) -> None:
        """Remember that what a complete lap found is handled, also above what holds the marks back."""
        new, before = found.lap.settles, self._settled.get(found.question)
        if before and new.horizon <= before.horizon:
            return
        self._settled.pop(found.question, None)
        if 0 < len(new.held) <= MOST_HELD:
            self._settled[found.question] = new


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


def _begin(since: Mapping[str, int], marks: Mapping[str, int], relayed_or_not: bool) -> _Lap:
    of_all, of_others = (_RELAYED_HORIZON.format(which=which) for which in ("", _NOT_HELD))
    horizons = f"{_HORIZON}, {_HORIZON}" if relayed_or_not else f"{of_all}, {of_others}"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {horizons}, {_LAST}, {_HELD}", [MOST_HELD + 1])
        horizon, others, last, held = cursor.fetchone()
    return _Lap(dict(since), horizon, last, settles=_Settled(dict(marks), others, held))


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
