"""Turns the signals of tasks into events: the one module that knows both.

Invariant: runs inside the transaction of the change, so a change and its event are kept together or not at all.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.dispatch import receiver

from apps.accounts.models import User
from apps.events import envelope, outbox
from apps.events.envelope import Envelope
from apps.events.event_types import EventType
from apps.tasks import signals
from apps.tasks.events import TaskEvent
from apps.tasks.models import Task

Changes = Mapping[str, tuple[Any, Any]]


def describe(event_type: EventType, task: Task, *, actor: User, occurred_at: datetime, changes: Changes) -> Envelope:
    """The event that tells of a task: how it now is, and per changed field the value before and after."""
    data: dict[str, Any] = {
        "task": {
            "title": task.title,
            "description": task.description,
            "status": str(task.status),
            "priority": str(task.priority),
            "due_at": _plain(task.due_at),
        }
    }
    if event_type is not TaskEvent.CREATED:
        data["changes"] = {
            field: {"before": _plain(before), "after": _plain(after)} for field, (before, after) in changes.items()
        }
    return envelope.new(
        event_type,
        subject_type="task",
        subject_id=task.id,
        version=task.version,
        owner_id=task.owner_id,
        actor_id=actor.id,
        occurred_at=occurred_at,
        data=data,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


@receiver(signals.task_created)
def publish_task_created(task: Task, actor: User, occurred_at: datetime, changes: Changes, **_: Any) -> None:
    outbox.append(describe(TaskEvent.CREATED, task, actor=actor, occurred_at=occurred_at, changes=changes))


@receiver(signals.task_updated)
def publish_task_updated(task: Task, actor: User, occurred_at: datetime, changes: Changes, **_: Any) -> None:
    outbox.append(describe(TaskEvent.UPDATED, task, actor=actor, occurred_at=occurred_at, changes=changes))


@receiver(signals.task_completed)
def publish_task_completed(task: Task, actor: User, occurred_at: datetime, changes: Changes, **_: Any) -> None:
    outbox.append(describe(TaskEvent.COMPLETED, task, actor=actor, occurred_at=occurred_at, changes=changes))


@receiver(signals.task_reopened)
def publish_task_reopened(task: Task, actor: User, occurred_at: datetime, changes: Changes, **_: Any) -> None:
    outbox.append(describe(TaskEvent.REOPENED, task, actor=actor, occurred_at=occurred_at, changes=changes))


@receiver(signals.task_deleted)
def publish_task_deleted(task: Task, actor: User, occurred_at: datetime, changes: Changes, **_: Any) -> None:
    outbox.append(describe(TaskEvent.DELETED, task, actor=actor, occurred_at=occurred_at, changes=changes))


@receiver(signals.task_restored)
def publish_task_restored(task: Task, actor: User, occurred_at: datetime, changes: Changes, **_: Any) -> None:
    outbox.append(describe(TaskEvent.RESTORED, task, actor=actor, occurred_at=occurred_at, changes=changes))
