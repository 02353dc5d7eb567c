"""The contract of the notifications app: the facts it publishes. Their data is described in `apps/events/schemas/`.

Events of a reminder are ordered by its task, those of a notification by its owner.
"""

from apps.events.event_types import declare

REMINDERS_TOPIC = "reminders"
NOTIFICATIONS_TOPIC = "notifications"


class ReminderEvent:
    SCHEDULED = declare("reminder.scheduled.v1", topic=REMINDERS_TOPIC)
    RESCHEDULED = declare("reminder.rescheduled.v1", topic=REMINDERS_TOPIC)
    CANCELLED = declare("reminder.cancelled.v1", topic=REMINDERS_TOPIC)
    TRIGGERED = declare("reminder.triggered.v1", topic=REMINDERS_TOPIC)
    SNOOZED = declare("reminder.snoozed.v1", topic=REMINDERS_TOPIC)
    STALE = declare("reminder.stale.v1", topic=REMINDERS_TOPIC)
    DELIVERED = declare("reminder.delivered.v1", topic=REMINDERS_TOPIC)
    FAILED = declare("reminder.failed.v1", topic=REMINDERS_TOPIC)


class NotificationEvent:
    CREATED = declare("notification.created.v1", topic=NOTIFICATIONS_TOPIC)
    UPDATED = declare("notification.updated.v1", topic=NOTIFICATIONS_TOPIC)
