"""Rows of the notifications app as they stand in the database, each with its event, without the way there."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from apps.accounts.models import User
from apps.notifications import signals
from apps.notifications.events import NotificationEvent, ReminderEvent
from apps.notifications.models import Delivery, DeliveryAttempt, DeliveryItem, Notification, RemindedTask, Reminder
from apps.notifications.publishers import notification_state, reminder_state
from apps.notifications.signals import Change
from tests.support.factories import NOW


def heard_of(owner: User, *, title: str = "Pay rent", **fields: Any) -> RemindedTask:
    """A task as the group knows it."""
    plain = {"task_id": uuid4(), "version": 1, "status": "pending", "priority": "none"}
    task: RemindedTask = RemindedTask.objects.create(owner=owner, title=title, **plain | fields)
    return task


@transaction.atomic
def planned(task: RemindedTask, *, at: datetime, **fields: Any) -> Reminder:
    plain = {"origin": "asked", "planned_for": at, "trigger_at": at, "created_at": NOW, "updated_at": NOW}
    reminder: Reminder = Reminder.objects.create(owner=task.owner, task=task, **plain | fields)
    change = Change(fact=ReminderEvent.SCHEDULED, row=reminder, version=1, state=reminder_state(reminder))
    signals.reminders_changed.send(sender=Reminder, changes=[change], occurred_at=NOW)
    return reminder


@transaction.atomic
def told(
    owner: User, *, once: str = "", title: str = "Pay rent", kind: str = "reminder", **fields: Any
) -> Notification:
    plain = {"about_at": NOW, "created_at": NOW, "updated_at": NOW}
    notification: Notification = Notification.objects.create(
        owner=owner, once=once or f"{kind}/{uuid4()}", title=title, kind=kind, **plain | fields
    )
    state = notification_state(notification)
    change = Change(fact=NotificationEvent.CREATED, row=notification, version=1, state=state)
    signals.notifications_changed.send(sender=Notification, changes=[change], occurred_at=NOW)
    return notification


@transaction.atomic
def sent(*notifications: Notification, transport: str = "email", attempts: int = 1, **fields: Any) -> Delivery:
    """A delivery of these, with so many attempts."""
    plain = {"kind": "reminder", "status": "delivered", "send_at": NOW, "created_at": NOW, "attempts": attempts}
    if fields.get("status", "delivered") in {"delivered", "failed", "dropped"}:
        plain["finished_at"] = NOW + timedelta(seconds=1)
    owner: User = notifications[0].owner
    delivery: Delivery = Delivery.objects.create(owner=owner, transport=transport, **plain | fields)
    DeliveryItem.objects.bulk_create(
        DeliveryItem(delivery=delivery, notification=notification) for notification in notifications
    )
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(delivery=delivery, number=number, fence=number, started_at=NOW, outcome="delivered")
        for number in range(1, attempts + 1)
    )
    return delivery


def ids(*rows: Any) -> list[UUID]:
    return [row.pk for row in rows]
