"""What becomes of everything here when a person is erased.

Invariant: what goes next is empty of what points to it, and locked in the order everybody locks in; a step is one
transaction, and whoever was killed between two goes on with the next.
"""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from apps.notifications import signals
from apps.notifications.events import ReminderEvent
from apps.notifications.models import Delivery, Notification, RemindedTask, Reminder
from apps.notifications.publishers import reminder_state
from apps.notifications.signals import Change

# Few in a person's life, and nothing points to them.
_THE_REST = ("notifications_preferences", "notifications_webhookendpoint", "notifications_pushsubscription")


def forget_owner(*, owner_id: UUID, now: datetime, most: int = 100) -> int:
    """Take away up to `most` things of a person; how many. 0 when none is left. Reminders that waited tell of it."""
    steps: tuple[Callable[[], int], ...] = (
        lambda: _forget_reminders(owner_id, now=now, most=most),
        lambda: _forget_deliveries(owner_id, most=most),
        lambda: _forget_notifications(owner_id, most=most),
        lambda: _forget_the_rest(owner_id),
    )
    return next((gone for step in steps if (gone := step())), 0)


@transaction.atomic
def _forget_reminders(owner_id: UUID, *, now: datetime, most: int) -> int:
    """Of up to `most` tasks, with what is known of these."""
    tasks = RemindedTask.objects.filter(owner_id=owner_id).select_for_update(of=("self",)).order_by("pk")
    going = [task.pk for task in tasks[:most]]
    reminders = list(Reminder.objects.filter(task_id__in=going).order_by("task_id", "pk"))
    signals.reminders_changed.send(
        sender=Reminder,
        changes=[_cancelled(reminder, now=now) for reminder in reminders if reminder.waits],
        occurred_at=now,
    )
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM notifications_reminder WHERE task_id = ANY(%s::uuid[])", [going])
        cursor.execute("DELETE FROM notifications_remindedtask WHERE task_id = ANY(%s::uuid[])", [going])
    return len(going) + len(reminders)


def _cancelled(reminder: Reminder, *, now: datetime) -> Change:
    reminder.status, reminder.because = Reminder.Status.CANCELLED, Reminder.Because.ERASED
    reminder.version += 1
    reminder.updated_at = now
    return Change(
        fact=ReminderEvent.CANCELLED,
        row=reminder,
        version=reminder.version,
        state=reminder_state(reminder),
        told={"because": str(Reminder.Because.ERASED)},
    )


@transaction.atomic
def _forget_deliveries(owner_id: UUID, *, most: int) -> int:
    """With what stands in them and every attempt. One that is just being sent finds nothing to write its end to."""
    rows = Delivery.objects.filter(owner_id=owner_id).select_for_update(of=("self",)).order_by("pk")
    going = [delivery.pk for delivery in rows[:most]]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_delivery SET redelivery_of_id = NULL WHERE owner_id = %s"
            " AND redelivery_of_id = ANY(%s::uuid[])",
            [owner_id, going],
        )
        cursor.execute("DELETE FROM notifications_deliveryattempt WHERE delivery_id = ANY(%s::uuid[])", [going])
        cursor.execute("DELETE FROM notifications_deliveryitem WHERE delivery_id = ANY(%s::uuid[])", [going])
        cursor.execute("DELETE FROM notifications_delivery WHERE id = ANY(%s::uuid[])", [going])
    return len(going)


@transaction.atomic
def _forget_notifications(owner_id: UUID, *, most: int) -> int:
    rows = Notification.objects.filter(owner_id=owner_id).select_for_update(of=("self",)).order_by("pk")
    going = [notification.pk for notification in rows[:most]]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM notifications_deliveryitem WHERE notification_id = ANY(%s::uuid[])", [going])
        cursor.execute("DELETE FROM notifications_notification WHERE id = ANY(%s::uuid[])", [going])
    return len(going)


@transaction.atomic
def _forget_the_rest(owner_id: UUID) -> int:
    gone = 0
    with connection.cursor() as cursor:
        for table in _THE_REST:
            cursor.execute(f"DELETE FROM {table} WHERE owner_id = %s", [owner_id])  # noqa: S608 - our own names
            gone += cursor.rowcount
    return gone
