"""What the admin's lists can be narrowed to, and searched by. Every condition here has an index or a bound."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.postgres.search import SearchQuery
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from apps.accounts.models import User
from apps.tasks import selectors, values
from apps.tasks.admin.base import owner_ids
from apps.tasks.models import NO_DUE, Tag, Task, TaskList

MAX_WORDS = 8
# So many lists or tags of one name are looked into; where more people have one, an owner must be named.
MAX_NAMESAKES = 200
_SHORTEST_WITH_TRIGRAM = 3


class TypedFilter(admin.SimpleListFilter):
    """A filter whose value is typed in: its choices would be as many as there are people."""

    template = "admin/tasks/typed_filter.html"
    told = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [("", self.told)]

    def choices(self, changelist: Any) -> Iterator[Any]:
        others = {name: value for name, value in changelist.params.items() if name not in {self.parameter_name, "p"}}
        yield {
            "name": self.parameter_name,
            "value": self.value() or "",
            "told": self.told,
            "others": others | ({"q": changelist.query} if changelist.query else {}),
            "without": changelist.get_query_string(remove=[self.parameter_name]),
        }


class OwnerFilter(TypedFilter):
    title = "owner"
    parameter_name = "owner"
    told = "A username"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(owner_id__in=_owner_named(self.value())) if self.value() else queryset


class ListFilter(TypedFilter):
    title = "list"
    parameter_name = "list"
    told = "A name, an id, or none"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        value = self.value()
        if not value:
            return queryset
        if value == "none":
            return queryset.filter(list=None)
        named = Q(pk=whole_id(value)) if whole_id(value) else Q(name__iexact=value)
        return queryset.filter(list_id__in=_namesakes(request, TaskList.objects.filter(named)))


class TagFilter(TypedFilter):
    title = "tag"
    parameter_name = "tag"
    told = "A name"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        if not self.value():
            return queryset
        tags = Tag.objects.filter(folded_name=values.folded(str(self.value())))
        return queryset.filter(tag_ids__overlap=_namesakes(request, tags))


class DueFilter(admin.SimpleListFilter):
    title = "due (days of UTC)"
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("overdue", "Overdue"), ("today", "Today"), ("none", "None"), ("repeats", "Repeats")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        now = datetime.now(UTC)
        today, midnight = now.date(), now.replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow = midnight + timedelta(days=1)
        is_open = Q(status__in=selectors.OPEN)
        conditions = {
            "overdue": is_open & Q(due_order_at__lt=tomorrow) & (Q(due_at__lt=now) | Q(due_on__lt=today)),
            # A day without an hour is kept as the midnight it ends at.
            "today": Q(due_order_at__gte=midnight, due_order_at__lte=tomorrow)
            & (Q(due_at__gte=midnight, due_at__lt=tomorrow) | Q(due_on=today)),
            "none": Q(due_order_at=NO_DUE),
            "repeats": Q(recurrence__isnull=False),
        }
        asked = conditions.get(self.value() or "")
        return queryset if asked is None else queryset.filter(asked)


def by_words(things: QuerySet[Any], text: str, condition: Callable[[str], Q]) -> QuerySet[Any]:
    """Things of which every word tells: by `condition`, by the beginning of the owner's name, or by the whole id."""
    for word in text.split()[:MAX_WORDS]:
        found = condition(word) | Q(owner_id__in=owner_ids(word))
        if (pk := whole_id(word)) is not None:
            found |= Q(pk=pk)
        things = things.filter(found)
    return newest_of_found(things) if text.strip() else things


def newest_of_found(things: QuerySet[Any]) -> QuerySet[Any]:
    """Newest first, but found before they are sorted.

    The planner takes a condition on text for more common than it is, and would walk down the primary key until it
    has a page full: for a rare word through the whole table. An expression it cannot walk.
    """
    return things.order_by(Coalesce("id", "id").desc())


def in_text(word: str) -> Q:
    """Where a task says a word: at the start of a word of title or description, or anywhere in the title."""
    found = Q(pk__in=[])
    if words := re.findall(r"[^\W_]+", word):
        prefixes = " & ".join(f"{each}:*" for each in words)
        found |= Q(search=SearchQuery(prefixes, search_type="raw", config="simple"))
    if len(word) >= _SHORTEST_WITH_TRIGRAM:
        found |= Q(title_order__contains=word.lower())
    return found


def in_name(lookup: str, word: str) -> Q:
    """Where a name has a word: anywhere, or at its start when the word has no trigram inside."""
    return Q(**{f"{lookup}{'contains' if len(word) >= _SHORTEST_WITH_TRIGRAM else 'startswith'}": word})


def whole_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _owner_named(name: Any) -> list[Any]:
    pk = whole_id(name)
    found = User.objects.filter(pk=pk) if pk else User.objects.filter(username=name)
    return list(found.values_list("pk", flat=True))


def _namesakes(request: HttpRequest, things: QuerySet[Any]) -> list[Any]:
    if owner := request.GET.get("owner"):
        things = things.filter(owner_id__in=_owner_named(owner))
    found = list(things.order_by("pk").values_list("pk", flat=True)[: MAX_NAMESAKES + 1])
    if len(found) > MAX_NAMESAKES:
        told = f"More than {MAX_NAMESAKES} people have one of that name; name an owner to see all of theirs."
        messages.warning(request, told)
    return found[:MAX_NAMESAKES]
