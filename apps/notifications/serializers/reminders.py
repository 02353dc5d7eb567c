"""How reminders look over REST, and what a body that asks for one may hold."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.accounts.serializers import RefusesUnknownFields
from apps.calendar import zones
from apps.calendar.zones import instant_text
from apps.notifications.models import Reminder
from apps.notifications.selectors.asked_reminders import ASKED, AskedReminder
from apps.notifications.serializers.links import links
from apps.tasks import due as dues
from apps.tasks.serializers.fields import DueAtField
from apps.tasks.serializers.things import Represented

_LINKS = links("task", "why", "snooze", "notifications", "audit")


class NewReminderSerializer(RefusesUnknownFields):
    """When: an instant, or so long before due."""

    trigger_at = DueAtField(
        required=False,
        allow_null=True,
        help_text="The instant, with its offset: 2030-05-03T09:00:00+02:00. Without one it is your wall clock's.",
    )
    before_due = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=64,
        help_text="An ISO 8601 duration before due, such as PT30M or P1D; PT0S is with due. A day counts from 09:00.",
    )

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in asked.items() if value not in (None, "")}
        if len(given) != 1:
            raise serializers.ValidationError(
                'Give either {"trigger_at": instant} or {"before_due": duration}, such as {"before_due": "PT30M"}.'
            )
        if "trigger_at" in given:
            context: dict[str, Any] = self.context  # type: ignore[assignment]
            zone = zones.zone(context["request"].user.time_zone)
            given["trigger_at"] = dues.placed(given["trigger_at"], zone, field="trigger_at")
        return given

    def to_representation(self, reminder: Any) -> dict[str, Any]:
        """As a form starts with it."""
        if reminder.before_due:
            return {"trigger_at": None, "before_due": reminder.before_due}
        return {"trigger_at": instant_text(reminder.trigger_at), "before_due": ""}


class TaskTitleSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    url = serializers.URLField()
    title = serializers.CharField()


class ReminderSerializer(Represented):
    """An instant at which you are told of a task. `version` counts its events."""

    id = serializers.UUIDField(read_only=True)
    url = serializers.URLField(read_only=True)
    task = TaskTitleSerializer(read_only=True)
    status = serializers.ChoiceField(
        choices=[ASKED, *Reminder.Status.values],
        read_only=True,
        help_text="asked: what sends reminders has not heard of it yet. planned and snoozed ones wait. After it was "
        "triggered it is delivered by the first transport that got through, failed when none did.",
    )
    origin = serializers.ChoiceField(
        choices=Reminder.Origin.choices,
        read_only=True,
        help_text="asked for with the task, your default, or a notification that was snoozed.",
    )
    before_due = serializers.CharField(read_only=True, allow_null=True, help_text="Null: it is at an instant.")
    planned_for = serializers.DateTimeField(read_only=True, help_text="When the task asks for it.")
    trigger_at = serializers.DateTimeField(read_only=True, help_text="The same, or later when it was snoozed.")
    because = serializers.CharField(
        read_only=True, allow_null=True, help_text="Why it is cancelled or stale: completed, deleted, removed, …"
    )
    why_not = serializers.CharField(read_only=True, allow_null=True, help_text="The same in words.")
    triggers = serializers.IntegerField(read_only=True, help_text="How often it was triggered.")
    triggered_at = serializers.DateTimeField(read_only=True, allow_null=True)
    version = serializers.IntegerField(read_only=True, min_value=0, help_text="0 while it is asked.")
    created_at = serializers.DateTimeField(read_only=True, allow_null=True)
    updated_at = serializers.DateTimeField(read_only=True, allow_null=True)
    links = serializers.SerializerMethodField(help_text="Where related things are.")

    @extend_schema_field(_LINKS)
    def get_links(self, reminder: Reminder | AskedReminder) -> dict[str, str]:
        base = self.base_address()
        here = f"{base}reminders/{reminder.pk}/"
        return {
            "task": f"{base}tasks/{reminder.task_id}/",
            "why": f"{here}why/",
            "snooze": f"{here}snooze/",
            "notifications": f"{base}notifications/?task={reminder.task_id}",
            "audit": f"{base}audit/?subject={reminder.pk}",
        }

    def to_representation(self, reminder: Reminder | AskedReminder) -> dict[str, Any]:
        base = self.base_address()
        because = reminder.because
        return {
            "id": str(reminder.pk),
            "url": f"{base}reminders/{reminder.pk}/",
            "task": {
                "id": str(reminder.task_id),
                "url": f"{base}tasks/{reminder.task_id}/",
                "title": reminder.task.title,
            },
            "status": str(reminder.status),
            "origin": str(reminder.origin),
            "before_due": reminder.before_due or None,
            "planned_for": instant_text(reminder.planned_for),
            "trigger_at": instant_text(reminder.trigger_at),
            "because": because or None,
            "why_not": _sentence(Reminder.Because(because).label) if because else None,
            "triggers": reminder.triggers,
            "triggered_at": instant_text(reminder.triggered_at),
            "version": reminder.version,
            "created_at": instant_text(reminder.created_at),
            "updated_at": instant_text(reminder.updated_at),
            "links": self.get_links(reminder),
        }


class TaskRemindersSerializer(serializers.Serializer[Any]):
    """The reminders of a task: those it asks for, and what became of those before."""

    task = serializers.UUIDField()
    asked = serializers.ChoiceField(
        choices=["default", "own", "none"],
        help_text="Whether the task asks for your default, for its own, or for none.",
    )
    version = serializers.IntegerField(help_text="The task's.")
    results = ReminderSerializer(many=True, help_text="By their instants; of those that are over, the newest 50.")


def _sentence(told: Any) -> str:
    text = str(told)
    return f"{text[0].upper()}{text[1:]}."
