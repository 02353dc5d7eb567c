"""Notifications and deliveries as other parts would have left them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import connection, transaction
from uuid_utils.compat import uuid7

from apps.accounts.models import User
from apps.notifications import signals
from apps.notifications.events import NotificationEvent
from apps.notifications.models import Delivery, DeliveryItem, Notification
from apps.notifications.publishers import notification_state
from apps.notifications.signals import Change

EARLIER = timedelta(seconds=30)


def database_instant() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        instant: datetime = cursor.fetchone()[0]
    return instant


@transaction.atomic
def notification(owner: User, **fields: Any) -> Notification:
    now = datetime.now(UTC)
    plain = {"kind": "reminder", "once": f"test/{uuid4()}", "title": "Buy milk", "about_at": now}
    row = Notification.objects.create(**{"owner": owner, "created_at": now, "updated_at": now} | plain | fields)
    fact = Change(fact=NotificationEvent.CREATED, row=row, version=1, state=notification_state(row))
    signals.notifications_changed.send(sender=Notification, changes=[fact], occurred_at=now)
    return row


def delivery(owner: User, *items: Notification, ago: timedelta = EARLIER, **fields: Any) -> Delivery:
    """Of these notifications, by default of a new one; due for `ago`."""
    now = database_instant()
    plain = {"transport": "letters", "kind": "reminder", "status": "waiting", "send_at": now - ago, "created_at": now}
    row = Delivery.objects.create(**{"id": uuid7(), "owner": owner} | plain | fields)
    for item in items or [notification(owner)]:
        DeliveryItem.objects.create(delivery=row, notification=item)
    return row
