"""What tests of telling share: a way to tell that tests hold in their hands, and news of any kind."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from django.db.models import Q

from apps.accounts.models import User
from apps.events import envelope as envelopes
from apps.events.envelope import Envelope
from apps.notifications.events import ReminderEvent
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, Notification
from apps.notifications.services.news import News
from apps.notifications.transports import transports
from apps.notifications.transports.base import Destination, Transport
from apps.notifications.transports.in_app import InApp

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
_numbers = count(1)


# A grandchild of `Transport` is found by nobody else.
class Pigeon(InApp):
    """Goes where tests say; by default to the person."""

    name = "pigeon"
    label = "by pigeon"
    on_by_default = frozenset({Kind.REMINDER, Kind.OVERDUE, Kind.DIGEST})
    always = frozenset()
    at_once = False

    def __init__(self) -> None:
        self.places: dict[UUID, list[Destination]] = {}

    def destinations(self, owners: Collection[User]) -> dict[UUID, list[Destination]]:
        return {one.pk: self.places.get(one.pk, [Destination()]) for one in owners}

    def nowhere(self) -> str:
        return "You have no dovecote."


@contextmanager
def only_in_app_and(pigeon: Transport) -> Iterator[None]:
    """The transports there are, for a while."""
    there = transports()
    before = dict(there)
    there.clear()
    there.update({"in_app": before["in_app"], pigeon.name: pigeon})
    try:
        yield
    finally:
        there.clear()
        there.update(before)


def news(owner: User, **fields: Any) -> News:
    made: dict[str, Any] = {
        "kind": Kind.REMINDER,
        "once": f"reminder/{next(_numbers)}",
        "title": "Buy milk",
        "text": "Due today at 12:30.",
        "about_at": NOON,
        **fields,
    }
    return News(owner_id=owner.pk, **made)


def triggered(owner_id: UUID, *, number: int = 1, reminder_id: UUID | None = None, **fields: Any) -> Envelope:
    """`reminder.triggered.v1` at noon, as somebody may put it on the topic by hand."""
    task: dict[str, Any] = {"title": "Buy milk", "priority": "none", "due_at": "2026-05-04T12:30:00Z", "due_on": None}
    reminder: dict[str, Any] = {
        "task_id": str(uuid4()),
        "origin": "asked",
        "before_due": "PT30M",
        "status": "triggered",
    }
    at: dict[str, Any] = {"planned_for": "2026-05-04T12:00:00Z", "trigger_at": "2026-05-04T12:00:00Z"}
    data: dict[str, Any] = {
        "reminder": {**reminder, **at, **{name: fields[name] for name in ("task_id", "before_due") if name in fields}},
        "task": {**task, "due_time_zone": None, **fields.get("task", {})},
        "number": number,
        "late_seconds": fields.get("late_seconds", 0.2),
    }
    return envelopes.new(
        ReminderEvent.TRIGGERED,
        subject_type="reminder",
        subject_id=reminder_id or uuid4(),
        version=2,
        owner_id=owner_id,
        actor_id=None,
        occurred_at=fields.get("occurred_at", NOON),
        data=data,
        key=data["reminder"]["task_id"],
    )


def claimed(now: datetime) -> list[Delivery]:
    """What a sender would take now, as sent; the oldest first."""
    due = Delivery.objects.filter(
        Q(status=Delivery.Status.COLLECTING) | Q(status=Delivery.Status.WAITING), send_at__lte=now
    )
    taken = list(due.order_by("send_at", "pk").select_for_update())
    Delivery.objects.filter(pk__in=[one.pk for one in taken]).update(status=Delivery.Status.DELIVERED)
    return taken


def decisions(one: Notification) -> dict[str, str]:
    """What was decided, by transport."""
    one.refresh_from_db()
    return {choice["transport"]: choice["decision"] for choice in one.choices}
