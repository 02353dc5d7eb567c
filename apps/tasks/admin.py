"""Tasks in the admin: every save goes through the services, so every change is an event."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from apps.events.errors import EventTooLarge
from apps.tasks import services, values
from apps.tasks.exceptions import TaskRefused
from apps.tasks.models import MAX_DESCRIPTION_BYTES, Task
from apps.tasks.services.fields import SETTABLE


class TaskForm(forms.ModelForm):
    """Offers only the statuses that need no verb; the list's actions are the verbs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "status" in self.fields:
            now = self.instance.status
            offered = {now} if now in values.VERB_OF_STATUS else {Task.Status.PENDING, Task.Status.IN_PROGRESS}
            self.fields["status"].choices = [  # type: ignore[attr-defined]
                choice for choice in Task.Status.choices if choice[0] in offered
            ]

    def clean_description(self) -> str:
        description: str = self.cleaned_data["description"]
        if len(description.encode()) > MAX_DESCRIPTION_BYTES:
            raise forms.ValidationError(f"A description has at most {MAX_DESCRIPTION_BYTES:,} bytes.")
        return description


@admin.register(Task)
class TaskAdmin(admin.ModelAdmin):
    form = TaskForm
    list_display = ("title", "owner", "status", "priority", "due_at", "version", "updated_at")
    list_filter = ("status", "priority")
    search_fields = ("title", "description", "owner__username")
    search_help_text = "Searches titles, descriptions and owners' names."
    list_select_related = ("owner",)
    fields = ("owner", "title", "description", "status", "priority", "due_at")
    actions = ("complete", "reopen", "restore", "put_away")
    ordering = ("-id",)

    def get_readonly_fields(self, request: HttpRequest, obj: Task | None = None) -> tuple[str, ...]:
        return ("owner", "id", "version", "created_at", "updated_at", "completed_at") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Task | None = None) -> Any:
        facts = ("id", "version", "created_at", "updated_at", "completed_at") if obj else ()
        return (*self.fields, *facts)

    def has_change_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.status != Task.Status.DELETED)

    def has_delete_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or obj.status != Task.Status.DELETED)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except (TaskRefused, EventTooLarge) as reason:  # what the form could not know
            self.message_user(request, str(reason), messages.ERROR)
            return HttpResponseRedirect(request.path)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except TaskRefused as reason:
            self.message_user(request, str(reason), messages.ERROR)
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Task, form: Any, change: bool) -> None:
        now = datetime.now(UTC)
        values = {field: form.cleaned_data[field] for field in form.changed_data if field in SETTABLE}
        if change:
            saved = services.update_task(task_id=obj.pk, actor=request.user, changes=values, now=now)  # type: ignore[arg-type]
        else:
            saved = services.create_task(
                owner=form.cleaned_data["owner"],
                actor=request.user,  # type: ignore[arg-type]
                now=now,
                **{"title": form.cleaned_data["title"], **values},
            )
        obj.__dict__.update(saved.__dict__)

    def delete_model(self, request: HttpRequest, obj: Task) -> None:
        services.delete_task(task_id=obj.pk, actor=request.user, now=datetime.now(UTC))  # type: ignore[arg-type]

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # it would delete the rows; `put_away` is its counterpart
        return actions if self.has_change_permission(request) else {}

    @admin.action(description="Complete selected tasks")
    def complete(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self._each(request, queryset, services.complete_task, "completed")

    @admin.action(description="Reopen selected tasks")
    def reopen(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self._each(request, queryset, services.reopen_task, "reopened")

    @admin.action(description="Restore selected tasks")
    def restore(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self._each(request, queryset, services.restore_task, "restored")

    @admin.action(description="Delete selected tasks (they can be restored)")
    def put_away(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self._each(request, queryset, services.delete_task, "deleted")

    def _each(self, request: HttpRequest, tasks: QuerySet[Task], service: Any, done: str) -> None:
        count = 0
        for task in tasks.order_by("pk"):
            try:
                service(task_id=task.pk, actor=request.user, now=datetime.now(UTC))
                count += 1
            except TaskRefused as reason:
                self.message_user(request, f"{task}: {reason}", messages.WARNING)
        self.message_user(request, f"{count} {done}.", messages.SUCCESS if count else messages.WARNING)
