"""Reminders and notifications over REST: translates requests into services and refusals into problems."""

from apps.notifications.views.notifications import NotificationViewSet
from apps.notifications.views.of_task import TaskRemindersView
from apps.notifications.views.preferences import PreferencesView
from apps.notifications.views.push import PushSubscriptionViewSet, PushView
from apps.notifications.views.reminders import ReminderViewSet
from apps.notifications.views.webhooks import WebhookViewSet

__all__ = [
    "NotificationViewSet",
    "PreferencesView",
    "PushSubscriptionViewSet",
    "PushView",
    "ReminderViewSet",
    "TaskRemindersView",
    "WebhookViewSet",
]
