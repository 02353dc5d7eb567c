"""How tasks, lists and tags look over REST, and what a body that makes or changes one may hold."""

from copy import copy
from typing import Any
from urllib.parse import urlencode

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from apps.accounts.serializers import RefusesUnknownFields
from apps.calendar.zones import instant_text
from apps.tasks import schemas, selectors
from apps.tasks.models import MAX_NAME_LENGTH, MAX_TITLE_LENGTH, Tag, Task, TaskList
from apps.tasks.serializers.fields import (
    DueAtField,
    PositionField,
    RecurrenceField,
    RemindersField,
    StatusField,
    TagNamesField,
    WordField,
)
from apps.tasks.values import position_text


class Represented(RefusesUnknownFields):
    """A thing with a version, written out by hand: a list of fifty is read far more often than one is changed."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """A body needs no fields that are only read, and of the others no deep copy: binding one sets its own
        attributes, and nothing changes what these hold.
        """
        if not hasattr(self, "initial_data"):
            return super().get_fields()
        return {name: copy(field) for name, field in self._declared_fields.items() if not field.read_only}

    def get_initial(self) -> dict[str, Any]:
        """A form for something new starts with what it must have, and not with nulls that could not be sent."""
        if hasattr(self, "initial_data"):
            return super().get_initial()
        return {name: "" for name, field in self.fields.items() if field.required and not field.read_only}

    def base_address(self) -> str:
        """Where the API lives, as the caller reaches it; found once a request."""
        context: dict[str, Any] = self.context  # type: ignore[assignment]
        if "base_address" not in context:
            context["base_address"] = reverse("api-root", request=context.get("request"))
        return str(context["base_address"])


class TaskSerializer(Represented):
    """A task. `version` counts its events; `status` moves between pending and in_progress, the rest has verbs."""

    id = serializers.UUIDField(read_only=True)
    url = serializers.URLField(read_only=True)
    title = serializers.CharField(max_length=MAX_TITLE_LENGTH, help_text="One line.")
    description = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Up to 32 KiB.",
        style={"base_template": "textarea.html"},
    )
    status = StatusField(
        choices=Task.Status.choices,
        required=False,
        help_text="Set it to pending or in_progress; complete, reopen, delete and restore lead to and from the others.",
    )
    priority = WordField(choices=Task.Priority.choices, required=False)
    due_at = DueAtField(
        required=False,
        allow_null=True,
        help_text="The instant it is due. Without an offset it is the wall clock's time in `due_time_zone`. "
        "Setting it takes `due_on` away.",
    )
    due_on = serializers.DateField(
        required=False, allow_null=True, help_text="The day it is due, without an hour. Setting it takes `due_at` away."
    )
    due_time_zone = serializers.CharField(
        required=False, allow_null=True, max_length=64, help_text="The IANA time zone of `due_at`; null for your own."
    )
    tags = TagNamesField(
        help_text="Names; one that you have no tag for yet becomes one. Case does not tell tags apart.",
    )
    list = serializers.UUIDField(required=False, allow_null=True, help_text="The list it stands in.")
    parent = serializers.UUIDField(  # type: ignore[assignment]
        required=False, allow_null=True, help_text="The task it is a part of."
    )
    position = PositionField(required=False, help_text="Where it stands among others; between two for in between.")
    recurrence = RecurrenceField(
        required=False,
        allow_null=True,
        help_text="How it repeats: words such as weekly, or an RRULE such as FREQ=WEEKLY;BYDAY=MO. Completing the task "
        "makes the next one. On an occurrence it holds from this one on; null ends the series. Words and an RRULE keep "
        "the month_end and catch_up there were, an object says all.",
    )
    reminders = RemindersField(
        required=False,
        allow_null=True,
        help_text='Such as [{"before_due": "PT30M"}]; [] for none, null for your default. What became '
        "of them is at `tasks/{id}/reminders/`.",
    )
    series_id = serializers.UUIDField(read_only=True, allow_null=True, help_text="The series it belongs to.")
    recurrence_id = serializers.CharField(
        read_only=True, allow_null=True, help_text="Which occurrence of its series; null for the task that opened it."
    )
    version = serializers.IntegerField(read_only=True, min_value=1, help_text="Counts its events.")
    owner = serializers.UUIDField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    completed_at = serializers.DateTimeField(read_only=True, allow_null=True)
    deleted_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="30 days later it is gone for good."
    )
    links = serializers.SerializerMethodField(help_text="Where related things are.")

    @extend_schema_field(schemas.LINKS)
    def get_links(self, task: Task) -> dict[str, str | None]:
        base = self.base_address()
        return {
            "list": f"{base}lists/{task.list_id}/" if task.list_id else None,
            "parent": f"{base}tasks/{task.parent_id}/" if task.parent_id else None,
            "subtasks": f"{base}tasks/?parent={task.pk}",
            "recurrence": f"{base}tasks/{task.pk}/recurrence/",
            "reminders": f"{base}tasks/{task.pk}/reminders/",
            "notifications": f"{base}notifications/?task={task.pk}",
            "audit": f"{base}audit/?task={task.pk}",
        }

    def to_representation(self, task: Task) -> dict[str, Any]:
        return {
            "id": str(task.pk),
            "url": f"{self.base_address()}tasks/{task.pk}/",
            "title": task.title,
            "description": task.description,
            "status": str(task.status),
            "priority": str(task.priority),
            "due_at": instant_text(task.due_at),
            "due_on": task.due_on.isoformat() if task.due_on else None,
            "due_time_zone": task.due_time_zone or None,
            "tags": [tag.name for tag in selectors.tags_on(task)],
            "list": str(task.list_id) if task.list_id else None,
            "parent": str(task.parent_id) if task.parent_id else None,
            "position": position_text(task.position),
            "recurrence": task.recurrence,
            "reminders": task.reminders,
            "series_id": str(task.series_id) if task.series_id else None,
            "recurrence_id": task.recurrence_id or None,
            "version": task.version,
            "owner": str(task.owner_id),
            "created_at": instant_text(task.created_at),
            "updated_at": instant_text(task.updated_at),
            "completed_at": instant_text(task.completed_at),
            "deleted_at": instant_text(task.deleted_at),
            "links": self.get_links(task),
        }


class ListSerializer(Represented):
    """A list: a named place for tasks."""

    id = serializers.UUIDField(read_only=True)
    url = serializers.URLField(read_only=True)
    name = serializers.CharField(max_length=MAX_NAME_LENGTH)
    position = PositionField(required=False, help_text="Where it stands among your lists.")
    version = serializers.IntegerField(read_only=True, min_value=1)
    owner = serializers.UUIDField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    tasks = serializers.URLField(read_only=True, help_text="Where its tasks are.")

    def to_representation(self, one: TaskList) -> dict[str, Any]:
        return {
            "id": str(one.pk),
            "url": f"{self.base_address()}lists/{one.pk}/",
            "name": one.name,
            "position": position_text(one.position),
            "version": one.version,
            "owner": str(one.owner_id),
            "created_at": instant_text(one.created_at),
            "updated_at": instant_text(one.updated_at),
            "tasks": f"{self.base_address()}tasks/?list={one.pk}",
        }


class TagSerializer(Represented):
    """A tag: a word that tasks carry."""

    id = serializers.UUIDField(read_only=True)
    url = serializers.URLField(read_only=True)
    name = serializers.CharField(max_length=MAX_NAME_LENGTH)
    version = serializers.IntegerField(read_only=True, min_value=1)
    owner = serializers.UUIDField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    tasks = serializers.URLField(read_only=True, help_text="Where the tasks that carry it are.")

    def to_representation(self, tag: Tag) -> dict[str, Any]:
        return {
            "id": str(tag.pk),
            "url": f"{self.base_address()}tags/{tag.pk}/",
            "name": tag.name,
            "version": tag.version,
            "owner": str(tag.owner_id),
            "created_at": instant_text(tag.created_at),
            "updated_at": instant_text(tag.updated_at),
            "tasks": f"{self.base_address()}tasks/?{urlencode({'tag': tag.name})}",
        }
