"""E-mail: one mail a delivery, as text and HTML, to the address that its person has when it is sent."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from apps.accounts.models import User
from apps.notifications.kinds import Kind
from apps.notifications.mail import letters, mailing
from apps.notifications.models import Delivery, Notification
from apps.notifications.transports.base import Destination, Receipt, Transport, Unreachable


class Email(Transport):
    name = "email"
    label = "by e-mail"
    on_by_default = frozenset({Kind.REMINDER, Kind.DIGEST, Kind.NOTICE})
    # A conversation with a mail server has several answers to wait for.
    seconds = 20.0
    # A mail server that is away for a night loses nothing: more than a day, on the average.
    most_attempts = 60

    def destinations(self, owners: Collection[User]) -> dict[UUID, list[Destination]]:
        return {owner.pk: [Destination()] for owner in owners if _is_address(owner.email)}

    def nowhere(self) -> str:
        return "Your account has no e-mail address that mail can be sent to. Give it one, and mails come from then on."

    def compose(
        self, delivery: Delivery, *, owner: User, items: Sequence[Notification], now: datetime
    ) -> dict[str, Any]:
        return letters.compose(delivery, zone=ZoneInfo(owner.time_zone), items=items, now=now)

    def reach(self, delivery: Delivery, *, owner: User) -> str:
        if not _is_address(owner.email):
            raise Unreachable(self.nowhere())
        return owner.email

    def send(self, content: Mapping[str, Any], *, to: str, key: UUID, attempt: int) -> Receipt:
        return mailing.hand_over(mailing.message(content, to=to, key=key), key=key, seconds=self.seconds)


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
