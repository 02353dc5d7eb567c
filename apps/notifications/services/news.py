"""What people are to be told, as it is heard: of reminders that were triggered, and of whatever else happens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.events.envelope import Envelope
from apps.events.errors import PoisonEvent
from apps.notifications.choices import wording
from apps.notifications.kinds import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What somebody is to be told. `once` names it: whoever says it again is saying the same.

    `about_at` is the instant it is for, `only` the transports it is meant for, `cause` the event that led to it.
    """

    owner_id: UUID
    kind: Kind
    once: str
    title: str
    text: str
    about_at: datetime
    task_id: UUID | None = None
    reminder_id: UUID | None = None
    urgent: bool = False
    due_at: datetime | None = None
    due_on: date | None = None
    late_seconds: float = 0.0
    data: Mapping[str, Any] = field(default_factory=dict)
    cause: Envelope | None = None
    only: frozenset[str] | None = None


def news_of(event: Envelope, *, zone_of: Mapping[UUID, ZoneInfo], now: datetime) -> News:
    """What `reminder.triggered.v1` is news of. It is as late as it was triggered late, and as it was told since.

    Raises `PoisonEvent` for one of nobody.
    """
    if event.owner_id is None or event.owner_id not in zone_of:
        raise PoisonEvent(f"There is no person {event.owner_id} to be told.")
    reminder, task = event.data["reminder"], event.data["task"]
    due_at = datetime.fromisoformat(task["due_at"]) if task["due_at"] else None
    due_on = date.fromisoformat(task["due_on"]) if task["due_on"] else None
    late = event.data["late_seconds"] + max(0.0, (now - event.occurred_at).total_seconds())
    return News(
        owner_id=event.owner_id,
        kind=Kind.REMINDER,
        once=f"reminder/{event.subject_id}/{event.data['number']}",
        title=task["title"],
        text=wording.of_reminder(due_at, due_on, late_seconds=late, now=now, zone=zone_of[event.owner_id]),
        about_at=datetime.fromisoformat(reminder["trigger_at"]),
        task_id=UUID(reminder["task_id"]),
        reminder_id=event.subject_id,
        urgent=task["priority"] == "urgent",
        due_at=due_at,
        due_on=due_on,
        late_seconds=late,
        data={"before_due": reminder["before_due"], "origin": reminder["origin"], "number": event.data["number"]},
        cause=event,
    )
