"""Lists in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.tasks import services
from apps.tasks.admin.base import EventedAdmin, EventedForm, acting
from apps.tasks.admin.fields import PositionField
from apps.tasks.admin.filters import OwnerFilter, by_words, in_name
from apps.tasks.models import TaskList


class ListForm(EventedForm):
    position = PositionField()
    settable = frozenset({"name", "position"})


@admin.register(TaskList)
class TaskListAdmin(EventedAdmin):
    form = ListForm
    list_display = ("name", "owner", "its_tasks", "version", "updated_at")
    list_filter = (OwnerFilter,)
    search_fields = ("name",)
    search_help_text = "Searches names, the beginnings of owners' names, and whole ids."
    fields = ("owner", "name", "position", "seen_version")
    facts = (*EventedAdmin.facts, "its_tasks")
    delete_confirmation_template = "admin/tasks/delete_list.html"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[TaskList], search_term: str
    ) -> tuple[QuerySet[TaskList], bool]:
        found = by_words(queryset, search_term, lambda word: in_name("name__i", word))
        return found, False

    def created(self, request: HttpRequest, form: Any) -> TaskList:
        return services.create_list(
            owner=form.cleaned_data["owner"],
            name=form.cleaned_data["name"],
            position=form.cleaned_data["position"],
            **acting(request),
        )

    def changed(self, request: HttpRequest, obj: TaskList, form: Any) -> TaskList:
        return services.update_list(
            list_id=obj.pk, changes=form.changes(), expected_version=form.expected_version, **acting(request)
        )

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        return [str(one) for one in objs], {"list": len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: TaskList) -> None:
        tasks = "delete" if request.POST.get("tasks") == "delete" else "keep"
        services.delete_list(list_id=obj.pk, tasks=tasks, **acting(request))  # type: ignore[arg-type]

    def where_its_tasks_are(self, thing: TaskList) -> dict[str, str]:
        return {"list": str(thing.pk)}
