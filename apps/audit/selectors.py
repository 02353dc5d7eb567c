"""Reads of the audit trail. Who may see what is decided here alone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.audit import chain
from apps.audit.chain import Head
from apps.audit.models import AuditContent, AuditRecord, AuditVerification

# The fact after which nothing that a person wrote is kept.
ERASED = "account.erased.v1"

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
WHERE e.type = 'account.erased.v1'
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
SELECT type, subject_type FROM known
"""


def records_visible_to(user: User) -> QuerySet[AuditRecord]:
    """Staff see the whole trail; others see what happened to what is theirs."""
    records = AuditRecord.objects.select_related("content")
    return records if user.is_staff else of_owner(records, user.pk)


def of_owner(records: QuerySet[AuditRecord], owner_id: UUID) -> QuerySet[AuditRecord]:
    """As a range, so that `first_of` can sort by it: see there."""
    return records.filter(owner_id__range=(owner_id, owner_id))


def by_actor(records: QuerySet[AuditRecord], actor_id: UUID) -> QuerySet[AuditRecord]:
    """As a range, for the same reason."""
    return records.filter(actor_id__range=(actor_id, actor_id))


def history_of_task(task_id: UUID, *, owner: User) -> QuerySet[AuditRecord]:
    """What happened to a person's task, as far as the trail has it; also after the task is gone."""
    records = AuditRecord.objects.select_related("content")
    return records.filter(subject_type="task", subject_id=task_id, owner_id=owner.pk)


def types_with_subjects() -> dict[str, str]:
    """The types that stand in the trail, each with the kind of thing it tells of."""
    with connection.cursor() as cursor:
        cursor.execute(_TYPES)
        return dict(cursor.fetchall())


def first_of(
    records: QuerySet[AuditRecord],
    *,
    most: int,
    owner_id: UUID | None = None,
    actor_id: UUID | None = None,
    types: Sequence[str] | None = None,
) -> list[AuditRecord]:
    """The first of some records, sorted by id or by instant, that are all of this owner, actor, and these types.

    Sorted by id alone, PostgreSQL may walk the primary key, past everybody's records: it takes what is asked for to be
    spread evenly, and what equals a constant for nothing to sort by. So the column that the right index has before the
    id is asked for as a range, and sorted by too; the columns before that one are asked for as equal.
    """
    if types is not None:
        return _first_of_types(records, types, owner_id=owner_id, most=most)
    order = [str(column) for column in records.query.order_by]
    if order[-1] != order[0]:
        return list(_by_instant(records, owner_id)[:most])
    if actor_id is not None:
        return list(_after(_equal(records, owner_id), "actor_id")[:most])
    return list((_after(records, "owner_id") if owner_id is not None else records)[:most])


def _first_of_types(
    records: QuerySet[AuditRecord], types: Sequence[str], *, owner_id: UUID | None, most: int
) -> list[AuditRecord]:
    """Each type is read by itself, a page at most: no statistics know which are rare among one person's."""
    if not types:
        return []
    order = [str(column) for column in records.query.order_by]
    columns = [column.removeprefix("-") for column in order]
    by_id = order[-1] == order[0]
    found = _equal(records, owner_id) if by_id else _by_instant(records, owner_id)
    each = [found.filter(type__range=(name, name)) for name in types]
    parts = [(_after(part, "type") if by_id else part).values_list(*columns)[:most] for part in each]
    places = parts[0].union(*parts[1:], all=True).order_by(*order)[:most] if len(parts) > 1 else parts[0]
    return list(records.filter(pk__in=[place[-1] for place in places]))


def _equal(records: QuerySet[AuditRecord], owner_id: UUID | None) -> QuerySet[AuditRecord]:
    return records if owner_id is None else records.filter(owner_id=owner_id)


def _by_instant(records: QuerySet[AuditRecord], owner_id: UUID | None) -> QuerySet[AuditRecord]:
    """Everybody's have an index of their own, which says `readable` first, so that one person's are not looked for in
    it. What has an instant is readable.
    """
    return records.filter(readable=True) if owner_id is None else records.filter(owner_id=owner_id)


def _after(records: QuerySet[AuditRecord], column: str) -> QuerySet[AuditRecord]:
    """Sorted by a column that is the same in all of them, then by id, as an index has both."""
    (by_id,) = (str(column) for column in records.query.order_by)
    return records.order_by(column if by_id.startswith("-") else f"-{column}", by_id)


def with_words(records: QuerySet[AuditRecord], words: Sequence[str]) -> QuerySet[AuditRecord]:
    """Records of things in whose title, as it then was, each of these words (of letters and digits) begins one."""
    asked = SearchQuery(" & ".join(f"{word}:*" for word in words), search_type="raw", config="simple")
    named = AuditContent.objects.annotate(words=SearchVector("title", config="simple")).filter(words=asked)
    return records.filter(event_id__in=named.values("record_id"))


def names_of(user_ids: Collection[UUID]) -> dict[UUID, str]:
    """The names of those who are still there."""
    return dict(User.objects.filter(pk__in=user_ids).values_list("pk", "username"))


def types_of(event_ids: Collection[UUID]) -> dict[UUID, str]:
    return dict(AuditRecord.objects.filter(event_id__in=event_ids).values_list("event_id", "type"))


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
        cursor.execute(_OWNERS_TO_ERASE)
        return [row[0] for row in cursor.fetchall()]


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
    cleared = runs.filter(full=True, sound=True).first()
    alarm = runs.filter(sound=False, pk__gt=cleared.pk if cleared else 0).first()
    now = timezone.now()
    return VerificationStatus(
        age_seconds=(now - last.finished_at).total_seconds() if last else None,
        whole_age_seconds=(now - whole.finished_at).total_seconds() if whole else None,
        sound=alarm is None if last else None,
        findings=len(alarm.findings) if alarm else 0,
    )
