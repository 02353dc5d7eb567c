"""Ways to find records by what people wrote: the words of a title, as it then was, and the id of a request.

Invariant: bounded, however long the trail. What few contents have is looked up by its index; what many have is looked
for along the records, in their order, so many at a time.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVector, SearchVectorExact
from django.db import connection, transaction
from django.db.models import Q, QuerySet, Value

from apps.audit.models import AuditContent, AuditRecord

MAX_WORDS = 8
# So many records are looked up by what was written; where more have it, they are looked for along the trail.
MAX_FOUND = 2000
# So many records along the trail are looked at for one page of them.
MAX_WALKED = 10_000
SHORTEST_BEGINNING = 3
# A word that so many of the newest titles have is met soon along the trail, and its entries in the index are many.
_NEWEST = 1000
_OFTEN = 20
_NOT_IN_ORDER = ("enable_bitmapscan", "enable_hashjoin", "enable_mergejoin")
_NOWHERE = Q(pk__in=())


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a record can be what is asked. What `along` asks has no index by which to find the newest."""

    condition: Q = field(default_factory=Q)
    along: tuple[Any, ...] = ()

    def __and__(self, other: "Way") -> "Way":
        return Way(self.condition & other.condition, self.along + other.along)

    @property
    def leads_nowhere(self) -> bool:
        return _is_nowhere(self.condition)


def words_in(text: str) -> list[str]:
    """What of a text can be words of a title: its letters and digits."""
    return re.findall(r"[^\W_]+", text)


def of_title(words: Sequence[str]) -> Way:
    """Whose titles have each of these words (of letters and digits), or one that begins so; a word of one or two
    letters only whole.
    """
    if not words:
        return Way(_NOWHERE)
    asked = [f"{each}:*" if len(each) >= SHORTEST_BEGINNING else each for each in words]
    query = SearchQuery(" & ".join(asked), search_type="raw", config="simple")
    along = _says("content__title", query, along=True)
    if _is_met_often(query):
        return Way(along=(along,))
    return _looked_up(AuditContent.objects.filter(_says("title", query)), along=along)


def of_request(correlation_id: str) -> Way:
    """All that one request led to."""
    there = AuditContent.objects.filter(correlation_id=correlation_id)
    return _looked_up(there, along=Q(content__correlation_id=correlation_id), in_order=True)


@contextmanager
def by_index(*, in_order: bool) -> Iterator[None]:
    """Reads by an index, however common the planner believes a word or a request to be.

    `in_order` reads along it, row by row, and stops when there is enough; an index of words has no order to read along.
    """
    ways = ["enable_seqscan", *(_NOT_IN_ORDER if in_order else [])]
    with transaction.atomic(), connection.cursor() as cursor:
        for way in ways:
            cursor.execute(f"SET LOCAL {way} = off")
        yield
        for way in ways:
            cursor.execute(f"SET LOCAL {way} = on")


def _looked_up(contents: QuerySet[AuditContent], *, along: Any, in_order: bool = False) -> Way:
    """By what is written: looked up where few have it, looked for along the trail where many have."""
    with by_index(in_order=in_order):
        found = list(contents.values_list("pk", flat=True)[: MAX_FOUND + 1])
    if len(found) > MAX_FOUND:
        return Way(along=(along,))
    return Way(Q(event_id__in=found)) if found else Way(_NOWHERE)


def _is_met_often(query: SearchQuery) -> bool:
    newest = list(AuditRecord.objects.order_by("-id").values_list("event_id", flat=True)[:_NEWEST])
    with by_index(in_order=True):
        there = AuditContent.objects.filter(_says("title", query, along=True), record__event_id__in=newest)
        return len(there.values_list("pk", flat=True)[:_OFTEN]) == _OFTEN


def _says(title: str, query: SearchQuery, *, along: bool = False) -> Any:
    """Whose title has the words. `along` the trail each title is read: said so that no index of words can be meant."""
    text = [title, Value("")] if along else [title]
    return SearchVectorExact(SearchVector(*text, config="simple"), query)


def _is_nowhere(condition: Q) -> bool:
    return any(part in _NOWHERE.children or (isinstance(part, Q) and _is_nowhere(part)) for part in condition.children)
