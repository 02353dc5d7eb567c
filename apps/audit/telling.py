"""Records as a person reads them: who did what, in a sentence of their language, with days of their wall clock.

Invariant: however many records are told, as many questions are asked: who the actors are, what the causes were, and,
where content is missing, who was erased.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.accounts.models import User
from apps.audit import selectors, words
from apps.audit.kept import Kept
from apps.audit.models import AuditRecord
from apps.audit.words import Change
from apps.calendar import zones

# Whoever acted and is not there any more.
GONE = "Somebody"


@dataclass(frozen=True, slots=True)
class Told:
    """`who` is a name, "Somebody" for who is gone, or "the platform"; `kept` is what is left of what it held."""

    record: AuditRecord
    who: str
    sentence: str
    changes: list[Change]
    kept: Kept


def told(records: Sequence[AuditRecord], *, reader: User, now: datetime, naming: bool = False) -> list[Told]:
    """Each record in words; `naming` puts a task's title before, for records of many things."""
    names = selectors.names_of(record.actor_id for record in records)
    causes = selectors.causes_of({record.causation_id for record in records if record.causation_id})
    kept = selectors.kept_of(records)
    zone = zones.zone(reader.time_zone)
    found = []
    for record in records:
        cause = causes.get(record.causation_id) if record.causation_id else None
        actor = names.get(record.actor_id, GONE) if record.actor_id else None
        sentence = words.sentence(
            record.type,
            record.data,
            actor=actor,
            zone=zone,
            now=now,
            cause=cause.type if cause else None,
            led=cause.data if cause and cause.owner_id == record.owner_id else None,
            naming=naming,
            kept=kept[record.pk],
        )
        found.append(Told(record, actor or words.PLATFORM, sentence, words.changes(record.data), kept[record.pk]))
    return found
