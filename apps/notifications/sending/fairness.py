"""Which of what is due goes next, so that nobody starves; pure.

Invariant: of one destination one at a time; of one person at most half of the threads; of destinations that are not
known to answer at most a quarter, so that the dead ones hold up themselves. Within that the oldest goes first, and who
has the least under way before who has more.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Candidate:
    """The oldest that is due for one destination. `risky`: whether it answers is not known, or it did not last time."""

    delivery_id: UUID
    owner_id: UUID
    send_at: datetime
    risky: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """How many may be taken now, how many of them risky, and how many of one person may be under way in all."""

    all: int
    risky: int
    person: int


def room(senders: int, *, busy: int, risky: int) -> Room:
    """What threads that are busy, some of them with what is risky, leave."""
    return Room(all=senders - busy, risky=max(1, senders // 4) - risky, person=max(1, (senders + 1) // 2))


def choose(candidates: Sequence[Candidate], *, room: Room, under_way: Mapping[UUID, int]) -> list[Candidate]:
    """`candidates` by age, the oldest first, and each of another destination; `under_way` counts by person."""
    having, risky, left = Counter(under_way), 0, list(candidates)
    chosen: list[Candidate] = []
    while left and len(chosen) < room.all:
        may = [one for one in left if having[one.owner_id] < room.person and not (one.risky and risky >= room.risky)]
        if not may:
            break
        # The first of those that are equal: the oldest.
        best = min(may, key=lambda one: having[one.owner_id])
        left.remove(best)
        having[best.owner_id] += 1
        risky += best.risky
        chosen.append(best)
    return chosen
