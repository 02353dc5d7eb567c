"""How notifications look over REST."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.accounts.serializers import RefusesUnknownFields
from apps.calendar.zones import instant_text
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, Notification
from apps.notifications.selectors import inbox
from apps.notifications.selectors.shown_deliveries import Shown, shown_deliveries
from apps.notifications.serializers.links import links
from apps.tasks.serializers.things import Represented

_LINKS = links("why", "snooze", maybe=("task", "reminder"))


class DeliveryInShortSerializer(serializers.Serializer[Any]):
    """What went out, or is to go out, through one transport to one destination."""

    id = serializers.UUIDField(help_text="The idempotency key of every attempt.")
    transport = serializers.CharField(help_text="email, push, webhook.")
    destination = serializers.CharField(help_text="What the endpoint or browser is called; your address of an e-mail.")
    status = serializers.ChoiceField(choices=Delivery.Status.choices)
    attempts = serializers.IntegerField(help_text="How many there were.")
    send_at = serializers.DateTimeField(help_text="Not before then; of one that waits, the next attempt.")
    finished_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(allow_null=True, help_text="What the last attempt met.")
    because = serializers.CharField(allow_null=True, help_text="Of one that was dropped or is held: why.")


class TaskInShortSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    url = serializers.URLField()


class NotificationSerializer(Represented):
    """One thing that you were told. `version` counts its events."""

    id = serializers.UUIDField(read_only=True)
    url = serializers.URLField(read_only=True)
    kind = serializers.ChoiceField(choices=Kind.choices, read_only=True)
    status = serializers.ChoiceField(choices=Notification.Status.choices, read_only=True)
    title = serializers.CharField(read_only=True)
    text = serializers.CharField(read_only=True)
    task = TaskInShortSerializer(read_only=True, allow_null=True)
    reminder = serializers.UUIDField(read_only=True, allow_null=True)
    urgent = serializers.BooleanField(read_only=True)
    quiet = serializers.BooleanField(read_only=True, help_text="Made in quiet hours: no screen pops up.")
    in_inbox = serializers.BooleanField(read_only=True, help_text="False of one that only went out.")
    due_at = serializers.DateTimeField(read_only=True, allow_null=True)
    due_on = serializers.DateField(read_only=True, allow_null=True)
    about_at = serializers.DateTimeField(read_only=True, help_text="The instant it is for.")
    late_seconds = serializers.FloatField(read_only=True, help_text="How long after that it was made.")
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    read_at = serializers.DateTimeField(read_only=True, allow_null=True)
    snoozed_until = serializers.DateTimeField(read_only=True, allow_null=True)
    because = serializers.CharField(read_only=True, allow_null=True, help_text="Of one that is done: why.")
    delivery = serializers.ChoiceField(
        choices=inbox.OUTCOMES,
        read_only=True,
        allow_null=True,
        help_text="How it went out as a whole, the first of these that one of its deliveries is: failed, waiting, "
        "sent, held, dropped (nothing went out: nobody needed it any more). Without any it is sent where it stands in "
        "the inbox, else null: there was nowhere to go.",
    )
    deliveries = DeliveryInShortSerializer(read_only=True, many=True, help_text="The oldest first.")
    version = serializers.IntegerField(read_only=True, min_value=1)
    links = serializers.SerializerMethodField(help_text="Where related things are.")

    @extend_schema_field(_LINKS)
    def get_links(self, notification: Notification) -> dict[str, str | None]:
        base = self.base_address()
        here = f"{base}notifications/{notification.pk}/"
        return {
            "why": f"{here}why/",
            "snooze": f"{here}snooze/",
            "task": f"{base}tasks/{notification.task_id}/" if notification.task_id else None,
            "reminder": f"{base}reminders/{notification.reminder_id}/" if notification.reminder_id else None,
        }

    def to_representation(self, notification: Notification) -> dict[str, Any]:
        base = self.base_address()
        went = shown_deliveries(notification)
        task_id = notification.task_id
        return {
            "id": str(notification.pk),
            "url": f"{base}notifications/{notification.pk}/",
            "kind": str(notification.kind),
            "status": str(notification.status),
            "title": notification.title,
            "text": notification.text,
            "task": {"id": str(task_id), "url": f"{base}tasks/{task_id}/"} if task_id else None,
            "reminder": str(notification.reminder_id) if notification.reminder_id else None,
            "urgent": notification.urgent,
            "quiet": notification.quiet,
            "in_inbox": notification.in_inbox,
            "due_at": instant_text(notification.due_at),
            "due_on": notification.due_on.isoformat() if notification.due_on else None,
            "about_at": instant_text(notification.about_at),
            "late_seconds": round(notification.late_seconds, 3),
            "created_at": instant_text(notification.created_at),
            "updated_at": instant_text(notification.updated_at),
            "read_at": instant_text(notification.read_at),
            "snoozed_until": instant_text(notification.snoozed_until),
            "because": notification.because or None,
            "delivery": inbox.overall(notification, {one.delivery.status for one in went}),
            "deliveries": [in_short(one, address=self._address()) for one in went],
            "version": notification.version,
            "links": self.get_links(notification),
        }

    def _address(self) -> str:
        """The caller's, who is the owner of all that is shown to them."""
        context: dict[str, Any] = self.context  # type: ignore[assignment]
        return str(context["request"].user.email)


class PutOffSerializer(RefusesUnknownFields):
    """Until when."""

    until = serializers.CharField(
        max_length=64,
        help_text="later_today, tomorrow, next_week, a duration such as PT15M, or an instant "
        "(2026-05-03T09:00:00+02:00).",
    )


class ReadAllSerializer(serializers.Serializer[Any]):
    """How many were marked as read."""

    read = serializers.IntegerField()


class UnreadCountSerializer(serializers.Serializer[Any]):
    """How many stand unread in your inbox."""

    unread = serializers.IntegerField(max_value=inbox.MOST_COUNTED)
    is_all = serializers.BooleanField(help_text=f"False: there may be more, {inbox.MOST_COUNTED:,} were counted.")


def in_short(shown: Shown, *, address: str) -> dict[str, Any]:
    one = shown.delivery
    return {
        "id": str(one.pk),
        "transport": one.transport,
        "destination": shown.destination or (address if one.transport == "email" else "you"),
        "status": str(one.status),
        "attempts": one.attempts,
        "send_at": instant_text(one.send_at),
        "finished_at": instant_text(one.finished_at),
        "error": one.error or None,
        "because": one.because or None,
    }
