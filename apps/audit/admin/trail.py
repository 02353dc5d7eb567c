"""Finds records of the trail, newest first, page by page.

Invariant: whatever is asked and however long the trail, a page reads a bounded number of rows, by an index: nothing
is counted, and a deep page costs as much as the first. What is found in pieces is said so, and can be gone on with.
"""

import math
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, reduce
from itertools import product

from django.db import connection
from django.db.models import Q, QuerySet

from apps.audit import selectors, ways
from apps.audit.admin.asked import Asked, people_called, whole_id
from apps.audit.models import AuditRecord
from apps.audit.services import UNREADABLE
from apps.audit.ways import Way, by_index

PAGE = 50
MAX_WAYS = 64
MANY_MEANINGS = "These words can mean too many things at once: search for fewer of them."
# Ids follow the time of recording to within a transaction, which lasts seconds.
_DISORDER = timedelta(hours=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class TooManyWays(Exception):
    """The words of a search can mean too many things at once."""


@dataclass(frozen=True, slots=True)
class Page:
    """Records, newest first. `older` and `newer` are the ids to go on from, `None` where there is nothing more.

    `walked` is true when the page ends where it does because enough was looked at.
    """

    records: list[AuditRecord]
    newer: int | None
    older: int | None
    walked: bool = False


class Trail:
    """What is asked of the trail, once understood."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    def page(self, *, before: int | None = None, after: int | None = None, size: int = PAGE) -> Page:
        """The newest records; those `before` an id; or those `after` one, of which the nearest."""
        upwards = after is not None and before is None
        start = after if upwards else before
        ids: set[int] = set()
        end: int | None = None
        for way in self._ways:
            records, walked_to = self._along(way, start, upwards=upwards)
            nearest_first = records.order_by("id" if upwards else "-id").values_list("pk", flat=True)
            with by_index(in_order=True) if way.along else nullcontext():
                found = list(nearest_first[: size + 1])
            ids.update(found)
            if walked_to is not None and len(found) <= size:
                end = walked_to if end is None else (min(end, walked_to) if upwards else max(end, walked_to))
        if end is not None:
            ids = {pk for pk in ids if (pk <= end if upwards else pk >= end)}
        nearest = sorted(ids, reverse=not upwards)
        shown, more = nearest[:size], len(nearest) > size
        end_of_walk = end if end is not None and not more else None
        return self._page(shown, more=more, end=end_of_walk, start=start, upwards=upwards)

    def _page(self, shown: list[int], *, more: bool, end: int | None, start: int | None, upwards: bool) -> Page:
        found = AuditRecord.objects.select_related("content").in_bulk(shown)
        records = [found[pk] for pk in sorted(shown, reverse=True)]
        first, last = (max(shown), min(shown)) if shown else (start, start)
        if upwards:
            return Page(records, newer=end or (first if more else None), older=last, walked=end is not None)
        newer = first if start is not None else None
        return Page(records, newer=newer, older=end or (last if more else None), walked=end is not None)

    def has_more_than(self, number: int) -> bool:
        """Whether there are; looks at no more than that, or at all that what has no index leaves to look at."""
        found = 0
        for way in self._ways:
            records = AuditRecord.objects.filter(self._bounds & way.condition, *way.along)
            found += records.order_by()[: number + 1].count()
        return found > number

    def _along(self, way: Way, start: int | None, *, upwards: bool) -> tuple[QuerySet[AuditRecord], int | None]:
        """The records of a way from an id on, and the id up to which they are looked for, if not to the end."""
        records = AuditRecord.objects.filter(self._bounds & way.condition)
        if start is not None:
            records = records.filter(pk__gt=start) if upwards else records.filter(pk__lt=start)
        if not way.along:
            return records, None
        # So many of those that an index has in order: all of somebody's few, however long ago.
        ids = records.order_by("id" if upwards else "-id").values_list("pk", flat=True)
        end = next(iter(ids[ways.MAX_WALKED - 1 : ways.MAX_WALKED]), None)
        if end is not None:
            records = records.filter(pk__lte=end) if upwards else records.filter(pk__gte=end)
        return records.filter(*way.along), end

    @cached_property
    def _bounds(self) -> Q:
        asked, bounds = self.asked, Q()
        if asked.since:
            bounds &= Q(recorded_at__gte=asked.since) & _from(asked.since)
        if asked.until:
            bounds &= Q(recorded_at__lt=asked.until) & _to(asked.until)
        if asked.types:
            bounds &= Q(type__in=asked.types)
        if asked.readable is not None:
            bounds &= Q(readable=True) if asked.readable else Q(readable=False, type=UNREADABLE)
        plain = {"type": asked.type, "actor_id": asked.actor, "owner_id": asked.owner, "subject_id": asked.subject}
        return bounds & Q(**{name: value for name, value in plain.items() if value})

    @cached_property
    def _ways(self) -> list[Way]:
        meanings = _meanings(self.asked.text.split())
        if self.asked.correlation:
            meanings.append([ways.of_request(self.asked.correlation)])
        if math.prod(map(len, meanings)) > MAX_WAYS:
            raise TooManyWays(MANY_MEANINGS)
        combined = (reduce(lambda whole, part: whole & part, chosen, Way()) for chosen in product(*meanings))
        return [way for way in combined if not way.leads_nowhere]


def about_how_many() -> int:
    """How long the trail is, as the database remembers from when it last looked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'audit_auditrecord'::regclass")
        return int(cursor.fetchone()[0])


def first_and_last() -> tuple[datetime, datetime] | None:
    """When the first and the last record were made."""
    instants = AuditRecord.objects.values_list("recorded_at", flat=True)
    first, last = instants.order_by("id").first(), instants.order_by("-id").first()
    return (first, last) if first and last else None


def _meanings(words: list[str]) -> list[list[Way]]:
    """What each word of a search can mean; those that can only be words of a title together."""
    if len(words) > ways.MAX_WORDS:
        raise TooManyWays(f"Search for at most {ways.MAX_WORDS} words at once.")
    people, types = people_called(words), selectors.types_with_subjects() if words else {}
    meanings: list[list[Way]] = []
    plain: list[str] = []
    for word in words:
        if (pk := whole_id(word)) is not None:
            fields = ("event_id", "subject_id", "owner_id", "actor_id", "causation_id")
            meanings.append([*[Way(Q(**{name: pk})) for name in fields], ways.of_request(word)])
        elif named := [name for name in types if word in {name, name.rpartition(".")[0]}]:
            meanings.append([Way(Q(type__in=named))])
        elif word in people:
            by_person = [Way(Q(actor_id=people[word])), Way(Q(owner_id=people[word]))]
            meanings.append([*by_person, ways.of_title(ways.words_in(word))])
        else:
            plain.append(word)
    if plain:
        of_request = [ways.of_request(plain[0])] if len(words) == 1 else []
        meanings.append([ways.of_title(ways.words_in(" ".join(plain))), *of_request])
    return meanings


def _from(since: datetime) -> Q:
    """Ids of which none recorded since is left out: the trail is walked by id."""
    if since - _FIRST < _DISORDER:
        return Q()
    earlier = AuditRecord.objects.filter(recorded_at__lt=since - _DISORDER).order_by("-recorded_at")
    found = earlier.values_list("pk", flat=True).first()
    return Q(pk__gt=found) if found is not None else Q()


def _to(until: datetime) -> Q:
    if _LAST - until < _DISORDER:
        return Q()
    later = AuditRecord.objects.filter(recorded_at__gt=until + _DISORDER).order_by("recorded_at")
    found = later.values_list("pk", flat=True).first()
    return Q(pk__lt=found) if found is not None else Q()
