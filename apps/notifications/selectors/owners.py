"""What there is of a person, for whoever counts it before it goes."""

from uuid import UUID

from django.db.models import Model

from apps.notifications.models import (
    Delivery,
    Notification,
    Preferences,
    PushSubscription,
    RemindedTask,
    Reminder,
    WebhookEndpoint,
)

_THINGS: dict[str, type[Model]] = {
    "reminded_tasks": RemindedTask,
    "reminders": Reminder,
    "notifications": Notification,
    "deliveries": Delivery,
    "notification_preferences": Preferences,
    "webhooks": WebhookEndpoint,
    "push_subscriptions": PushSubscription,
}


def counts_of(owner_id: UUID) -> dict[str, int]:
    """How many of each a person has, whatever became of them."""
    return {
        name: model._default_manager.filter(owner_id=owner_id).count()  # noqa: SLF001 - Django's documented API
        for name, model in _THINGS.items()
    }
