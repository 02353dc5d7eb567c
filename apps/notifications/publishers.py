"""Turns the signals of reminders and notifications into events: the one module that knows both.

Invariant: runs inside the transaction of the change, so a change and its event are kept together or not at all; all
changes of one signal are appended in one statement.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from apps.calendar.zones import instant_text
from apps.events import envelope, outbox
from apps.events.envelope import Envelope
from apps.notifications import signals
from apps.notifications.models import Notification, Reminder
from apps.notifications.signals import Change

_NOTIFICATION = ("kind", "title", "text", "task_id", "reminder_id", "urgent", "quiet", "in_inbox", "status")
_NOTIFICATION_TIMES = ("due_at", "due_on", "about_at", "late_seconds", "read_at", "snoozed_until")


def publish_reminders(changes: Sequence[Change], occurred_at: datetime, **_: Any) -> list[Envelope]:
    """Append the facts, ordered by their tasks; the facts."""
    return _publish(changes, subject_type="reminder", key="task_id", occurred_at=occurred_at)


def publish_notifications(changes: Sequence[Change], occurred_at: datetime, **_: Any) -> list[Envelope]:
    """Append the facts, ordered by their owners; the facts."""
    return _publish(changes, subject_type="notification", key="owner_id", occurred_at=occurred_at)


def reminder_state(reminder: Reminder) -> dict[str, Any]:
    return {
        "task_id": str(reminder.task_id),
        "origin": str(reminder.origin),
        "before_due": reminder.before_due or None,
        "planned_for": instant_text(reminder.planned_for),
        "trigger_at": instant_text(reminder.trigger_at),
        "status": str(reminder.status),
    }


def notification_state(notification: Notification) -> dict[str, Any]:
    return {name: plain(getattr(notification, name)) for name in (*_NOTIFICATION, *_NOTIFICATION_TIMES)}


def plain(value: Any) -> Any:
    """As JSON has it."""
    match value:
        case datetime():
            return instant_text(value)
        case date():
            return value.isoformat()
        case None | bool() | int() | float():
            return value
    return str(value)


def _publish(changes: Sequence[Change], *, subject_type: str, key: str, occurred_at: datetime) -> list[Envelope]:
    facts = [
        envelope.new(
            change.fact,
            subject_type=subject_type,
            subject_id=change.row.pk,
            version=change.version,
            owner_id=change.row.owner_id,
            actor_id=change.actor_id,
            occurred_at=occurred_at,
            data={subject_type: change.state, **change.told},
            key=str(getattr(change.row, key)),
            cause=change.cause,
        )
        for change in changes
    ]
    outbox.append(*facts)
    return facts


signals.reminders_changed.connect(publish_reminders)
signals.notifications_changed.connect(publish_notifications)
