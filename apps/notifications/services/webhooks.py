"""The only writers of webhooks, for their owners: made, changed, switched on and off, tested, told again.

Invariants: a secret is given out when it is made, and sealed ever after; after a rotation the one before signs for a
day, too, and no third one. Nothing that was for one that is off goes out before it is on again. What is sent again goes
by the id it had, so that its receiver knows it.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.accounts.services import locked
from apps.notifications import sealing
from apps.notifications.calls import targets
from apps.notifications.exceptions import (
    DeliveryNotFound,
    InvalidDestination,
    TooManyWebhooks,
    WebhookNotFound,
    WebhookOff,
)
from apps.notifications.models import Delivery, DeliveryItem, WebhookEndpoint
from apps.notifications.services import webhook_books
from apps.notifications.services.webhook_books import TRANSPORT, Status
from apps.tasks.exceptions import StaleVersion

log = structlog.get_logger(__name__)

MAX_ENDPOINTS = 20
MAX_DESCRIPTION_LENGTH = 200
# Standard Webhooks asks for 24 to 64.
SECRET_BYTES = 32
MOST_REDELIVERED = 100
BOTH_SECRETS_FOR = timedelta(hours=24)
CHANGEABLE = frozenset({"url", "description"})
_BY_OWNER = "You switched it off."
_BY_STAFF = "Staff switched it off."


@dataclass(frozen=True, slots=True)
class WithSecret:
    """A webhook and its secret, which is shown now and never again."""

    endpoint: WebhookEndpoint
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Redelivered:
    """What goes out again, in its order; `is_all` is false where there is more than goes out at once."""

    deliveries: list[Delivery]
    is_all: bool


@transaction.atomic
def create(*, owner: User, url: str, description: str = "", now: datetime) -> WithSecret:
    """A new one, enabled. Raises `InvalidDestination`, `TooManyWebhooks` and `AccountErased`."""
    kept = {"url": _checked("url", url), "description": _checked("description", description)}
    locked(owner.pk)  # so that two at once are counted one by one
    if WebhookEndpoint.objects.filter(owner=owner).count() >= MAX_ENDPOINTS:
        raise TooManyWebhooks(MAX_ENDPOINTS)
    secret = _new_secret()
    row = WebhookEndpoint.objects.create(
        owner=owner, secret=sealing.seal(secret), created_at=now, updated_at=now, **kept
    )
    log.info("webhook_created", endpoint_id=str(row.pk))
    return WithSecret(row, secret)


@transaction.atomic
def change(
    *, endpoint_id: UUID, actor: User, changes: Mapping[str, Any], now: datetime, expected_version: int | None = None
) -> WebhookEndpoint:
    """Change its URL or description; the same again is no change.

    Raises `InvalidDestination`, `WebhookNotFound` and `StaleVersion`.
    """
    if unknown := set(changes) - CHANGEABLE:
        raise InvalidDestination(field=min(unknown), reason="This field cannot be changed.")
    wanted = {name: _checked(name, value) for name, value in changes.items()}
    row = _own(endpoint_id, actor, expected_version=expected_version)
    made = [name for name, value in wanted.items() if getattr(row, name) != value]
    for name in made:
        setattr(row, name, wanted[name])
    if made:
        _save(row, *made, now=now)
    return row


@transaction.atomic
def rotate_secret(*, endpoint_id: UUID, actor: User, now: datetime, expected_version: int | None = None) -> WithSecret:
    """A new secret. The one before signs beside it for 24 hours; one before that, no more.

    Raises `WebhookNotFound` and `StaleVersion`.
    """
    row = _own(endpoint_id, actor, expected_version=expected_version)
    secret = _new_secret()
    row.previous_secret, row.previous_secret_until = row.secret, now + BOTH_SECRETS_FOR
    row.secret = sealing.seal(secret)
    _save(row, "secret", "previous_secret", "previous_secret_until", now=now)
    log.info("webhook_secret_rotated", endpoint_id=str(row.pk))
    return WithSecret(row, secret)


@transaction.atomic
def disable(
    *,
    endpoint_id: UUID,
    actor: User,
    now: datetime,
    as_staff: bool = False,
    expected_version: int | None = None,
) -> WebhookEndpoint:
    """Tell it nothing until it is enabled; what would go to it is held. Staff may, whosever it is.

    Raises `WebhookNotFound` and `StaleVersion`.
    """
    row = _own(endpoint_id, actor, as_staff=as_staff, expected_version=expected_version)
    if row.status == Status.DISABLED:
        return row
    because = _BY_OWNER if row.owner_id == actor.pk else _BY_STAFF
    return webhook_books.switch_off(row.pk, status=Status.DISABLED, because=because, now=now)


@transaction.atomic
def enable(
    *,
    endpoint_id: UUID,
    actor: User,
    now: datetime,
    as_staff: bool = False,
    expected_version: int | None = None,
) -> WebhookEndpoint:
    """Tell it again, what was held first; its failures are forgotten. Staff may, whosever it is.

    Raises `WebhookNotFound` and `StaleVersion`.
    """
    row = _own(endpoint_id, actor, as_staff=as_staff, expected_version=expected_version)
    if row.status == Status.ENABLED:
        return row
    row.status, row.disabled_at, row.disabled_because = Status.ENABLED, None, ""
    row.failures, row.failing_since = 0, None
    _save(row, "status", "disabled_at", "disabled_because", "failures", "failing_since", now=now)
    released = webhook_books.release_held(row.pk, now=now)
    log.info("webhook_enabled", endpoint_id=str(row.pk), released=released)
    return row


@transaction.atomic
def delete(*, endpoint_id: UUID, actor: User, now: datetime, expected_version: int | None = None) -> None:
    """Take it away, with what was still to go to it. Raises `WebhookNotFound` and `StaleVersion`."""
    row = _own(endpoint_id, actor, expected_version=expected_version)
    webhook_books.drop_open(row.pk, now=now)
    row.delete()
    log.info("webhook_deleted", endpoint_id=str(endpoint_id))


@transaction.atomic
def test(*, endpoint_id: UUID, actor: User, now: datetime) -> Delivery:
    """Send it a test, also when it is switched off; one that is still to go is enough. Raises `WebhookNotFound`."""
    row = _own(endpoint_id, actor)
    tests = Delivery.objects.filter(transport=TRANSPORT, destination=str(row.pk), kind=Delivery.Kinds.TEST)
    return tests.filter(status__in=Delivery.TO_COME).first() or Delivery.objects.create(
        owner=actor,
        transport=TRANSPORT,
        destination=str(row.pk),
        kind=Delivery.Kinds.TEST,
        status=Delivery.Status.WAITING,
        send_at=now,
        created_at=now,
    )


@transaction.atomic
def redeliver(*, endpoint_id: UUID, actor: User, delivery_id: UUID, now: datetime) -> Redelivered:
    """Send one again that was sent, or given up, as it was: the same content by the same id.

    Raises `WebhookNotFound`, `DeliveryNotFound` and `WebhookOff`.
    """
    row = _enabled(endpoint_id, actor)
    of = _sent(row).filter(pk=delivery_id).first()
    if of is None:
        raise DeliveryNotFound(delivery_id)
    return Redelivered(_again([of], now=now), is_all=True)


@transaction.atomic
def redeliver_range(
    *, endpoint_id: UUID, actor: User, since: datetime, until: datetime | None = None, now: datetime
) -> Redelivered:
    """Send again what was made from `since` on and before `until`, the oldest first, each once, at most 100.

    What was sent again already is not taken for another. Raises `WebhookNotFound` and `WebhookOff`.
    """
    row = _enabled(endpoint_id, actor)
    made = _sent(row).filter(redelivery_of=None, created_at__gte=since, created_at__lt=until or now)
    found = list(made.exclude(kind=Delivery.Kinds.TEST).order_by("created_at", "pk")[: MOST_REDELIVERED + 1])
    return Redelivered(_again(found[:MOST_REDELIVERED], now=now), is_all=len(found) <= MOST_REDELIVERED)


def _enabled(endpoint_id: UUID, actor: User) -> WebhookEndpoint:
    row = _own(endpoint_id, actor)
    if row.status != Status.ENABLED:
        raise WebhookOff
    return row


def _sent(row: WebhookEndpoint) -> QuerySet[Delivery]:
    """What went to it, well or not, and what it is."""
    over = (Delivery.Status.DELIVERED, Delivery.Status.FAILED)
    to_it = Delivery.objects.filter(transport=TRANSPORT, destination=str(row.pk), owner=row.owner_id)
    return to_it.filter(status__in=over, content__isnull=False)


def _again(rows: Sequence[Delivery], *, now: datetime) -> list[Delivery]:
    """As deliveries of their own, beside those they repeat."""
    made = Delivery.objects.bulk_create(
        Delivery(
            owner_id=of.owner_id,
            transport=TRANSPORT,
            destination=of.destination,
            kind=of.kind,
            urgent=of.urgent,
            content=of.content,
            status=Delivery.Status.WAITING,
            send_at=now + timedelta(microseconds=place),
            redelivery_of_id=of.redelivery_of_id or of.pk,
            created_at=now,
        )
        for place, of in enumerate(rows)
    )
    told = DeliveryItem.objects.filter(delivery__in=rows).values_list("delivery_id", "notification_id")
    again = {of.pk: one for of, one in zip(rows, made, strict=True)}
    DeliveryItem.objects.bulk_create(
        DeliveryItem(delivery=again[of], notification_id=notification_id) for of, notification_id in told
    )
    return made


def _own(
    endpoint_id: UUID, actor: User, *, as_staff: bool = False, expected_version: int | None = None
) -> WebhookEndpoint:
    """Locked, so that nobody tells it anything meanwhile; at the version that the writer has seen, if any."""
    rows = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint_id)
    row = (rows if as_staff else rows.filter(owner=actor)).first()
    if row is None:
        raise WebhookNotFound(endpoint_id)
    if expected_version is not None and row.version != expected_version:
        raise StaleVersion(row)
    return row


def _save(row: WebhookEndpoint, *fields: str, now: datetime) -> None:
    row.version += 1
    row.updated_at = now
    row.save(update_fields=[*fields, "version", "updated_at"])


def _checked(name: str, value: str) -> str:
    """As it is kept."""
    if name == "url":
        try:
            return targets.parse(value).url
        except targets.NotAllowed as reason:
            raise InvalidDestination(field="url", reason=str(reason)) from None
    if len(value) > MAX_DESCRIPTION_LENGTH or "\0" in value:
        raise InvalidDestination(field=name, reason=f"At most {MAX_DESCRIPTION_LENGTH} characters, and no NUL.")
    return value


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
