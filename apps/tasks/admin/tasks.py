"""Tasks in the admin."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from apps.calendar import zones
from apps.tasks import selectors, services
from apps.tasks.admin.base import REFUSALS, EventedAdmin, OwnersFirst, acting
from apps.tasks.admin.fields import RecurrenceField, RemindersField
from apps.tasks.admin.filters import DueFilter, ListFilter, OwnerFilter, TagFilter, by_words, in_text, newest_of_found
from apps.tasks.admin.forms import TaskForm
from apps.tasks.models import Task

TITLE_SHOWN = 80
NEWEST = 10_000
MAX_AT_ONCE = 500
MAX_SUBTASKS_SHOWN = 100
# With one of these the page is about few tasks, found by an index.
_NARROWS = {"owner", "list", "tag", "q", "parent__id__exact"}


class TaskChangeList(OwnersFirst):
    """Without a narrower choice, filters look at the newest tasks only: no index has them for all people at once."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Task]:
        tasks: QuerySet[Task] = super().get_queryset(request, exclude_parameters)
        if any(request.GET.get(name) not in {None, "", "none"} for name in _NARROWS):
            return newest_of_found(tasks) if request.GET.get("tag") else tasks
        # The id itself, not a subquery: the planner then knows how few they are.
        oldest = Task.objects.order_by("-id").values_list("id", flat=True)[NEWEST - 1 : NEWEST]
        return tasks.filter(id__gte=next(iter(oldest), UUID(int=0)))


@admin.register(Task)
class TaskAdmin(EventedAdmin):
    form = TaskForm
    list_display = ("short_title", "owner", "status", "priority", "due", "list_name", "tag_names", "updated_at")
    list_display_links = ("short_title",)
    list_filter = (OwnerFilter, ListFilter, TagFilter, DueFilter, "status", "priority")
    shown_with = ("owner", "list")
    search_fields = ("title",)
    search_help_text = (
        "Searches beginnings of words in titles and descriptions, anything in titles, beginnings of owners' names, and "
        f"whole ids. Without a search, an owner, a list or a tag, the newest {NEWEST:,} tasks are looked at."
    )
    fieldsets = (
        (None, {"fields": ("owner", "title", "description", "status", "priority", "seen_version")}),
        ("Due", {"fields": ("due_at", "due_time_zone", "due_on")}),
        ("Where it stands", {"fields": ("list", "parent", "tag_names", "position")}),
        ("Recurrence and reminders", {"fields": ("recurrence_text", "reminders_text")}),
    )
    facts = (
        *EventedAdmin.facts,
        *("subtasks", "completed_at", "deleted_at", "series", "recurrence_id"),
    )
    actions = ("complete", "reopen", "restore", "put_away")
    delete_confirmation_template = "admin/tasks/delete_task.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        tasks: QuerySet[Task] = super().get_queryset(request)
        return tasks.defer("search", "description") if _is_list(request) else tasks

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[TaskChangeList]:
        return TaskChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        return by_words(queryset, search_term, in_text), False

    def with_all_they_show(self, rows: Iterable[Task]) -> list[Task]:
        return selectors.with_tags(super().with_all_they_show(rows))

    def has_change_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.status != Task.Status.DELETED)

    def has_delete_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or obj.status != Task.Status.DELETED)

    def created(self, request: HttpRequest, form: Any) -> Task:
        asked = {"title": form.cleaned_data["title"], **form.changes()}
        return services.create_task(owner=form.cleaned_data["owner"], **asked, **acting(request))

    def changed(self, request: HttpRequest, obj: Task, form: Any) -> Task:
        return services.update_task(
            task_id=obj.pk, changes=form.changes(), expected_version=form.expected_version, **acting(request)
        )

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        return [str(one) for one in objs], {"task": len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Task) -> None:
        services.delete_task(task_id=obj.pk, series=_series(request), **acting(request))

    # --- what is shown ---

    @admin.display(description="title")
    def short_title(self, task: Task) -> str:
        return Truncator(task.title).chars(TITLE_SHOWN)

    @admin.display(description="due", empty_value="")
    def due(self, task: Task) -> str:
        repeats = " ↻" if task.recurrence else ""
        if task.due_on:
            return f"{task.due_on}{repeats}"
        if task.due_at is None:
            return repeats
        zone = task.due_time_zone or task.owner.time_zone
        return f"{task.due_at.astimezone(zones.zone(zone)):%Y-%m-%d %H:%M} {zone}{repeats}"

    @admin.display(description="list", empty_value="")
    def list_name(self, task: Task) -> str:
        return task.list.name if task.list else ""

    @admin.display(description="tags", empty_value="")
    def tag_names(self, task: Task) -> str:
        return ", ".join(tag.name for tag in selectors.tags_on(task))

    @admin.display(description="recurrence")
    def recurrence_text(self, task: Task) -> str:
        return RecurrenceField.text(task.recurrence)

    @admin.display(description="reminders")
    def reminders_text(self, task: Task) -> str:
        return RemindersField.text(task.reminders)

    @admin.display(description="subtasks")
    def subtasks(self, task: Task) -> str | SafeString:
        below = list(Task.objects.filter(parent=task).order_by("position", "id")[: MAX_SUBTASKS_SHOWN + 1])
        if not below:
            return "None."
        rows = [
            (reverse("admin:tasks_task_change", args=[one.pk]), Truncator(one.title).chars(TITLE_SHOWN), one.status)
            for one in below[:MAX_SUBTASKS_SHOWN]
        ]
        everything = format_html(
            '<a href="{}?parent__id__exact={}">As a list</a>', reverse("admin:tasks_task_changelist"), task.pk
        )
        shown = format_html_join("", '<li><a href="{}">{}</a> ({})</li>', rows)
        return format_html('<ul class="subtasks">{}<li>{}</li></ul>', shown, everything)

    @admin.display(description="series")
    def series(self, task: Task) -> str | SafeString:
        """Recurrence knows tasks and not the other way round: its page goes by its name. One has just been opened, or
        is gone, as like as not; the page then says so.
        """
        if task.series_id is None:
            return "None."
        address = reverse("admin:recurrence_series_change", args=[task.series_id])
        return format_html('<a href="{}">{}</a>', address, task.series_id)

    # --- what is done to many ---

    @admin.action(description="Complete selected tasks, and their open subtasks", permissions=["change"])
    def complete(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self._each(request, queryset, services.complete_task, "completed")

    @admin.action(description="Reopen selected tasks", permissions=["change"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self._each(request, queryset, services.reopen_task, "reopened")

    @admin.action(description="Restore selected tasks", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self._each(request, queryset, services.restore_task, "restored")

    @admin.action(description="Delete selected tasks (they can be restored)", permissions=["delete"])
    def put_away(self, request: HttpRequest, queryset: QuerySet[Task]) -> HttpResponse | None:
        chosen = list(queryset.order_by("pk")[: MAX_AT_ONCE + 1])
        if request.POST.get("confirmed") == "yes" or len(chosen) > MAX_AT_ONCE:
            self._each(request, queryset, partial(services.delete_task, series=_series(request)), "deleted")
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Delete tasks",
            "opts": self.opts,
            "tasks": chosen,
            "repeat": any(task.recurrence and not task.completed_at for task in chosen),
            "checkbox": ACTION_CHECKBOX_NAME,
            "action": "put_away",
            "title_shown": TITLE_SHOWN,
        }
        return TemplateResponse(request, "admin/tasks/confirm_put_away.html", context)

    def _each(self, request: HttpRequest, tasks: QuerySet[Task], service: Callable[..., Task], done: str) -> None:
        chosen = list(tasks.order_by("pk")[: MAX_AT_ONCE + 1])
        if len(chosen) > MAX_AT_ONCE:
            self.message_user(request, f"At most {MAX_AT_ONCE} at once: nothing was {done}.", messages.ERROR)
            return
        count = 0
        for task in chosen:
            try:
                service(task_id=task.pk, **acting(request))
                count += 1
            except REFUSALS as reason:
                self.message_user(request, f"{self.short_title(task)}: {reason}", messages.WARNING)
        self.message_user(request, f"{count} {done}.", messages.SUCCESS if count else messages.WARNING)


def _series(request: HttpRequest) -> services.SeriesOfDeleted:
    """What was chosen beside the button; nothing was where nothing repeats."""
    return "continues" if request.POST.get("series") == "continues" else "ends"


def _is_list(request: HttpRequest) -> bool:
    return request.resolver_match is not None and request.resolver_match.url_name == "tasks_task_changelist"
