"""The pages of series."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.calendar.walls import parse_wall
from apps.recurrence import selectors
from apps.recurrence.admin.filters import EndedBecauseFilter, StateFilter, found_by
from apps.recurrence.admin.shown import (
    in_words,
    link_to_task,
    on_the_wall,
    sentence_of,
    title_of,
    trail_of,
    wall_in_words,
    zone_of,
)
from apps.recurrence.admin.steering import Steering
from apps.recurrence.models import Series
from apps.recurrence.upcoming import left_out, upcoming
from apps.tasks.admin.base import CappedPaginator, OwnersFirst
from apps.tasks.admin.filters import OwnerFilter
from apps.tasks.models import Task

NEWEST = 10_000
OCCURRENCES_SHOWN = 50
PLANNED_SHOWN = 10
_NARROWS = {"owner", "q"}


class SeriesChangeList(OwnersFirst):
    """Without an owner or a search, filters look at the newest series only: no index has them for all at once."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Series]:
        series: QuerySet[Series] = super().get_queryset(request, exclude_parameters)
        if any(request.GET.get(name) for name in _NARROWS):
            return series
        oldest = Series.objects.order_by("-id").values_list("id", flat=True)[NEWEST - 1 : NEWEST]
        return series.filter(id__gte=next(iter(oldest), UUID(int=0)))


@admin.register(Series)
class SeriesAdmin(Steering):
    list_display = ("short_title", "sentence", "next_date", "short_state", "made", "owner")
    list_display_links = ("short_title",)
    show_facets = admin.ShowFacets.NEVER
    list_filter = (OwnerFilter, StateFilter, EndedBecauseFilter)
    list_max_show_all = 50
    paginator = CappedPaginator
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("id",)
    search_help_text = (
        "Searches whole ids, of a series or of a task in it, and beginnings of owners' names. Without a search or an "
        f"owner, the newest {NEWEST:,} series are looked at."
    )
    change_form_template = "admin/recurrence/series.html"
    fieldsets = (
        (None, {"fields": ("newest", "owner", "sentence", "state", "generated", "planned")}),
        ("Rule", {"fields": ("formatted_recurrence", "starts", "time_zone", "follows_owner", "left_out")}),
        ("Occurrences", {"fields": ("occurrences_table",)}),
        ("Facts", {"fields": ("id", "version", "opener", "created_at", "updated_at", "looks_at", "audit_trail")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(str(name) for _, options in self.fieldsets for name in options["fields"])

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return SeriesChangeList

    def with_all_they_show(self, rows: Iterable[Series]) -> list[Series]:
        return selectors.with_newest_tasks(rows)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Series], search_term: str
    ) -> tuple[QuerySet[Series], bool]:
        return found_by(queryset, search_term), False

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What happened to a series stands in the audit trail."""
        return HttpResponseRedirect(trail_of(unquote(object_id)))

    @admin.display(description="task")
    def short_title(self, series: Series) -> str:
        return title_of(series)

    @admin.display(description="newest task")
    def newest(self, series: Series) -> str | SafeString:
        return link_to_task(selectors.newest_task(series))

    @admin.display(description="opened by")
    def opener(self, series: Series) -> str | SafeString:
        return link_to_task(Task.objects.filter(pk=series.opened_by).first())

    @admin.display(description="repeats")
    def sentence(self, series: Series) -> str:
        return sentence_of(series)

    @admin.display(description="state")
    def short_state(self, series: Series) -> str:
        if series.ended_at is not None:
            return "ended"
        return "paused" if series.paused_at is not None else "goes on"

    @admin.display(description="state")
    def state(self, series: Series) -> str:
        why = f": {series.get_ended_because_display()}" if series.ended_at is not None else ""
        if selectors.is_full(series):
            return f"full: {selectors.MOST_OPEN} of its tasks are open, and the next comes when one of them is done"
        return f"{self.short_state(series)}{why}"

    @admin.display(description="made")
    def made(self, series: Series) -> int:
        return series.last_number

    @admin.display(description="occurrences so far")
    def generated(self, series: Series) -> int:
        return series.last_number

    @admin.display(description="next", empty_value="")
    def next_date(self, series: Series) -> str:
        found = upcoming(series, most=1, now=datetime.now(UTC))
        zone = zone_of(series)
        clock = f" {zone.key}" if found and found[0].due_at else ""
        return f"{on_the_wall(found[0], zone=zone)}{clock}" if found else ""

    @admin.display(description="planned next")
    def planned(self, series: Series) -> str | SafeString:
        if found := upcoming(series, most=PLANNED_SHOWN, now=datetime.now(UTC)):
            listed = format_html_join("", "<li>{}</li>", [(in_words(one),) for one in found])
            return format_html('<ul class="subtasks">{}</ul>', listed)
        waits = series.is_active and series.paused_at is None and series.recurrence["from"] == "completion"
        return "It counts from when the open one is done." if waits else "Nothing."

    @admin.display(description="recurrence")
    def formatted_recurrence(self, series: Series) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(series.recurrence, indent=2, ensure_ascii=False))

    @admin.display(description="left out")
    def left_out(self, series: Series) -> str:
        return ", ".join(in_words(one) for one in left_out(series, now=datetime.now(UTC))) or "Nothing."

    @admin.display(description="start")
    def starts(self, series: Series) -> str:
        return wall_in_words(parse_wall(series.start), zone=zone_of(series))

    @admin.display(description="audit trail")
    def audit_trail(self, series: Series) -> SafeString:
        return format_html('<a href="{}">All that happened to it</a>', trail_of(series.pk))

    @admin.display(description="the newest")
    def occurrences_table(self, series: Series) -> SafeString:
        rows = list(selectors.occurrences_of(series)[:OCCURRENCES_SHOWN])
        tasks = Task.objects.in_bulk([one.task_id for one in rows])
        zone = zone_of(series)
        cells = [
            (one.number, on_the_wall(one, zone=zone), link_to_task(task), task.status if task else "")
            for one, task in [(one, tasks.get(one.task_id)) for one in rows]
        ]
        everything = f"{reverse('admin:recurrence_occurrence_changelist')}?series__id__exact={series.pk}"
        return format_html(
            '<table class="occurrences"><thead><tr><th>No.</th><th>Planned for</th><th>Task</th><th>Status</th></tr>'
            '</thead><tbody>{}</tbody></table><p><a href="{}">As a list</a></p>',
            format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", cells),
            everything,
        )
