"""To browsers, also while no page is open: Web Push.

What is sent is encrypted so that only the browser reads it, and its service learns who we are, how urgent it is and for
how long it is worth keeping. `Topic` is the key of the delivery: of two attempts at one, a service that still holds the
first keeps one; `tag` in the content lets the page that shows it do the same.

Source: RFC 8030 (Web Push), RFC 8188 and 8291 (encryption), RFC 8292 (VAPID).
"""

import base64
import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from py_vapid import Vapid02, VapidException

from apps.accounts.models import User
from apps.notifications import sealing
from apps.notifications.calls import outgoing, targets
from apps.notifications.calls.outgoing import Answer, Unanswered
from apps.notifications.calls.targets import NotAllowed
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, Notification, PushSubscription
from apps.notifications.services import push
from apps.notifications.services.push import decoded
from apps.notifications.transports.base import Destination, NotSent, Receipt, Refused, Transport, TryAgain, Unreachable

# Services take 4,096 bytes, of which encryption needs 103 (RFC 8291, 4).
MAX_CONTENT_BYTES = 3900
# A browser that was off for longer finds it in the inbox.
TTL_SECONDS = 24 * 3600
VAPID_SECONDS = 12 * 3600
MOST_IDS = 20
_GONE = {404, 410}
_TOO_BIG = 413
_MAY_WORK_LATER = {408, 425, 429}


@dataclass(frozen=True, slots=True)
class Reach:
    """A browser and our key; printed without any of it."""

    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)
    private: str = field(repr=False)


class Push(Transport):
    name = "push"
    label = "by push"
    on_by_default = frozenset({Kind.REMINDER})
    # Some hours: what pops up a day late helps nobody, and the inbox has it.
    most_attempts = 20

    def destinations(self, owners: Collection[User]) -> dict[UUID, list[Destination]]:
        found: dict[UUID, list[Destination]] = {}
        rows = PushSubscription.objects.filter(owner__in=list(owners)).order_by("pk").values_list("pk", "owner_id")
        for pk, owner_id in rows:
            found.setdefault(owner_id, []).append(Destination(str(pk)))
        return found

    def nowhere(self) -> str:
        return "No browser of yours is pushed to. Allow notifications in one."

    def compose(
        self, delivery: Delivery, *, owner: User, items: Sequence[Notification], now: datetime
    ) -> dict[str, Any]:
        """The titles give way where it would become too long, the ids do not."""
        first, several = (items[0] if items else None), len(items) > 1
        task_id = first.task_id if first and not several else None
        shown = {
            "kind": str(delivery.kind),
            "title": _title(items),
            "body": "\n".join(item.title for item in items) if several else first.text if first else "",
            "urgent": delivery.urgent,
            "tag": str(task_id or delivery.pk),
            "url": _url(task_id),
            "delivery_id": str(delivery.pk),
            "task_id": str(task_id) if task_id else None,
            "notification_ids": [str(item.pk) for item in items[:MOST_IDS]],
        }
        return _fitted(shown)

    def reach(self, delivery: Delivery, *, owner: User) -> Reach:
        row = PushSubscription.objects.filter(pk=delivery.destination, owner=owner).first()
        if row is None:
            raise Unreachable("This browser is pushed to no more: it, or you, ended that.")
        private = sealing.unseal(push.vapid_key().private)
        return Reach(row.endpoint, row.p256dh, sealing.unseal(row.auth), private)

    def send(self, content: Mapping[str, Any], *, to: Reach, key: UUID, attempt: int) -> Receipt:
        plain = {
            "ttl": str(TTL_SECONDS),
            "urgency": "high" if content["urgent"] else "normal",
            "topic": base64.urlsafe_b64encode(key.bytes).rstrip(b"=").decode(),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
        }
        try:
            target = targets.parse(to.endpoint)
            # The address is as good as a key to the browser: its host is told, the rest is not.
            request = {"method": "POST", "host": target.host, "headers": plain}
            headers = plain | _vapid(to.private, audience=target.origin)
            answer = outgoing.post(to.endpoint, headers=headers, body=_encrypted(content, to), seconds=self.seconds)
        except NotAllowed as reason:
            raise Refused(str(reason)) from None
        except VapidException:
            raise Refused(f"{target.host} cannot be named in a signature.", request=request) from None
        except Unanswered as reason:
            raise TryAgain(str(reason), request=request) from None
        return _judged(answer, request)

    def settled(self, delivery: Delivery, *, outcome: Receipt | NotSent, now: datetime) -> None:
        push.keep_books(delivery, outcome=outcome, now=now)


def _title(items: Sequence[Notification]) -> str:
    match items:
        case []:
            return "A test of your browser"
        case [one]:
            return one.title
    return f"{len(items)} notifications"


def _url(task_id: UUID | None) -> str:
    place = f"tasks/{task_id}/" if task_id else "notifications/"
    return f"{settings.PUBLIC_URL.rstrip('/')}/api/v1/{place}"


def _fitted(shown: dict[str, Any]) -> dict[str, Any]:
    for name in ("body", "title"):
        over = len(_bytes(shown)) - MAX_CONTENT_BYTES
        if over > 0:
            # Of a letter there is at least one byte: more is cut than needed rather than less.
            shown[name] = _cut(shown[name], most=len(_bytes(shown[name])) - 2 - over)
    return shown


def _cut(text: str, *, most: int) -> str:
    """What fits so many bytes, as JSON writes it, with a sign that there was more."""
    while text and len(_bytes(f"{text}…")) - 2 > most:
        text = text[: min(len(text) - 1, len(text) * 9 // 10)]
    return f"{text}…" if text else ""


def _bytes(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _vapid(private: str, *, audience: str) -> dict[str, str]:
    claims = {"aud": audience, "exp": int(time.time()) + VAPID_SECONDS, "sub": settings.VAPID_SUBJECT}
    signed: dict[str, str] = Vapid02.from_der(private.encode()).sign(claims)
    return signed


def _encrypted(content: Mapping[str, Any], to: Reach) -> bytes:
    encrypted: bytes = http_ece.encrypt(
        _bytes(content),
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=decoded(to.p256dh),
        auth_secret=decoded(to.auth),
        version="aes128gcm",
    )
    return encrypted


def _judged(answer: Answer, request: Mapping[str, Any]) -> Receipt:
    """Raises what `Transport.send` does."""
    response = answer.as_json()
    if 200 <= answer.status < 300:
        return Receipt(request, response)
    if answer.status in _GONE:
        told = "The browser ended this, its service says: it is pushed to no more."
        raise Refused(told, gone=True, request=request, response=response)
    told = f"The browser's service answered {answer.status}."
    if answer.status in _MAY_WORK_LATER or answer.status >= 500:
        raise TryAgain(told, after_seconds=answer.retry_after, request=request, response=response)
    why = " It was too long." if answer.status == _TOO_BIG else ""
    raise Refused(told + why, request=request, response=response)
