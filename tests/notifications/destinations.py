"""Webhooks, browsers, and what is to go to them, made by the doors the application itself uses."""

import base64
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import transaction

from apps.accounts.models import User
from apps.notifications import signals
from apps.notifications.events import NotificationEvent
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, DeliveryItem, Notification, PushSubscription
from apps.notifications.publishers import notification_state
from apps.notifications.services import push, webhooks
from apps.notifications.services.webhooks import WithSecret
from apps.notifications.signals import Change
from apps.notifications.transports.base import NotSent
from tests.support.factories import NOW


def webhook_of(owner: User, *, url: str = "https://hooks.example.com/todo", **fields: Any) -> WithSecret:
    return webhooks.create(owner=owner, url=url, now=NOW, **fields)


@transaction.atomic
def notification_of(owner: User, **fields: Any) -> Notification:
    """One that they were told, with its event."""
    number = Notification.objects.count()
    plain = {"kind": Kind.REMINDER, "title": "Buy milk", "once": f"reminder/{owner.pk}/{number}", "about_at": NOW}
    row = Notification.objects.create(owner=owner, created_at=NOW, updated_at=NOW, **{**plain, **fields})
    change = Change(fact=NotificationEvent.CREATED, row=row, version=1, state=notification_state(row))
    signals.notifications_changed.send(sender=Notification, changes=[change], occurred_at=NOW)
    return row


def delivery_to(destination: Any, *, told: list[Notification] | None = None, **fields: Any) -> Delivery:
    """One that waits for an endpoint or subscription, made now."""
    plain = {
        "owner": destination.owner,
        "transport": "push" if isinstance(destination, PushSubscription) else "webhook",
        "destination": str(destination.pk),
        "kind": Kind.REMINDER,
        "status": Delivery.Status.WAITING,
        "send_at": NOW,
        "created_at": NOW,
    }
    row = Delivery.objects.create(**{**plain, **fields})
    DeliveryItem.objects.bulk_create(DeliveryItem(delivery=row, notification=one) for one in told or [])
    return row


def ending(transport: Any, content: Any, *, to: Any, delivery: Delivery) -> NotSent:
    """What an attempt that must not succeed ended with."""
    try:
        transport.send(content, to=to, key=delivery.pk, attempt=1)
    except NotSent as reason:
        return reason
    raise AssertionError("It was sent.")


@dataclass(frozen=True)
class Browser:
    """The receiver's side of Web Push: what it subscribes with, and the keys it keeps."""

    key: ec.EllipticCurvePrivateKey
    auth_bytes: bytes

    @property
    def p256dh(self) -> str:
        return _text(self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    @property
    def auth(self) -> str:
        return _text(self.auth_bytes)


def browser(*, auth_bytes: bytes = b"0123456789abcdef") -> Browser:
    return Browser(ec.generate_private_key(ec.SECP256R1()), auth_bytes)


def subscription_of(
    owner: User, *, endpoint: str = "https://push.example.com/send/abc", by: Browser | None = None, **fields: Any
) -> PushSubscription:
    introduced = by or browser()
    return push.subscribe(
        owner=owner, endpoint=endpoint, p256dh=introduced.p256dh, auth=introduced.auth, now=NOW, **fields
    )


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
