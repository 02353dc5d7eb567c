"""The first of some records, by the index that has them in the order in which they are asked for.

Invariant: a page reads about as many rows as it shows, whoever asks, however rare what they ask for and however deep.

PostgreSQL has to be helped to that. It takes what is looked for to be spread evenly along the trail, so of a person
who did little, long ago, it walks the primary key from the newest record, past everybody's. The index by person
(`owner_id`, then id) goes straight to theirs, and is taken when its order is asked for: `ORDER BY owner_id, id`. But
what is said to equal a constant (`owner_id = …`) PostgreSQL strikes out of the order, and is back at the primary key.
So the column is asked for as a range from the value to itself, which finds the same and leaves the order as it is.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from apps.audit import ways
from apps.audit.models import AuditRecord

# So many are looked at first where a word is said to be met often.
_NEAR = 1000


class Place(Protocol):
    """Where a record stands among the others: what a page goes on from."""

    @property
    def id(self) -> int: ...

    @property
    def occurred_at(self) -> datetime | None: ...


def of_owner(records: QuerySet[AuditRecord], owner_id: UUID) -> QuerySet[AuditRecord]:
    """Those of one person, in a way that can be sorted by: see above."""
    return _from_it_to_itself(records, "owner_id", owner_id)


def by_actor(records: QuerySet[AuditRecord], actor_id: UUID) -> QuerySet[AuditRecord]:
    """What one person did, in a way that can be sorted by: see above."""
    return _from_it_to_itself(records, "actor_id", actor_id)


def first_of(
    records: QuerySet[AuditRecord],
    *,
    most: int,
    owner_id: UUID | None = None,
    actor_id: UUID | None = None,
    types: Sequence[str] | None = None,
    along: Sequence[Any] = (),
) -> tuple[list[AuditRecord], Place | None]:
    """The first of some records, sorted by id or by instant, that are all of this owner, actor, and these types; and
    the place of the last one looked at, where enough were looked at before so many were found.

    What `along` asks no index has in order: the records are looked at one after the other, so many at most.
    """
    if not along:
        return _first(records, most=most, owner_id=owner_id, actor_id=actor_id, types=types), None
    lean = records.select_related(None).values_list("id", "occurred_at", named=True)
    for reach in (_NEAR, ways.MAX_WALKED):
        near: list[Any] = _first(lean, most=reach, owner_id=owner_id, actor_id=actor_id, types=types)
        like_that = _like_that([place.id for place in near], along)
        found = [place.id for place in near if place.id in like_that][:most]
        if len(found) == most or len(near) < reach:
            break
    rows = AuditRecord.objects.select_related("content").in_bulk(found)
    looked_at_enough = len(found) < most and len(near) == reach
    return [rows[pk] for pk in found], near[-1] if looked_at_enough else None


def _like_that(ids: list[int], along: Sequence[Any]) -> set[int]:
    """Which of many records are so; they are handed over as one value, as each of thousands would take its time."""
    among = RawSQL("SELECT unnest(%s::bigint[])", (ids,))
    with ways.by_index(in_order=True):
        return set(AuditRecord.objects.filter(*along, pk__in=among).values_list("pk", flat=True))


def _first(
    records: QuerySet[Any],
    *,
    most: int,
    owner_id: UUID | None,
    actor_id: UUID | None,
    types: Sequence[str] | None,
) -> list[Any]:
    """The columns that the right index has before the one to sort by are asked for as equal."""
    if types is not None:
        return _first_of_types(records, types, owner_id=owner_id, most=most)
    order = [str(column) for column in records.query.order_by]
    if order[-1] != order[0]:
        return list(_by_instant(records, owner_id)[:most])
    if actor_id is not None:
        return list(_after(_equal(records, owner_id), "actor_id")[:most])
    return list((_after(records, "owner_id") if owner_id is not None else records)[:most])


def _first_of_types(records: QuerySet[Any], types: Sequence[str], *, owner_id: UUID | None, most: int) -> list[Any]:
    """Each type is read by itself, a page at most: no statistics know which are rare among one person's."""
    if not types:
        return []
    order = [str(column) for column in records.query.order_by]
    columns = [column.removeprefix("-") for column in order]
    by_id = order[-1] == order[0]
    found = _equal(records, owner_id) if by_id else _by_instant(records, owner_id)
    each = [_from_it_to_itself(found, "type", name) for name in types]
    parts = [(_after(part, "type") if by_id else part).values_list(*columns)[:most] for part in each]
    places = parts[0].union(*parts[1:], all=True).order_by(*order)[:most] if len(parts) > 1 else parts[0]
    return list(records.filter(pk__in=[place[-1] for place in places]))


def _from_it_to_itself(records: QuerySet[Any], column: str, value: Any) -> QuerySet[Any]:
    return records.filter(**{f"{column}__range": (value, value)})


def _equal(records: QuerySet[Any], owner_id: UUID | None) -> QuerySet[Any]:
    return records if owner_id is None else records.filter(owner_id=owner_id)


def _by_instant(records: QuerySet[Any], owner_id: UUID | None) -> QuerySet[Any]:
    """Everybody's have an index of their own, which says `readable` first, so that one person's are not looked for in
    it. What has an instant is readable.
    """
    return records.filter(readable=True) if owner_id is None else records.filter(owner_id=owner_id)


def _after(records: QuerySet[Any], column: str) -> QuerySet[Any]:
    """Sorted by a column that is the same in all of them, then by id, as an index has both."""
    (by_id,) = (str(column) for column in records.query.order_by)
    return records.order_by(column if by_id.startswith("-") else f"-{column}", by_id)
