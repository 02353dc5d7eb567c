"""Why something asked of reminders and notifications was refused, named by what happened. The texts are for the
person who asked.
"""

from uuid import UUID


class NotificationsRefused(Exception):
    """What things, as they are, do not allow."""


class InvalidPreferences(NotificationsRefused):
    """A wish that cannot be kept. `field` is the one to change, `switches.notice.in_app` within the switches."""

    def __init__(self, *, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NotificationNotFound(NotificationsRefused):
    def __init__(self, notification_id: UUID) -> None:
        super().__init__(f"There is no notification {notification_id}.")
