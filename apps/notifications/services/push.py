"""The only writers of browsers that are pushed to, and of the key by which their services know us.

Invariants: a browser is one row, however often it introduces itself, and belongs to whoever introduced it last. There
is one pair of keys, whoever makes it first; browsers are bound to it, so nothing changes it.
"""

import base64
import binascii
import hashlib
from datetime import datetime
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.db import connection, transaction
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.accounts.services import locked
from apps.notifications import sealing
from apps.notifications.calls import targets
from apps.notifications.exceptions import InvalidDestination, SubscriptionNotFound, TooManySubscriptions
from apps.notifications.models import Delivery, PushSubscription, VapidKey
from apps.notifications.transports.base import NotSent, Receipt, Refused

log = structlog.get_logger(__name__)

TRANSPORT = "push"
MAX_SUBSCRIPTIONS = 10
MAX_LABEL_LENGTH = 200
GONE_BECAUSE = "browser_gone"
_POINT_BYTES = 65
_AUTH_BYTES = 16


@transaction.atomic
def subscribe(
    *, owner: User, endpoint: str, p256dh: str, auth: str, label: str = "", now: datetime
) -> PushSubscription:
    """Push to a browser from now on; to one that is known already, with the keys it has now.

    One that somebody else came in with before is theirs no more. Raises `InvalidDestination`, `TooManySubscriptions`
    and `AccountErased`.
    """
    _check(endpoint, p256dh=p256dh, auth=auth, label=label)
    digest = hashlib.sha256(endpoint.encode()).hexdigest()
    locked(owner.pk)  # so that two at once are counted one by one
    _take_turn(digest)
    row = PushSubscription.objects.select_for_update().filter(digest=digest).first()
    if row is not None and row.owner_id != owner.pk:
        _remove(row, now=now)
        row = None
    if row is None and PushSubscription.objects.filter(owner=owner).count() >= MAX_SUBSCRIPTIONS:
        raise TooManySubscriptions(MAX_SUBSCRIPTIONS)
    row = row or PushSubscription(owner=owner, endpoint=endpoint, digest=digest, created_at=now)
    row.p256dh, row.auth, row.label = p256dh.rstrip("="), sealing.seal(auth.rstrip("=")), label or row.label
    row.save()
    return row


@transaction.atomic
def unsubscribe(*, subscription_id: UUID, actor: User, now: datetime) -> None:
    """Push to this browser no more. Raises `SubscriptionNotFound`, also for somebody else's."""
    row = PushSubscription.objects.select_for_update().filter(pk=subscription_id, owner=actor).first()
    if row is None:
        raise SubscriptionNotFound(subscription_id)
    _remove(row, now=now)


@transaction.atomic
def keep_books(delivery: Delivery, *, outcome: Receipt | NotSent, now: datetime) -> None:
    """Count the outcome of an attempt, inside the transaction that keeps it; who is gone is taken away."""
    row = PushSubscription.objects.select_for_update().filter(pk=delivery.destination).first()
    if row is None:
        _drop_open(delivery.destination, now=now)
    elif isinstance(outcome, Receipt):
        row.failures, row.succeeded_at = 0, now
        row.save(update_fields=["failures", "succeeded_at"])
    elif isinstance(outcome, Refused) and outcome.gone:
        _remove(row, now=now)
        log.info("push_subscription_gone", subscription_id=delivery.destination)
    else:
        row.failures += 1
        row.save(update_fields=["failures"])


def public_key() -> str:
    """What browsers subscribe with: base64url of the point, uncompressed."""
    return vapid_key().public


def vapid_key() -> VapidKey:
    """The installation's pair, made when it is first needed; of two makers at once the first one's counts."""
    found = VapidKey.objects.first()
    if found is None:
        VapidKey.objects.bulk_create([_new_key()], ignore_conflicts=True)
        found = VapidKey.objects.get()
    return found


def _new_key() -> VapidKey:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return VapidKey(private=sealing.seal(_text(private)), public=_text(point), created_at=Now())


def _take_turn(digest: str) -> None:
    """Of one browser that two people come in with at once, the later one is heard later."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('notifications.push'), hashtext(%s))", [digest])


def _check(endpoint: str, *, p256dh: str, auth: str, label: str) -> None:
    try:
        targets.parse(endpoint)
    except targets.NotAllowed as reason:
        raise InvalidDestination(field="endpoint", reason=str(reason)) from None
    if len(label) > MAX_LABEL_LENGTH:
        raise InvalidDestination(field="label", reason=f"At most {MAX_LABEL_LENGTH} characters.")
    if len(decoded(auth)) != _AUTH_BYTES:
        raise InvalidDestination(field="keys.auth", reason=f"Give {_AUTH_BYTES} bytes in base64url.")
    if not _is_point(decoded(p256dh)):
        told = "Give a point of the curve P-256, uncompressed, in base64url."
        raise InvalidDestination(field="keys.p256dh", reason=told)


def _is_point(content: bytes) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), content)
    except ValueError:
        return False
    return len(content) == _POINT_BYTES


def decoded(text: str) -> bytes:
    """Of base64url, with or without its padding; nothing where it is none."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _remove(row: PushSubscription, *, now: datetime) -> None:
    _drop_open(str(row.pk), now=now)
    row.delete()


def _drop_open(subscription_id: str, *, now: datetime) -> None:
    waiting = Delivery.objects.filter(
        transport=TRANSPORT, destination=subscription_id, status__in=(*Delivery.TO_COME, Delivery.Status.HELD)
    )
    # Locked in the order in which everybody locks them.
    ids = list(waiting.order_by("pk").select_for_update().values_list("pk", flat=True))
    Delivery.objects.filter(pk__in=ids).update(status=Delivery.Status.DROPPED, because=GONE_BECAUSE, finished_at=now)
