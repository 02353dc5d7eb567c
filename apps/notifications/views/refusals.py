"""Why a service of notifications refused, as HTTP says it."""

from typing import Any

from rest_framework.exceptions import NotFound

from apps.notifications.exceptions import (
    DeliveryNotFound,
    InvalidDestination,
    InvalidPreferences,
    InvalidSnooze,
    NotificationNotFound,
    NotificationsRefused,
    ReminderNotFound,
    SubscriptionNotFound,
    WebhookNotFound,
)
from apps.tasks.exceptions import InvalidTask
from apps.tasks.views.refusals import OF_TASKS, Conflict, InvalidValue, NamedThingNotFound, Problems


def _invalid(reason: Any, shown: Any) -> InvalidValue:
    return InvalidValue(InvalidTask(field=reason.field, reason=reason.reason))


def _not_found(reason: Any, shown: Any) -> NotFound:
    return NotFound()


# What is not named here by itself is a conflict with how things are.
OF_NOTIFICATIONS: Problems = [
    *OF_TASKS,
    *[(gone, _not_found) for gone in (NotificationNotFound, ReminderNotFound, WebhookNotFound, SubscriptionNotFound)],
    (DeliveryNotFound, lambda reason, shown: NamedThingNotFound("delivery", str(reason))),
    (InvalidPreferences, _invalid),
    (InvalidSnooze, lambda reason, shown: InvalidValue(InvalidTask(field="until", reason=str(reason)))),
    (InvalidDestination, _invalid),
    (NotificationsRefused, lambda reason, shown: Conflict(str(reason))),
]
