"""A second transport of the tests, whose receivers always thank at once."""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.accounts.models import User
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, Notification
from apps.notifications.transports.base import Destination, Receipt, Transport

came: list[float] = []


class Parcels(Transport):
    name = "parcels"
    label = "by parcel"
    on_by_default = frozenset({Kind.REMINDER})

    def destinations(self, owners: Collection[User]) -> dict[UUID, list[Destination]]:
        return {owner.pk: [Destination()] for owner in owners}

    def nowhere(self) -> str:
        return "Everybody has a door."

    def compose(
        self, delivery: Delivery, *, owner: User, items: Sequence[Notification], now: datetime
    ) -> dict[str, Any]:
        return {}

    def reach(self, delivery: Delivery, *, owner: User) -> None:
        return None

    def send(self, content: Mapping[str, Any], *, to: Any, key: UUID, attempt: int) -> Receipt:
        came.append(time.monotonic())
        return Receipt()
