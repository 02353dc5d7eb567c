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


class InvalidDestination(NotificationsRefused):
    """A webhook or browser that cannot be told anything as it was given. `field` is what to change."""

    def __init__(self, *, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


class WebhookNotFound(NotificationsRefused):
    def __init__(self, endpoint_id: UUID) -> None:
        super().__init__(f"There is no webhook {endpoint_id}.")


class DeliveryNotFound(NotificationsRefused):
    def __init__(self, delivery_id: UUID) -> None:
        super().__init__(f"There is no delivery {delivery_id} that could be sent again.")


class TooManyWebhooks(NotificationsRefused):
    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} webhooks, which is the limit. Delete one first.")


class WebhookOff(NotificationsRefused):
    """What was asked for goes only to one that is enabled."""

    def __init__(self) -> None:
        super().__init__("This webhook is switched off. Enable it first.")


class SubscriptionNotFound(NotificationsRefused):
    def __init__(self, subscription_id: UUID) -> None:
        super().__init__(f"There is no browser {subscription_id} that is pushed to.")


class TooManySubscriptions(NotificationsRefused):
    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} browsers of yours are pushed to, which is the limit. Take one away first.")


class DeliveryNotFailed(NotificationsRefused):
    """Only what was given up is tried again by hand."""

    def __init__(self, delivery_id: UUID, *, status: str) -> None:
        super().__init__(f"The delivery {delivery_id} has not failed: it is {status}.")
        self.status = status


class DeliveryForgotten(NotificationsRefused):
    """What was sent is not kept any more, so it cannot be sent again as it was."""

    def __init__(self, delivery_id: UUID) -> None:
        super().__init__(f"What the delivery {delivery_id} said is not kept any more: it cannot be tried again.")


class ReminderNotFound(NotificationsRefused):
    def __init__(self, reminder_id: UUID) -> None:
        super().__init__(f"There is no reminder {reminder_id}.")


class NotWaiting(NotificationsRefused):
    """Only a reminder that still waits can be taken away."""

    def __init__(self, reminder_id: UUID) -> None:
        super().__init__(f"The reminder {reminder_id} does not wait any more.")


class InvalidSnooze(NotificationsRefused):
    """A snooze to no time that is still to come."""


class CannotSnooze(NotificationsRefused):
    """What was told, or is to be told, cannot be put off."""


class NobodyToTell(NotificationsRefused):
    """There is news for a person who does not exist."""

    def __init__(self, owner_id: UUID) -> None:
        super().__init__(f"There is no person {owner_id}.")
