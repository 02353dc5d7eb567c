"""How every change of reminders is made: take their tasks' turns, change rows with their versions, announce it.

Invariant: all changes of one call are written and announced in a few statements, however many they are.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection

from apps.events import doorbells
from apps.events.envelope import Envelope
from apps.events.event_types import EventType
from apps.notifications import signals
from apps.notifications.events import ReminderEvent
from apps.notifications.models import Notification, RemindedTask, Reminder
from apps.notifications.publishers import reminder_state
from apps.notifications.signals import Change

Status = Reminder.Status
T = TypeVar("T")

SOON = timedelta(seconds=60)

_UPDATE = """
UPDATE notifications_reminder AS r
SET version = v.version, origin = v.origin, before_due = v.before_due, planned_for = v.planned_for,
    trigger_at = v.trigger_at, status = v.status, because = v.because, triggers = v.triggers,
    triggered_at = v.triggered_at, updated_at = v.updated_at
FROM unnest(%s::uuid[], %s::integer[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[],
            %s::text[], %s::integer[], %s::timestamptz[], %s::timestamptz[])
    AS v(id, version, origin, before_due, planned_for, trigger_at, status, because, triggers, triggered_at, updated_at)
WHERE r.id = v.id AND r.version = v.version - 1
"""
_COLUMNS = (
    *("pk", "version", "origin", "before_due", "planned_for", "trigger_at", "status", "because", "triggers"),
    *("triggered_at", "updated_at"),
)


class Changes:
    """What is done to reminders whose tasks' turns were taken, written and announced by `keep`.

    A reminder may change once in each: the next change of it needs another.
    """

    def __init__(self, *, now: datetime) -> None:
        self.now = now
        self._made: list[Reminder] = []
        self._changed: list[Reminder] = []
        self._facts: list[Change] = []

    def __len__(self) -> int:
        return len(self._facts)

    def make(self, reminder: Reminder, *, actor_id: UUID | None = None, cause: Envelope | None = None) -> None:
        reminder.version = 1
        reminder.created_at = reminder.updated_at = self.now
        self._made.append(reminder)
        self._tell(ReminderEvent.SCHEDULED, reminder, actor_id=actor_id, cause=cause, told={})

    def change(
        self,
        reminder: Reminder,
        fact: EventType,
        *,
        values: Mapping[str, Any],
        told: Mapping[str, Any],
        actor_id: UUID | None = None,
        cause: Envelope | None = None,
    ) -> None:
        for name, value in values.items():
            setattr(reminder, name, value)
        reminder.version += 1
        reminder.updated_at = self.now
        self._changed.append(reminder)
        self._tell(fact, reminder, actor_id=actor_id, cause=cause, told=told)

    def keep(self) -> None:
        """Write and announce all of it."""
        Reminder.objects.bulk_create(self._made)
        _update(self._changed)
        if self._facts:
            signals.reminders_changed.send(sender=Reminder, changes=self._facts, occurred_at=self.now)
        if any(one.waits and one.trigger_at < self.now + SOON for one in [*self._made, *self._changed]):
            # It may be due before the next sweep. When exactly, the database's clock says.
            doorbells.ring("notifications.trigger_due")

    def _tell(
        self,
        fact: EventType,
        reminder: Reminder,
        *,
        actor_id: UUID | None,
        cause: Envelope | None,
        told: Mapping[str, Any],
    ) -> None:
        state = reminder_state(reminder)
        self._facts.append(
            Change(
                fact=fact,
                row=reminder,
                version=reminder.version,
                state=state,
                actor_id=actor_id,
                cause=cause,
                told=told,
            )
        )


def take_turns(task_ids: Collection[UUID]) -> dict[UUID, RemindedTask]:
    """Lock the rows of these tasks, in one order for everybody; those there are."""
    rows = RemindedTask.objects.filter(pk__in=sorted(set(task_ids))).select_for_update().order_by("pk")
    return {row.pk: row for row in rows}


def delivered(
    notifications: Sequence[Notification],
    *,
    transport: str,
    now: datetime,
    delivery_id: UUID | None = None,
    attempts: int = 1,
    causes: Mapping[UUID, Envelope] | None = None,
) -> None:
    """A transport got these through: those of reminders are delivered. `causes` by the ids of notifications."""
    told = {"transport": transport, "delivery_id": str(delivery_id) if delivery_id else None, "attempts": attempts}
    _settle(notifications, ReminderEvent.DELIVERED, Status.DELIVERED, told=told, now=now, causes=causes)


def failed(
    notifications: Sequence[Notification],
    *,
    transport: str,
    error: str,
    now: datetime,
    delivery_id: UUID | None = None,
    attempts: int = 1,
) -> None:
    """A transport gave up on these: a reminder that nothing else delivered has failed."""
    told = {
        "transport": transport,
        "delivery_id": str(delivery_id) if delivery_id else None,
        "attempts": max(1, attempts),
        "error": error[:2000],
    }
    _settle(notifications, ReminderEvent.FAILED, Status.FAILED, told=told, now=now)


def untold(notifications: Sequence[Notification], *, now: datetime, causes: Mapping[UUID, Envelope]) -> None:
    """Of what was triggered nobody was told: by then it held no more, or nothing is switched on that would tell it.

    The turns of their tasks are the caller's already.
    """
    reminders = Reminder.objects.in_bulk([one.reminder_id for one in notifications if one.reminder_id])
    changes = Changes(now=now)
    for one in notifications:
        reminder = reminders.pop(one.reminder_id, None) if one.reminder_id else None
        if reminder is None or reminder.status != Status.TRIGGERED:
            continue
        because = Reminder.Because(one.because) if one.because else Reminder.Because.UNWANTED
        changes.change(
            reminder,
            ReminderEvent.CANCELLED,
            values={"status": Status.CANCELLED, "because": because},
            told={"because": str(because)},
            cause=causes.get(one.pk),
        )
    changes.keep()


def _settle(
    notifications: Sequence[Notification],
    fact: EventType,
    status: Reminder.Status,
    *,
    told: Mapping[str, Any],
    now: datetime,
    causes: Mapping[UUID, Envelope] | None = None,
) -> None:
    if all(one.reminder_id is None for one in notifications):
        return
    take_turns({one.task_id for one in notifications if one.reminder_id and one.task_id})
    reminders = Reminder.objects.in_bulk({one.reminder_id for one in notifications if one.reminder_id})
    # Of others the task was purged, or the event came from elsewhere.
    told_of = [(one, reminders[one.reminder_id]) for one in notifications if one.reminder_id in reminders]
    # Several notifications of one reminder are several facts, and so several versions.
    for wave in in_waves(told_of, of=lambda pair: pair[1].pk):
        changes = Changes(now=now)
        for one, reminder in wave:
            moves = reminder.status in {Status.TRIGGERED, Status.FAILED}
            changes.change(
                reminder,
                fact,
                values={"status": status} if moves else {},
                told={**told, "notification_id": str(one.pk)},
                cause=(causes or {}).get(one.pk),
            )
        changes.keep()


def in_waves(items: Iterable[T], *, of: Callable[[T], UUID]) -> list[list[T]]:
    """The first of each, then the second of those that have one, and so on: in a wave a row changes once."""
    waves: list[list[T]] = []
    count: Counter[UUID] = Counter()
    for item in items:
        number, count[of(item)] = count[of(item)], count[of(item)] + 1
        if number == len(waves):
            waves.append([])
        waves[number].append(item)
    return waves


def _update(reminders: Sequence[Reminder]) -> None:
    if not reminders:
        return
    columns = [[getattr(reminder, name) for reminder in reminders] for name in _COLUMNS]
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, columns)
        assert cursor.rowcount == len(reminders), "their tasks' turns were taken"
