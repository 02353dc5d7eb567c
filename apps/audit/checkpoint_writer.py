"""One round of the writer of checkpoints: signs what moved, and notes in the database how that went.

The note is for instruments: only the writer reaches the key and the store, and health is asked elsewhere. Invariant:
nothing that verifies the trail reads it, because whoever writes facts may write it too: it is no proof.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.utils import timezone

from apps.audit import chain, checkpoints
from apps.audit.checkpoints import Checkpoint, CheckpointRefused, CheckpointsAway, HeadsWentBack
from apps.audit.models import CheckpointNote


class Trouble(StrEnum):
    """Why nothing could be written."""

    STORE_AWAY = "store away"
    NO_KEY = "no key"
    CHECKPOINT_REFUSED = "checkpoint refused"
    HEADS_WENT_BACK = "heads went back"

    @property
    def found_wrong(self) -> bool:
        """Whether somebody touched what was signed; else there was nothing to sign with, or no place to keep it."""
        return self in {Trouble.CHECKPOINT_REFUSED, Trouble.HEADS_WENT_BACK}


_TROUBLES: Mapping[type[Exception], Trouble] = {
    CheckpointsAway: Trouble.STORE_AWAY,
    ImproperlyConfigured: Trouble.NO_KEY,
    CheckpointRefused: Trouble.CHECKPOINT_REFUSED,
    HeadsWentBack: Trouble.HEADS_WENT_BACK,
}


class NotWritten(Exception):
    """Nothing was kept; `trouble` says what kind of reason there was, the text which."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.trouble = _TROUBLES[type(reason)]


def run(*, now: datetime, dry_run: bool = False) -> Checkpoint | None:
    """Write a checkpoint; `None` when nothing moved since the newest. `dry_run` keeps and notes nothing.

    Not to be called inside a transaction. Raises `NotWritten`.
    """
    try:
        newest, is_new = checkpoints.bring_up_to_date(now=now, dry_run=dry_run)
    except tuple(_TROUBLES) as reason:
        not_written = NotWritten(reason)
        if not dry_run:
            _note(now, trouble=not_written.trouble, because=str(reason))
        raise not_written from reason
    if not dry_run:
        signed = {str(number): head.sequence for number, head in newest.heads.items()} if newest else {}
        _note(
            now,
            trouble="",
            because="",
            number=newest.number if newest else 0,
            taken_at=newest.taken_at if newest else None,
            sequences=signed,
        )
    return newest if is_new else None


def _note(now: datetime, **what: object) -> None:
    CheckpointNote.objects.update_or_create(pk=CheckpointNote.ONLY, defaults={"tried_at": now, **what})


# --- Reading --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """What the writer noted; ages in seconds, each `None` when there is nothing it would be the age of.

    `number` is the newest checkpoint's, 0 when there is none, `age_seconds` since it was taken. `tried_age_seconds` is
    since the last round; `trouble` and `because` say why that one wrote nothing. `unsigned_age_seconds` is how long
    the oldest record that no checkpoint signs has been there: 0 when all are signed.
    """

    number: int
    age_seconds: float | None
    tried_age_seconds: float | None
    trouble: str
    because: str
    unsigned_age_seconds: float


def status() -> WriterStatus:
    """As the database has it: one row, and of each chain the first record after what is signed."""
    note = CheckpointNote.objects.filter(pk=CheckpointNote.ONLY).first()
    now = timezone.now()
    return WriterStatus(
        number=note.number if note else 0,
        age_seconds=_since(note.taken_at, now) if note and note.taken_at else None,
        tried_age_seconds=_since(note.tried_at, now) if note else None,
        trouble=note.trouble if note else "",
        because=note.because if note else "",
        unsigned_age_seconds=_unsigned_age(note.sequences if note else {}),
    )


def _since(instant: datetime, now: datetime) -> float:
    return max(0.0, (now - instant).total_seconds())


_OLDEST_UNSIGNED = """
SELECT coalesce(greatest(0, extract(epoch FROM clock_timestamp() - min(r.recorded_at))), 0)::double precision
FROM unnest(%s::int[], %s::bigint[]) AS signed (chain, sequence)
JOIN audit_auditrecord r ON r.chain = signed.chain AND r.sequence = signed.sequence + 1
"""


def _unsigned_age(sequences: Mapping[str, int]) -> float:
    chains = list(range(chain.CHAINS))
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_UNSIGNED, [chains, [sequences.get(str(number), 0) for number in chains]])
        age: float = cursor.fetchone()[0]
    return age
