"""When a partition stands at bytes that nobody can read, and how far it then goes on.

Invariant: only what the client says of the bytes themselves counts, and only when it says so again and again of the
same place: what another try, another broker or a new connection may heal is never passed by.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import KafkaError

# Too large when decompressed or not to be decompressed; not what the format says; of a format the client has not.
# A lack of memory has a code of its own, and so has what a broker refuses.
BAD_BYTES = {KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG, KafkaError._NOT_IMPLEMENTED}  # noqa: SLF001 - public names

Place = tuple[str, int]
STANDS_SECONDS = 3.0
ATTEMPTS = 3
# So many records of one batch; it may hold a million.
ONE_BY_ONE = 8


@dataclass(slots=True)
class _Standing:
    offset: int
    since: float
    attempts: int = 0
    passes: int = 0


class Damage:
    """Told of each error and each record of a consumer; one consumer has one."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._standing: dict[Place, _Standing] = {}

    def offsets_to_pass(self, place: Place, *, offset: int, code: int) -> int:
        """How many offsets to leave out from where the partition stands; 0 while it may heal.

        The client names the offset at which the bad batch begins, whichever of its records was asked for, and not
        where it ends: when it goes on naming the same one, more and more are left out. Good records may be among the
        last of these; events of ours are in the log.
        """
        if code not in BAD_BYTES or offset < 0:
            return 0
        known = self._standing.get(place)
        if known is None or known.offset != offset:
            known = self._standing[place] = _Standing(offset, self._now())
        known.attempts += 1
        if known.attempts < ATTEMPTS or self._now() - known.since < STANDS_SECONDS:
            return 0
        known.passes += 1
        return 1 << max(0, known.passes - ONE_BY_ONE)

    def moves(self, place: Place) -> None:
        """A record of it was read, or it was given to this consumer anew."""
        self._standing.pop(place, None)
