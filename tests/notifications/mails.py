"""Notifications and deliveries for the tests of mails, kept nowhere."""

from datetime import UTC, datetime
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from apps.notifications.mail import letters
from apps.notifications.models import Delivery, Notification

OWNER = UUID("01934567-0000-7000-8000-000000000001")
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")


def uuid(name):
    return uuid5(OWNER, name)


def notification(title="Buy milk", **fields):
    plain = {
        "id": uuid(f"notification {title}"),
        "owner_id": OWNER,
        "kind": "reminder",
        "title": title,
        "task_id": uuid(f"task {title}"),
        "about_at": NOW,
    }
    return Notification(**plain | fields)


def delivery(**fields):
    plain = {"id": uuid("delivery"), "owner_id": OWNER, "transport": "email", "kind": "reminder"}
    return Delivery(**plain | fields)


def composed(*items, zone=LONDON, now=NOW, **fields):
    """The content of the mail about these notifications."""
    return letters.compose(delivery(**fields), zone=zone, items=items or [notification()], now=now)
