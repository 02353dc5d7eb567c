"""Reminders, notifications and deliveries in the admin: for looking, and for what `apps.notifications.services` do.

Invariant: nothing is changed here but by services, no secret is shown, and no page asks the database a question that
grows with the number of people.
"""

from apps.notifications.admin.deliveries import DeliveryAdmin
from apps.notifications.admin.endpoints import PushSubscriptionAdmin, WebhookEndpointAdmin
from apps.notifications.admin.notifications import NotificationAdmin
from apps.notifications.admin.preferences import PreferencesAdmin
from apps.notifications.admin.reminders import ReminderAdmin

__all__ = [
    "DeliveryAdmin",
    "NotificationAdmin",
    "PreferencesAdmin",
    "PushSubscriptionAdmin",
    "ReminderAdmin",
    "WebhookEndpointAdmin",
]
