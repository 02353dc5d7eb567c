"""The form of a task: every field that can be set, as the services take it."""

from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import ForeignKeyRawIdWidget
from django.db.models import Model

from apps.accounts.models import User
from apps.calendar import zones
from apps.calendar.errors import CalendarError
from apps.tasks import selectors, values
from apps.tasks.admin.base import EventedForm
from apps.tasks.admin.fields import PositionField, RecurrenceField, RemindersField, TagNamesField, WallClockField
from apps.tasks.models import MAX_DESCRIPTION_BYTES, Task, TaskList

_DUE = {"due_at", "due_on", "due_time_zone"}
_JSON: dict[str, type[RecurrenceField | RemindersField]] = {
    "recurrence_text": RecurrenceField,
    "reminders_text": RemindersField,
}


class OwnersOwnWidget(ForeignKeyRawIdWidget):
    """An id, with a window to look it up among what is the owner's."""

    owner: User | None = None

    def url_parameters(self) -> dict[str, str]:
        parameters: dict[str, str] = super().url_parameters()
        return parameters | ({"owner": self.owner.username} if self.owner else {})


class TaskForm(EventedForm):
    """Offers only the statuses that need no verb; the list's actions are the verbs.

    Times are those of the wall clock in the task's zone. What was not typed over is not asked for.
    """

    due_at = WallClockField(required=False, label="Due at")
    due_time_zone = forms.CharField(
        required=False, max_length=64, label="Due time zone", help_text="An IANA name; empty is the owner's own zone."
    )
    tag_names = TagNamesField(label="Tags")
    position = PositionField()
    recurrence_text = RecurrenceField()
    reminders_text = RemindersField()

    names: ClassVar = {"tags": "tag_names", "recurrence": "recurrence_text", "reminders": "reminders_text"}
    settable = frozenset({"title", "description", "status", "priority", "position"})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        task: Task = self.instance
        adding = task._state.adding  # noqa: SLF001 - its documented API
        owner = self._chosen_owner() if adding else task.owner
        self._offer_statuses(task.status)
        self._offer("list", TaskList, selectors.lists_of(owner=owner) if owner else TaskList.objects.none(), owner)
        self._offer("parent", Task, selectors.tasks_of(owner=owner) if owner else Task.objects.none(), owner)
        self._say_zone(task, owner)
        if not adding:
            self.initial.update(
                {
                    "due_at": self._on_the_wall(task),
                    "tag_names": TagNamesField.text(tag.name for tag in selectors.tags_on(task)),
                    "recurrence_text": RecurrenceField.text(task.recurrence),
                    "reminders_text": RemindersField.text(task.reminders),
                }
            )

    def clean_description(self) -> str:
        description: str = self.cleaned_data["description"]
        if len(description.encode()) > MAX_DESCRIPTION_BYTES:
            raise forms.ValidationError(f"A description has at most {MAX_DESCRIPTION_BYTES:,} bytes.")
        return description

    def clean_recurrence_text(self) -> str:
        return self._readable("recurrence_text")

    def clean_reminders_text(self) -> str:
        return self._readable("reminders_text")

    def changes(self) -> dict[str, Any]:
        asked = super().changes()
        for field in {"list", "parent"}.intersection(self.changed_data):
            chosen: Model | None = self.cleaned_data[field]
            asked[field] = chosen.pk if chosen else None
        if "tag_names" in self.changed_data:
            asked["tags"] = TagNamesField.names(self.cleaned_data["tag_names"])
        for field in _JSON.keys() & set(self.changed_data):
            asked[field.removesuffix("_text")] = _JSON[field].asked(self.cleaned_data[field])
        return asked | self._due()

    def _due(self) -> dict[str, Any]:
        """All of the due when any of it was typed over: what is left in the form is meant as well."""
        touched = _DUE.intersection(self.changed_data)
        if not touched:
            return {}
        at, zone = self.cleaned_data["due_at"], self.cleaned_data["due_time_zone"] or None
        if at is not None and touched == {"due_on"}:
            at = self.instance.due_at  # to the microsecond, which the form does not show
        if at is None and "due_time_zone" not in touched:
            zone = None
        return {"due_at": at, "due_on": self.cleaned_data["due_on"], "due_time_zone": zone}

    def _readable(self, field: str) -> str:
        text: str = self.cleaned_data[field]
        _JSON[field].asked(text)
        return text

    def _chosen_owner(self) -> User | None:
        chosen: Any = self.data.get("owner") or self.initial.get("owner")
        try:
            return User.objects.filter(pk=chosen).first() if chosen else None
        except (ValueError, forms.ValidationError):
            return None  # no id at all

    def _offer_statuses(self, now: str) -> None:
        if "status" not in self.fields:
            return
        offered = {now} if now in values.VERB_OF_STATUS else {Task.Status.PENDING, Task.Status.IN_PROGRESS}
        choices = [choice for choice in Task.Status.choices if choice[0] in offered]
        self.fields["status"].choices = choices  # type: ignore[attr-defined]

    def _offer(self, name: str, model: type[Model], offered: Any, owner: User | None) -> None:
        if name not in self.fields:
            return
        field: Any = self.fields[name]
        field.queryset = offered
        field.error_messages["invalid_choice"] = f"The owner has no {model._meta.verbose_name} of this id."  # noqa: SLF001
        relation: Any = Task._meta.get_field(name).remote_field  # noqa: SLF001
        widget = OwnersOwnWidget(relation, admin.site)
        widget.owner = owner
        if name == "parent" or owner is None:
            field.widget = widget
        else:
            field.widget.can_delete_related = False  # beside a task it is too easily taken for "out of the list"

    def _say_zone(self, task: Task, owner: User | None) -> None:
        if "due_at" not in self.fields:
            return
        where = task.due_time_zone or (owner.time_zone if owner else "the owner's time zone")
        self.fields["due_at"].help_text = f"The wall clock's time in {where}."

    @staticmethod
    def _on_the_wall(task: Task) -> Any:
        if task.due_at is None:
            return None
        try:
            zone = zones.zone(task.due_time_zone or task.owner.time_zone)
        except CalendarError:
            zone = ZoneInfo("UTC")
        return task.due_at.astimezone(zone).replace(tzinfo=None)
