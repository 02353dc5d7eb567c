"""The pages of occurrences: which task stands for which date of a series."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.events.read_only import ReadOnly
from apps.recurrence.admin.shown import link_to_task, on_the_wall, zone_of
from apps.recurrence.models import Occurrence
from apps.tasks import selectors as task_selectors
from apps.tasks.admin.base import CappedPaginator, OwnersFirst
from apps.tasks.admin.filters import whole_id


@admin.register(Occurrence)
class OccurrenceAdmin(ReadOnly):
    list_display = ("number", "task", "planned_for", "recurrence_id", "of_series", "created_at")
    paginator = CappedPaginator
    list_max_show_all = 50
    list_select_related = ("series",)
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("task_id",)
    search_help_text = "Searches the whole id of a task or a series."
    fields = ("of_series", "number", "recurrence_id", "planned_for", "task", "only_here", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup == "series__id__exact" or super().lookup_allowed(lookup, value, request)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return OwnersFirst

    def with_all_they_show(self, rows: Iterable[Occurrence]) -> list[Occurrence]:
        """Their tasks, read at once."""
        rows = list(rows)
        known = task_selectors.in_bulk([one.task_id for one in rows])
        for one in rows:
            one.__dict__["_known_tasks"] = known
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Occurrence], search_term: str
    ) -> tuple[QuerySet[Occurrence], bool]:
        for word in search_term.split()[:1]:
            pk = whole_id(word)
            of_task = queryset.filter(task_id=pk) if pk else queryset.none()
            queryset = of_task if of_task.exists() else queryset.filter(series_id=pk) if pk else queryset.none()
        return queryset, False

    @admin.display(description="planned for")
    def planned_for(self, occurrence: Occurrence) -> str:
        return on_the_wall(occurrence, zone=zone_of(occurrence.series))

    @admin.display(description="series")
    def of_series(self, occurrence: Occurrence) -> SafeString:
        address = reverse("admin:recurrence_series_change", args=[occurrence.series_id])
        return format_html('<a href="{}">{}</a>', address, occurrence.series_id)

    @admin.display(description="task")
    def task(self, occurrence: Occurrence) -> str | SafeString:
        known = occurrence.__dict__.get("_known_tasks")
        return link_to_task(
            (task_selectors.in_bulk([occurrence.task_id]) if known is None else known).get(occurrence.task_id)
        )
