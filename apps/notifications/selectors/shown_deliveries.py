"""Reads of what goes out to people, as its owner and the admin are shown it.

Invariant: what notifications are shown with is read in a fixed number of queries, however many they are.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, Prefetch, QuerySet, Window
from django.db.models.functions import RowNumber

from apps.notifications.models import (
    Delivery,
    DeliveryAttempt,
    DeliveryItem,
    Notification,
    PushSubscription,
    WebhookEndpoint,
)

# Of a notification that was sent again and again the newest deliveries are shown.
MOST_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A delivery and what its destination is called."""

    delivery: Delivery
    destination: str


def attempts_of(delivery: Delivery) -> QuerySet[DeliveryAttempt]:
    """The first first."""
    return DeliveryAttempt.objects.filter(delivery=delivery).order_by("number")


def with_deliveries(rows: Iterable[Notification]) -> list[Notification]:
    """The same notifications, each with what went out of it: two queries for their deliveries, two for names."""
    rows = list(rows)
    newest = Window(RowNumber(), partition_by=[F("notification_id")], order_by=F("delivery_id").desc())
    items = (
        DeliveryItem.objects.filter(notification__in=[one.pk for one in rows])
        .annotate(place=newest)
        .filter(place__lte=MOST_SHOWN)
        .prefetch_related(Prefetch("delivery", Delivery.objects.defer("content")))
    )
    found: dict[UUID, list[Delivery]] = {}
    for item in items:
        found.setdefault(item.notification_id, []).append(item.delivery)
    called = names_of([one for deliveries in found.values() for one in deliveries])
    for row in rows:
        deliveries = sorted(found.get(row.pk, []), key=lambda one: one.pk)
        row.__dict__["_deliveries"] = [Shown(delivery=one, destination=called[one.pk]) for one in deliveries]
    return rows


def shown_deliveries(notification: Notification) -> Sequence[Shown]:
    """The oldest first, at most `MOST_SHOWN`."""
    if "_deliveries" not in notification.__dict__:
        with_deliveries([notification])
    deliveries: Sequence[Shown] = notification.__dict__["_deliveries"]
    return deliveries


def names_of(deliveries: Collection[Delivery]) -> Mapping[UUID, str]:
    """What the destination of each is called; empty for one that is the person."""
    asked = {one.destination for one in deliveries if one.destination}
    called: dict[str, str] = {}
    if asked:
        endpoints = WebhookEndpoint.objects.filter(pk__in=_ids(asked)).values_list("pk", "url", "description")
        called |= {str(pk): description or url for pk, url, description in endpoints}
        browsers = PushSubscription.objects.filter(pk__in=_ids(asked)).values_list("pk", "label")
        called |= {str(pk): label or "a browser" for pk, label in browsers}
    return {one.pk: called.get(one.destination, "gone") if one.destination else "" for one in deliveries}


def _ids(texts: Iterable[str]) -> list[Any]:
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:  # a destination of a transport that names its own
            continue
    return found
