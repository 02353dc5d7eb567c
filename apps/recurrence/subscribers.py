"""What the recurrence group takes from the log: what happened to tasks that repeat, and to their owners.

Each function unpacks its event and calls a service.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from apps.accounts.events import AccountEvent
from apps.events.envelope import Envelope
from apps.events.subscriptions import ConsumerGroup
from apps.recurrence import services
from apps.recurrence.services import Due
from apps.tasks.events import TaskEvent

# An effect locks the owner's tasks, for which people wait: a transaction per event.
group = ConsumerGroup("recurrence", one_by_one=True)

_OPEN = {"pending", "in_progress"}


def _is_of_a_series(event: Envelope) -> bool:
    return event.data["task"].get("series_id") is not None


def _begins_to_repeat(event: Envelope) -> bool:
    """An occurrence carries its series, and opens none."""
    task = event.data["task"]
    return bool(_is_of_a_series(event) and task.get("recurrence") and not task.get("recurrence_id"))


def _repeats_otherwise(event: Envelope) -> bool:
    """By a person's wish: what the platform changed of a task followed its series."""
    return _is_of_a_series(event) and "recurrence" in event.data["changes"] and event.actor_id is not None


@group.on(TaskEvent.CREATED, when=_begins_to_repeat)
def open_series(event: Envelope) -> None:
    _open(event, event.data["task"])


@group.on(TaskEvent.UPDATED, when=_repeats_otherwise)
def follow_recurrence(event: Envelope) -> None:
    changed, task = event.data["changes"]["recurrence"], event.data["task"]
    series_id = _series_of(event)
    if changed["after"] is None:
        services.stop_series(series_id=series_id, actor_id=event.actor_id, now=event.occurred_at)
    elif changed["before"] is None:
        _open(event, task)
    else:
        services.change_rule(
            series_id=series_id,
            task_id=event.subject_id,
            recurrence=changed["after"],
            due=_due(task),
            actor_id=event.actor_id,
            now=event.occurred_at,
        )


@group.on(TaskEvent.COMPLETED, when=_is_of_a_series)
def advance_series(event: Envelope) -> None:
    services.advance_series(
        series_id=_series_of(event), task_id=event.subject_id, completed_at=event.occurred_at, now=_now()
    )


@group.on(TaskEvent.DELETED, when=_is_of_a_series)
def leave_deleted(event: Envelope) -> None:
    services.leave_deleted(
        series_id=_series_of(event),
        task_id=event.subject_id,
        was_open=event.data["changes"]["status"]["before"] in _OPEN,
        goes_on=event.data.get("series") == "continues",
        actor_id=event.actor_id,
        deleted_at=event.occurred_at,
        now=_now(),
    )


@group.on(TaskEvent.RESTORED, when=_is_of_a_series)
def reopen_restored(event: Envelope) -> None:
    services.reopen_restored(
        series_id=_series_of(event), task_id=event.subject_id, actor_id=event.actor_id, now=event.occurred_at
    )


@group.on(AccountEvent.TIME_ZONE_CHANGED)
def move_to_time_zone(event: Envelope) -> None:
    services.move_to_time_zone(owner_id=event.subject_id, now=event.occurred_at)


@group.on(AccountEvent.ERASED)
def forget_owner(event: Envelope) -> None:
    while services.forget_owner(owner_id=event.subject_id, now=_now()):
        pass


def _open(event: Envelope, task: Mapping[str, Any]) -> None:
    services.open_series(
        series_id=_series_of(event),
        owner_id=_owner(event),
        task_id=event.subject_id,
        recurrence=task["recurrence"],
        due=_due(task),
        now=event.occurred_at,
    )


def _due(task: Mapping[str, Any]) -> Due:
    at, on = task.get("due_at"), task.get("due_on")
    return Due(
        at=datetime.fromisoformat(at) if at else None,
        on=date.fromisoformat(on) if on else None,
        zone=task.get("due_time_zone"),
        owner_zone=task.get("time_zone"),
    )


def _series_of(event: Envelope) -> UUID:
    return UUID(event.data["task"]["series_id"])


def _owner(event: Envelope) -> UUID:
    assert event.owner_id is not None, "an event of a task has an owner"
    return event.owner_id


def _now() -> datetime:
    """What is late is decided by when it is handled, not by when it happened."""
    return datetime.now(UTC)
