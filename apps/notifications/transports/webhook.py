"""To addresses of other systems: Standard Webhooks, whose body is a CloudEvent.

Every body has one shape, however many notifications went together: `data.notification` is what is told, as in
`notification.created.v1` and with its id; `data.items` are the notifications one by one, at least one and at most 100
of `data.count`. Of several, `data.notification` sums them up, as kind `several` with the id of the delivery. The
content type is that of CloudEvents, by which their libraries recognise one; a signature is over the bytes, whatever
they are called.

Source: https://www.standardwebhooks.com, CloudEvents 1.0.2 (HTTP binding, structured mode).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import standardwebhooks
from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.accounts.models import User
from apps.calendar.zones import instant_text
from apps.notifications import sealing
from apps.notifications.calls import outgoing
from apps.notifications.calls.outgoing import Answer, Unanswered
from apps.notifications.calls.targets import NotAllowed
from apps.notifications.events import NotificationEvent
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, Notification, WebhookEndpoint
from apps.notifications.publishers import notification_state
from apps.notifications.services import webhook_books
from apps.notifications.transports.base import Destination, NotSent, Receipt, Refused, Transport, TryAgain, Unreachable

TEST = "notification.test.v1"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
# Until this transaction ends nobody switches them off, so what is told to them meanwhile is there to be held.
_ENDPOINTS = """
SELECT id, owner_id, status FROM notifications_webhookendpoint WHERE owner_id = ANY(%s) ORDER BY id FOR KEY SHARE
"""
# Receivers take no body of any length; who wants the rest asks the API.
MOST_ITEMS = 100
_TITLE_OF_A_TEST = "A test of your webhook"
_GONE = 410
_BUSY = {429, 503}


@dataclass(frozen=True, slots=True)
class Reach:
    """Where to send, and with what to sign; printed without secrets. `off`: switched off since it was claimed."""

    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    off: bool = False


class Webhook(Transport):
    name = "webhook"
    label = "by webhook"
    on_by_default = frozenset({Kind.REMINDER, Kind.OVERDUE})
    # A receiver that is repaired within a working day misses nothing.
    most_attempts = 30

    def destinations(self, owners: Collection[User]) -> dict[UUID, list[Destination]]:
        found: dict[UUID, list[Destination]] = {}
        with connection.cursor() as cursor:
            cursor.execute(_ENDPOINTS, [[owner.pk for owner in owners]])
            for pk, owner_id, status in cursor.fetchall():
                held = status != WebhookEndpoint.Status.ENABLED
                found.setdefault(owner_id, []).append(Destination(str(pk), held=held))
        return found

    def nowhere(self) -> str:
        return "You have no webhook. Make one, and other systems are told, too."

    def held(self) -> str:
        return "Your webhook is switched off: what is for it is held for up to 7 days. Enable it, and it comes."

    def compose(
        self, delivery: Delivery, *, owner: User, items: Sequence[Notification], now: datetime
    ) -> dict[str, Any]:
        test = delivery.kind == Delivery.Kinds.TEST
        told = [{"id": str(item.pk), **notification_state(item)} for item in items]
        whole = _test(delivery) if test else told[0] if len(told) == 1 else _summed_up(delivery, told)
        return {
            "specversion": "1.0",
            "id": str(delivery.redelivery_of_id or delivery.pk),
            "source": settings.EVENT_SOURCE,
            "type": TEST if test else NotificationEvent.CREATED.name,
            "subject": f"notification/{whole['id']}",
            "time": instant_text(now),
            "datacontenttype": "application/json",
            "ownerid": str(owner.pk),
            "data": {"notification": whole, "items": told[:MOST_ITEMS] or [whole], "count": len(told) or 1},
        }

    def reach(self, delivery: Delivery, *, owner: User) -> Reach:
        row = WebhookEndpoint.objects.filter(pk=delivery.destination, owner=owner).first()
        if row is None:
            raise Unreachable("This webhook was taken away.")
        off = row.status != WebhookEndpoint.Status.ENABLED and delivery.kind != Delivery.Kinds.TEST
        both = row.previous_secret and row.previous_secret_until and row.previous_secret_until > timezone.now()
        live = [row.secret, row.previous_secret] if both else [row.secret]
        return Reach(row.url, tuple(sealing.unseal(secret) for secret in live if secret), off)

    def send(self, content: Mapping[str, Any], *, to: Reach, key: UUID, attempt: int) -> Receipt:
        if to.off:
            raise TryAgain("This webhook was switched off. What is for it is kept until it is on again.")
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        headers = _signed(body, message_id=content["id"], secrets=to.secrets, at=datetime.now(UTC))
        shown = {name: value for name, value in headers.items() if name != "webhook-signature"}
        request = {"method": "POST", "url": to.url.partition("?")[0], "headers": shown}
        try:
            answer = outgoing.post(to.url, headers=headers, body=body.encode(), seconds=self.seconds)
            return _judged(answer, request)
        except NotAllowed as reason:
            raise Refused(str(reason), request=request) from None
        except Unanswered as reason:
            raise _again(content, str(reason), request=request) from None
        except TryAgain as reason:
            raise _again(content, **vars(reason)) from None

    def is_off(self, delivery: Delivery) -> bool:
        return webhook_books.is_off(delivery)

    def settled(self, delivery: Delivery, *, outcome: Receipt | NotSent, now: datetime) -> None:
        webhook_books.keep(delivery, outcome=outcome, now=now)


def _test(delivery: Delivery) -> dict[str, Any]:
    return {"id": str(delivery.pk), "kind": "test", "title": _TITLE_OF_A_TEST, "text": "Nothing happened."}


def _summed_up(delivery: Delivery, told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several as one: of each instant the first, since they are in the order of what they are for."""
    titles = [f"• {one['title']}" for one in told[:MOST_ITEMS]] + ["…"] * (len(told) > MOST_ITEMS)
    nothing_of_one = dict.fromkeys(("task_id", "reminder_id", "due_at", "due_on", "read_at", "snoozed_until"))
    return {
        **told[0],
        **nothing_of_one,
        "id": str(delivery.redelivery_of_id or delivery.pk),
        "kind": str(Delivery.Kinds.SEVERAL),
        "title": f"{len(told)} notifications",
        "text": "\n".join(titles),
        "urgent": any(one["urgent"] for one in told),
        "late_seconds": max(one["late_seconds"] for one in told),
    }


def _signed(body: str, *, message_id: str, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    signatures = [standardwebhooks.Webhook(secret).sign(message_id, at, body) for secret in secrets]
    return {
        "content-type": CONTENT_TYPE,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _judged(answer: Answer, request: Mapping[str, Any]) -> Receipt:
    """Raises what `Transport.send` does."""
    response = answer.as_json()
    if 200 <= answer.status < 300:
        return Receipt(request, response)
    if answer.status == _GONE:
        told = "The receiver answered 410: it wants nothing more."
        raise Refused(told, gone=True, request=request, response=response)
    if 300 <= answer.status < 400:
        told = f"The receiver answered {answer.status}, a redirection. Nothing is followed: give us the final address."
        raise TryAgain(told, request=request, response=response)
    after = answer.retry_after if answer.status in _BUSY else None
    raise TryAgain(f"The receiver answered {answer.status}.", request=request, response=response, after_seconds=after)


def _again(content: Mapping[str, Any], reason: str, *, after_seconds: float | None = None, **notes: Any) -> NotSent:
    """Who tests wants to know how it went, not to wait for hours."""
    if content["type"] == TEST:
        return Refused(reason, **notes)
    return TryAgain(reason, after_seconds=after_seconds, **notes)
