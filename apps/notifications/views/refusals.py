"""Why a service of notifications refused, as HTTP says it."""

from typing import Any

from rest_framework.exceptions import NotFound

from apps.notifications.exceptions import InvalidPreferences, NotificationNotFound, NotificationsRefused
from apps.tasks.exceptions import InvalidTask
from apps.tasks.views.refusals import OF_TASKS, Conflict, InvalidValue, Problems


def _invalid(reason: Any, shown: Any) -> InvalidValue:
    return InvalidValue(InvalidTask(field=reason.field, reason=reason.reason))


# What is not named here by itself is a conflict with how things are.
OF_NOTIFICATIONS: Problems = [
    *OF_TASKS,
    (NotificationNotFound, lambda reason, shown: NotFound()),
    (InvalidPreferences, _invalid),
    (NotificationsRefused, lambda reason, shown: Conflict(str(reason))),
]
