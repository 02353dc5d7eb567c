"""In the app: the inbox, and open screens."""

from collections.abc import Collection
from uuid import UUID

from apps.accounts.models import User
from apps.notifications.kinds import Kind
from apps.notifications.transports.base import Destination, Transport


class InApp(Transport):
    name = "in_app"
    label = "in the app"
    on_by_default = frozenset({Kind.REMINDER, Kind.OVERDUE, Kind.NOTICE})
    always = frozenset({Kind.NOTICE})
    at_once = True

    def destinations(self, owners: Collection[User]) -> dict[UUID, list[Destination]]:
        return {owner.pk: [Destination()] for owner in owners}

    def nowhere(self) -> str:
        return "Everybody has an inbox."
