"""What a list of series can be narrowed to."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters

from apps.recurrence.models import Series
from apps.tasks.filters import YesOrNo


class SeriesFilter(filters.FilterSet):
    is_active = YesOrNo(method="that_go_on", help_text="Series that have not ended, or that have.")
    is_paused = YesOrNo(method="that_are_paused", help_text="Series that are paused, or that are not.")

    class Meta:
        model = Series
        fields: list[str] = []

    def that_go_on(self, series: QuerySet[Series], name: str, value: bool) -> Any:
        return series.filter(ended_at__isnull=value)

    def that_are_paused(self, series: QuerySet[Series], name: str, value: bool) -> Any:
        return series.filter(paused_at__isnull=not value)
