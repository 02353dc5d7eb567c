"""Reads of what a person was told."""

from collections.abc import Iterable

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import IsNull

from apps.accounts.models import User
from apps.notifications.models import Delivery, DeliveryItem, Notification
from apps.notifications.selectors.whose import owned_by

# Nobody reads on a badge that there are more.
MOST_COUNTED = 1000

UNDER_WAY = (Delivery.Status.COLLECTING, Delivery.Status.WAITING, Delivery.Status.SENDING)
# What a notification is as a whole is the first of these that one of its deliveries is: what is wrong or to come, then
# what went out; what is kept for a webhook that is off, or was not needed any more, only where nothing did.
_WENT = {
    "failed": (Delivery.Status.FAILED,),
    "waiting": UNDER_WAY,
    "sent": (Delivery.Status.DELIVERED,),
    "held": (Delivery.Status.HELD,),
    "dropped": (Delivery.Status.DROPPED,),
}
OUTCOMES = tuple(_WENT)


def notifications_of(*, owner: User) -> QuerySet[Notification]:
    """All a person was told, what is done and what stood in no inbox among it."""
    found: QuerySet[Notification] = owned_by(Notification.objects.all(), owner)
    return found


def unread_count(*, owner: User) -> int:
    """How many stand unread in the inbox; more than `MOST_COUNTED` are not counted."""
    unread = notifications_of(owner=owner).filter(status=Notification.Status.UNREAD, in_inbox=True)
    return unread.order_by()[:MOST_COUNTED].count()


def that_went(outcome: str, *, owner: User) -> Q:
    """Notifications that went out as `overall` tells."""
    if outcome == "sent":
        condition = has_one(_WENT["sent"]) | (Q(in_inbox=True) & ~has_one(Delivery.Status.values))
    else:
        # From the deliveries: of all that a person was told these are few.
        items = DeliveryItem.objects.filter(delivery__owner=owner, delivery__status__in=_WENT[outcome])
        condition = Q(pk__in=items.values("notification_id"))
    for one in OUTCOMES[: OUTCOMES.index(outcome)]:
        condition &= ~has_one(_WENT[one])
    return condition


def overall(notification: Notification, statuses: set[str]) -> str | None:
    """How it went out as a whole, by the statuses of its deliveries; of one without any, the inbox is what it was sent
    to. `None` where there was nowhere to go.
    """
    for outcome, those in _WENT.items():
        if statuses.intersection(those):
            return outcome
    return "sent" if notification.in_inbox and not statuses else None


def has_one(statuses: Iterable[str]) -> Q:
    """Notifications with a delivery of one of these statuses.

    Looked at row by row, each delivery by its id, since a page is full after a few: flattened into joins it could read
    all deliveries there are.
    """
    status = Delivery.objects.filter(pk=OuterRef("delivery_id")).order_by().values("status")[:1]
    items = DeliveryItem.objects.filter(notification=OuterRef("pk")).annotate(went=Subquery(status))
    return Q(IsNull(Subquery(items.filter(went__in=statuses).order_by().values("pk")[:1]), False))
