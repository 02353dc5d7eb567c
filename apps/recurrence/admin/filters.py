"""What the list of series can be narrowed to, and searched by."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from apps.recurrence.models import Occurrence, Series
from apps.tasks.admin.base import owner_ids
from apps.tasks.admin.filters import whole_id

MAX_WORDS = 4


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("goes_on", "Goes on"), ("paused", "Paused"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Series]) -> QuerySet[Series]:
        conditions = {
            "goes_on": Q(ended_at=None, paused_at=None),
            "paused": Q(ended_at=None, paused_at__isnull=False),
            "ended": Q(ended_at__isnull=False),
        }
        asked = conditions.get(self.value() or "")
        return queryset if asked is None else queryset.filter(asked)


class EndedBecauseFilter(admin.SimpleListFilter):
    title = "why it ended"
    parameter_name = "because"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, f"{told[0].upper()}{told[1:]}") for code, told in Series.Ended.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Series]) -> QuerySet[Series]:
        return queryset.filter(ended_because=self.value()) if self.value() else queryset


def found_by(series: QuerySet[Series], text: str) -> QuerySet[Series]:
    """By a whole id, of the series or of a task in it, or by the beginning of the owner's name."""
    for word in text.split()[:MAX_WORDS]:
        found = Q(owner_id__in=owner_ids(word))
        if (pk := whole_id(word)) is not None:
            of_task = Occurrence.objects.filter(task_id=pk).values_list("series_id", flat=True)
            found |= Q(pk__in=[pk, *of_task])
        series = series.filter(found)
    return series
