"""Reads of the audit trail. Who may see what is decided here alone."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.audit import chain
from apps.audit.chain import Head
from apps.audit.kept import Kept
from apps.audit.models import AuditContent, AuditRecord, AuditVerification
from apps.audit.paging import of_owner
from apps.events import erasure
from apps.events.event_types import ERASING_TYPE
from apps.events.models import Event

# One step down the unique index per chain, however long the trail.
_HEADS = """
SELECT c.chain, r.sequence, r.hash
FROM unnest(%s::int[]) AS c (chain)
CROSS JOIN LATERAL (
    SELECT sequence, hash FROM audit_auditrecord WHERE chain = c.chain ORDER BY sequence DESC LIMIT 1
) r
"""
_OWNERS_TO_ERASE = """
SELECT e.owner_id FROM events_event e
WHERE e.type = %(erasing)s
  AND EXISTS (SELECT 1 FROM audit_auditcontent c WHERE c.owner_id = e.owner_id AND c.event_id <> e.event_id)
"""
# From one type to the next, each by one step down an index, however long the trail.
_TYPES = """
WITH RECURSIVE known AS (
    (SELECT type, subject_type FROM audit_auditrecord ORDER BY type, id DESC LIMIT 1)
    UNION ALL
    SELECT next.type, next.subject_type FROM known CROSS JOIN LATERAL (
        SELECT type, subject_type FROM audit_auditrecord WHERE type > known.type ORDER BY type, id DESC LIMIT 1
    ) next
)
SELECT type, subject_type FROM known LIMIT 1000
"""

# Each run that finds something tells it again: so many of them say all there is to mark.
_TELLING_RUNS = 50


def records_visible_to(user: User) -> QuerySet[AuditRecord]:
    """Staff see the whole trail; others see what happened to what is theirs."""
    records = AuditRecord.objects.select_related("content")
    return records if user.is_staff else of_owner(records, user.pk)


def history_of_task(task_id: UUID, *, owner: User) -> QuerySet[AuditRecord]:
    """What happened to a person's task, as far as the trail has it; also after the task is gone."""
    records = AuditRecord.objects.select_related("content")
    return records.filter(subject_type="task", subject_id=task_id, owner_id=owner.pk)


def types_with_subjects() -> dict[str, str]:
    """The types that stand in the trail, each with the kind of thing it tells of."""
    with connection.cursor() as cursor:
        cursor.execute(_TYPES)
        return dict(cursor.fetchall())


def names_of(ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """The names of those who are still there; `None` is nobody."""
    return dict(User.objects.filter(pk__in={one for one in ids if one}).values_list("pk", "username"))


def kept_of(records: Iterable[AuditRecord]) -> dict[int, Kept]:
    """What is left of what was written beside each record, by its id. One question for all of them, if any lacks it."""
    found = list(records)
    erased = erasure.erased_among({one.owner_id for one in found if one.owner_id and not one.has_content})
    return {one.pk: _kept(one, erased) for one in found}


def _kept(record: AuditRecord, erased: Collection[UUID]) -> Kept:
    if not record.has_content:
        return Kept.ERASED if record.owner_id in erased else Kept.GONE
    return Kept.BROKEN if record.told is None else Kept.WHOLE


def causes_of(event_ids: Collection[UUID]) -> dict[UUID, AuditRecord]:
    """What the trail has of the events that led to others, with what is left of their content."""
    records = AuditRecord.objects.filter(event_id__in=event_ids).select_related("content")
    return {record.event_id: record for record in records}


def heads(chains: Sequence[int] = range(chain.CHAINS)) -> dict[int, Head]:
    """Of each chain that has begun, the last sequence and hash."""
    with connection.cursor() as cursor:
        cursor.execute(_HEADS, [list(chains)])
        return {number: Head(sequence, bytes(hash_)) for number, sequence, hash_ in cursor.fetchall()}


def heads_at(sequences: Mapping[int, int]) -> dict[int, Head]:
    """Of each chain its record with this sequence; chains that have none are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT chain, sequence, hash FROM audit_auditrecord"
            " JOIN unnest(%s::int[], %s::bigint[]) AS at (chain, sequence) USING (chain, sequence)",
            [list(sequences), list(sequences.values())],
        )
        return {number: Head(sequence, bytes(hash_)) for number, sequence, hash_ in cursor.fetchall()}


def recorded_among(event_ids: Collection[UUID]) -> set[UUID]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_id FROM audit_auditrecord WHERE event_id = ANY(%s::uuid[])", [list(event_ids)])
        return {row[0] for row in cursor.fetchall()}


def owners_to_erase() -> list[UUID]:
    """Erased people of whom the trail still keeps content."""
    with connection.cursor() as cursor:
        cursor.execute(_OWNERS_TO_ERASE, {"erasing": ERASING_TYPE})
        return [row[0] for row in cursor.fetchall()]


def contents_to_erase(owner_id: UUID) -> int:
    """How many contents an erasure of this person takes away, or has not yet taken away."""
    erasing = Event.objects.filter(type=ERASING_TYPE, owner_id=owner_id).values("event_id")
    return AuditContent.objects.filter(owner_id=owner_id).exclude(record__in=erasing).count()


@dataclass(frozen=True, slots=True)
class VerificationStatus:
    """How long ago the trail was last verified, in seconds (`None`: never), and whether it was found sound.

    `age_seconds` is of the last run over what was new, `whole_age_seconds` of the last that had seen every record.
    Not `sound` since something was found, until a full verification finds all sound; `findings` is how many things.
    """

    age_seconds: float | None
    whole_age_seconds: float | None
    sound: bool | None
    findings: int


def verification_status() -> VerificationStatus:
    runs = AuditVerification.objects.order_by("-id")
    last, whole = runs.first(), runs.filter(whole=True).first()
    alarm = _alarming().last()
    now = timezone.now()
    return VerificationStatus(
        age_seconds=(now - last.finished_at).total_seconds() if last else None,
        whole_age_seconds=(now - whole.finished_at).total_seconds() if whole else None,
        sound=alarm is None if last else None,
        findings=len(alarm.findings) if alarm else 0,
    )


def alarming_runs() -> list[AuditVerification]:
    """The verifications for which the trail is not sound: the earliest first, of many the first and the last."""
    runs = _alarming()
    earliest = list(runs[:_TELLING_RUNS])
    last = runs.last() if len(earliest) == _TELLING_RUNS else None
    return earliest if last is None or last in earliest else [*earliest, last]


def _alarming() -> QuerySet[AuditVerification]:
    """Those that found something since every witness was last asked and all was sound."""
    cleared = AuditVerification.objects.filter(full=True, sound=True).order_by("-id").values_list("pk", flat=True)
    return AuditVerification.objects.filter(sound=False, pk__gt=cleared.first() or 0).order_by("id")
