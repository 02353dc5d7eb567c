"""Notifications, deliveries and reminders as the services leave them, with their events."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction

from apps.accounts.models import User
from apps.notifications import signals
from apps.notifications.events import NotificationEvent, ReminderEvent
from apps.notifications.models import (
    Delivery,
    DeliveryAttempt,
    DeliveryItem,
    Notification,
    RemindedTask,
    Reminder,
)
from apps.notifications.publishers import notification_state, reminder_state
from apps.notifications.signals import Change

MONDAY = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def notification(owner: User, *, title: str = "Water the plants", now: datetime = MONDAY, **fields) -> Notification:
    given = {"kind": "reminder", "once": f"test/{uuid4()}", "about_at": now, "created_at": now, "updated_at": now}
    with transaction.atomic():
        made = Notification.objects.create(owner=owner, title=title, **{**given, **fields})
        fact = Change(
            fact=NotificationEvent.CREATED,
            row=made,
            version=made.version,
            state=notification_state(made),
        )
        signals.notifications_changed.send(sender=Notification, changes=[fact], occurred_at=now)
    return made


def reminder(owner: User, *, task_id: UUID, now: datetime = MONDAY, title="Water the plants", **fields) -> Reminder:
    given = {
        "origin": "asked",
        "planned_for": now + 30 * MINUTE,
        "trigger_at": now + 30 * MINUTE,
        "created_at": now,
        "updated_at": now,
    }
    with transaction.atomic():
        RemindedTask.objects.get_or_create(
            pk=task_id,
            defaults={
                "owner": owner,
                "version": 1,
                "title": title,
                "status": "pending",
                "priority": "none",
            },
        )
        made = Reminder.objects.create(owner=owner, task_id=task_id, **{**given, **fields})
        fact = Change(fact=ReminderEvent.SCHEDULED, row=made, version=1, state=reminder_state(made))
        signals.reminders_changed.send(sender=Reminder, changes=[fact], occurred_at=now)
    return made


def delivery(*notifications: Notification, transport: str = "email", now: datetime = MONDAY, **fields) -> Delivery:
    given = {"owner": notifications[0].owner, "kind": "reminder", "send_at": now, "created_at": now, "urgent": True}
    made = Delivery.objects.create(transport=transport, **{**given, **fields})
    DeliveryItem.objects.bulk_create([DeliveryItem(delivery=made, notification=one) for one in notifications])
    return made


def attempt(of: Delivery, number: int = 1, **fields) -> DeliveryAttempt:
    given = {"started_at": MONDAY, "fence": number, "outcome": "retry"}
    return DeliveryAttempt.objects.create(delivery=of, number=number, **{**given, **fields})
