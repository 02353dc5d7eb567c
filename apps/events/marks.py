"""How far a consumer group is settled, for each type of event it wants.

Invariant: every event of a type, of a transaction below the type's mark, is handled or parked. Only who looked for a
type moves its mark, and only upwards. A member of a release without the subscription reads on past the records of the
type and looks for none of its events: it leaves the type's mark where it is, behind the group's others.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db import connection

from apps.events.subscriptions import EVERY_FACT, ConsumerGroup

# So long after a type was added, members of the release before may still read on past its records: a rolling release.
YOUNG_SECONDS = 3600

_MARKS = """
SELECT type, settled_transaction_id, coalesce(added_at > now() - make_interval(secs => %s::double precision), false),
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint
FROM events_groupmark WHERE "group" = %s
"""
# A mark in the future is of another database, from which this one was restored.
_MOVE = """
INSERT INTO events_groupmark AS m ("group", type, settled_transaction_id, added_at)
SELECT %(group)s, each, %(to)s::bigint, CASE WHEN each = ANY(%(added)s::text[]) THEN now() END
FROM unnest(%(types)s::text[]) AS each ORDER BY each
ON CONFLICT ("group", type) DO UPDATE SET
    settled_transaction_id = CASE
        WHEN m.settled_transaction_id > pg_snapshot_xmax(pg_current_snapshot())::text::bigint
        THEN EXCLUDED.settled_transaction_id
        ELSE greatest(m.settled_transaction_id, EXCLUDED.settled_transaction_id) END,
    added_at = coalesce(EXCLUDED.added_at, m.added_at)
"""
_BEGIN = """
INSERT INTO events_groupmark ("group", type, settled_transaction_id)
SELECT %s, each, 0 FROM unnest(%s::text[]) AS each ORDER BY each ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Marks:
    """Per wanted type its mark. Of `late` types something may have been passed by; `added` are those late for the
    first time: new to the group, or left behind by members that did not want them.
    """

    settled: Mapping[str, int]
    late: frozenset[str]
    added: frozenset[str]

    @property
    def highest(self) -> int:
        return max(self.settled.values(), default=0)


def types_of(group: ConsumerGroup) -> list[str]:
    """What the group has a mark for: a type each, but one for all facts where it takes every fact."""
    if not group.takes_every_fact:
        return [event_type.name for event_type in group.types()]
    return [EVERY_FACT, *(event_type.name for event_type in group.types() if event_type.snapshot)]


def look(group: ConsumerGroup) -> Marks:
    with connection.cursor() as cursor:
        cursor.execute(_MARKS, [YOUNG_SECONDS, group.name])
        rows = cursor.fetchall()
    kept = {name: (mark if mark <= next_id else 0, young) for name, mark, young, next_id in rows}
    highest = max((mark for mark, _ in kept.values()), default=0)
    wanted = types_of(group)
    settled = {name: kept.get(name, (0, False))[0] for name in wanted}
    added = frozenset(name for name in wanted if name not in kept or settled[name] < highest)
    return Marks(settled, late=added | {name for name in wanted if name in kept and kept[name][1]}, added=added)


def begin(group: ConsumerGroup) -> None:
    """A group's first marks: nothing is settled, and no other release of it can have passed anything by."""
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, [group.name, types_of(group)])


def move(group: ConsumerGroup, types: Collection[str], *, to: int, added: Collection[str]) -> None:
    """Say that these types are settled below the transaction `to`, and which of them are young from now on."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, {"group": group.name, "types": list(types), "to": to, "added": list(added)})
