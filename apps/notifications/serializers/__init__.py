"""Bodies and answers of the REST API. Changes nothing: views call services."""

from apps.notifications.serializers.deliveries import DeliveryDetailSerializer, DeliverySerializer
from apps.notifications.serializers.notifications import (
    NotificationSerializer,
    PutOffSerializer,
    ReadAllSerializer,
    UnreadCountSerializer,
)
from apps.notifications.serializers.preferences import PreferencesSerializer
from apps.notifications.serializers.push import PublicKeySerializer, PushSubscriptionSerializer
from apps.notifications.serializers.reminders import (
    NewReminderSerializer,
    ReminderSerializer,
    TaskRemindersSerializer,
)
from apps.notifications.serializers.webhooks import (
    RedeliveredSerializer,
    RedeliverSerializer,
    WebhookSerializer,
    WebhookWithSecretSerializer,
)
from apps.notifications.serializers.why import WhyReminderSerializer, WhySerializer

__all__ = [
    "DeliveryDetailSerializer",
    "DeliverySerializer",
    "NewReminderSerializer",
    "NotificationSerializer",
    "PreferencesSerializer",
    "PublicKeySerializer",
    "PushSubscriptionSerializer",
    "PutOffSerializer",
    "ReadAllSerializer",
    "RedeliverSerializer",
    "RedeliveredSerializer",
    "ReminderSerializer",
    "TaskRemindersSerializer",
    "UnreadCountSerializer",
    "WebhookSerializer",
    "WebhookWithSecretSerializer",
    "WhyReminderSerializer",
    "WhySerializer",
]
