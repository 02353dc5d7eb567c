"""The only writers of tasks.

Each service is one transaction: lock the task's row, check, change it (version + 1), announce it. The signal is
sent inside the transaction; its receivers append the event there.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.dispatch import Signal

from apps.accounts.models import User
from apps.tasks import signals
from apps.tasks.exceptions import (
    AlreadyCompleted,
    InvalidTask,
    NotCompleted,
    NotDeleted,
    StatusNeedsVerb,
    TaskDeleted,
    TaskNotFound,
)
from apps.tasks.models import MAX_DESCRIPTION_BYTES, MAX_TITLE_LENGTH, Task

Status = Task.Status
Priority = Task.Priority

# Whatever the time zone, an instant between these has a date.
EARLIEST_DUE = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_DUE = datetime(9000, 1, 1, tzinfo=UTC)
CHANGEABLE = frozenset({"title", "description", "status", "priority", "due_at"})
VERB_OF_STATUS = {Status.COMPLETED: "complete", Status.DELETED: "delete"}


@transaction.atomic
def create_task(
    *,
    owner: User,
    actor: User,
    title: str,
    description: str = "",
    status: str = Status.PENDING,
    priority: str = Priority.NONE,
    due_at: datetime | None = None,
    now: datetime,
) -> Task:
    """Raises `InvalidTask` and `StatusNeedsVerb`."""
    _check_choice("status", status, Status.values)
    _check_choice("priority", priority, Priority.values)
    if verb := VERB_OF_STATUS.get(Status(status)):
        raise StatusNeedsVerb(status=status, verb=verb)
    task = Task(
        owner=owner,
        title=_checked_title(title),
        description=_checked_description(description),
        status=status,
        priority=priority,
        due_at=_checked_due(due_at),
        created_at=now,
        updated_at=now,
    )
    task.save(force_insert=True)
    _announce(signals.task_created, task, actor=actor, now=now, changes={})
    return task


@transaction.atomic
def update_task(*, task_id: UUID, actor: User, changes: Mapping[str, Any], now: datetime) -> Task:
    """Change fields of a task; a value that is the same already is no change, and no change is no event.

    Raises `TaskNotFound`, `TaskDeleted`, `InvalidTask` and `StatusNeedsVerb`.
    """
    task = _locked(task_id)
    if task.status == Status.DELETED:
        raise TaskDeleted
    if unknown := set(changes) - CHANGEABLE:
        raise InvalidTask(field=min(unknown), reason="This field cannot be changed.")
    wanted = {field: _checked(task, field=field, value=value) for field, value in changes.items()}
    made = {field: (getattr(task, field), value) for field, value in wanted.items() if getattr(task, field) != value}
    if not made:
        return task
    _change(task, {field: after for field, (_, after) in made.items()}, now=now)
    _announce(signals.task_updated, task, actor=actor, now=now, changes=made)
    return task


@transaction.atomic
def complete_task(*, task_id: UUID, actor: User, now: datetime) -> Task:
    """Raises `TaskNotFound`, `TaskDeleted` and `AlreadyCompleted`."""
    task = _locked(task_id)
    if task.status == Status.DELETED:
        raise TaskDeleted
    if task.status == Status.COMPLETED:
        raise AlreadyCompleted
    return _move(task, Status.COMPLETED, signals.task_completed, actor=actor, now=now, completed_at=now)


@transaction.atomic
def reopen_task(*, task_id: UUID, actor: User, now: datetime) -> Task:
    """Raises `TaskNotFound`, `TaskDeleted` and `NotCompleted`."""
    task = _locked(task_id)
    if task.status == Status.DELETED:
        raise TaskDeleted
    if task.status != Status.COMPLETED:
        raise NotCompleted
    return _move(task, Status.PENDING, signals.task_reopened, actor=actor, now=now, completed_at=None)


@transaction.atomic
def delete_task(*, task_id: UUID, actor: User, now: datetime) -> Task:
    """Put a task away; it can be restored to the status it had. Raises `TaskNotFound` and `TaskDeleted`."""
    task = _locked(task_id)
    if task.status == Status.DELETED:
        raise TaskDeleted
    return _move(task, Status.DELETED, signals.task_deleted, actor=actor, now=now, status_before_deletion=task.status)


@transaction.atomic
def restore_task(*, task_id: UUID, actor: User, now: datetime) -> Task:
    """Raises `TaskNotFound` and `NotDeleted`."""
    task = _locked(task_id)
    if task.status != Status.DELETED:
        raise NotDeleted
    before = Status(task.status_before_deletion)
    return _move(task, before, signals.task_restored, actor=actor, now=now, status_before_deletion="")


def _locked(task_id: UUID) -> Task:
    task = Task.objects.select_for_update().filter(pk=task_id).first()
    if task is None:
        raise TaskNotFound(task_id)
    return task


def _move(task: Task, status: Task.Status, signal: Signal, *, actor: User, now: datetime, **also: Any) -> Task:
    changes = {"status": (task.status, str(status))}
    _change(task, {"status": status, **also}, now=now)
    _announce(signal, task, actor=actor, now=now, changes=changes)
    return task


def _change(task: Task, values: Mapping[str, Any], *, now: datetime) -> None:
    for field, value in values.items():
        setattr(task, field, value)
    task.advance(now=now)
    task.save(update_fields=[*values, "version", "updated_at"])


def _announce(
    signal: Signal, task: Task, *, actor: User, now: datetime, changes: Mapping[str, tuple[Any, Any]]
) -> None:
    signal.send(sender=Task, task=task, actor=actor, occurred_at=now, changes=changes)


def _checked(task: Task, *, field: str, value: Any) -> Any:
    if field == "title":
        return _checked_title(value)
    if field == "description":
        return _checked_description(value)
    if field == "due_at":
        return _checked_due(value)
    if field == "priority":
        _check_choice("priority", value, Priority.values)
    if field == "status" and value != task.status:
        _check_choice("status", value, Status.values)
        if task.status == Status.COMPLETED:
            raise StatusNeedsVerb(status=task.status, verb="reopen")
        if verb := VERB_OF_STATUS.get(Status(value)):
            raise StatusNeedsVerb(status=value, verb=verb)
    return value


def _check_choice(field: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise InvalidTask(field=field, reason=f"{value} is none of: {', '.join(choices)}.")


def _checked_due(due_at: datetime | None) -> datetime | None:
    if due_at is not None and not EARLIEST_DUE <= due_at <= LATEST_DUE:
        raise InvalidTask(field="due_at", reason="A due lies between the years 1970 and 9000.")
    return due_at


def _checked_title(title: str) -> str:
    if not title.strip():
        raise InvalidTask(field="title", reason="A task needs a title.")
    if len(title) > MAX_TITLE_LENGTH:
        raise InvalidTask(field="title", reason=f"A title has at most {MAX_TITLE_LENGTH} characters.")
    return title.strip()


def _checked_description(description: str) -> str:
    if len(description.encode()) > MAX_DESCRIPTION_BYTES:
        raise InvalidTask(field="description", reason=f"A description has at most {MAX_DESCRIPTION_BYTES:,} bytes.")
    return description
