"""Reminders, what people were told, and how it went out to them.

Invariant: rows change only through `apps.notifications.services`. A reminder or notification counts its events in
`version`; the database refuses to commit a version without its event (see the migration `changes_have_events`).
Whoever changes reminders of a task holds the row of its `RemindedTask`; rows are locked in the order RemindedTask,
Notification, Delivery, each by id.
"""

from apps.notifications.models.deliveries import Delivery, DeliveryAttempt, DeliveryItem
from apps.notifications.models.links import UsedLink
from apps.notifications.models.notifications import Notification
from apps.notifications.models.preferences import Preferences
from apps.notifications.models.push import PushSubscription, VapidKey
from apps.notifications.models.reminders import RemindedTask, Reminder
from apps.notifications.models.watermarks import Watermark
from apps.notifications.models.webhooks import WebhookEndpoint

__all__ = [
    "Delivery",
    "DeliveryAttempt",
    "DeliveryItem",
    "Notification",
    "Preferences",
    "PushSubscription",
    "RemindedTask",
    "Reminder",
    "UsedLink",
    "VapidKey",
    "Watermark",
    "WebhookEndpoint",
]
