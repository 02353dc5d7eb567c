"""Reminders and notifications over REST: translates requests into services and refusals into problems."""

from apps.notifications.views.notifications import NotificationViewSet
from apps.notifications.views.preferences import PreferencesView

__all__ = ["NotificationViewSet", "PreferencesView"]
