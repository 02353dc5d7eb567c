"""Puts tasks away, and brings them back. They go for good in `purge`."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.events.envelope import Envelope
from apps.tasks import signals
from apps.tasks.exceptions import NotDeleted, ParentDeleted, TaskDeleted
from apps.tasks.models import Task, TaskList
from apps.tasks.services import changes as writing
from apps.tasks.services import family

Status = Task.Status

# What becomes of the series of a task that is deleted: nothing follows, or the next occurrence does.
SeriesOfDeleted = Literal["ends", "continues"]


@transaction.atomic
def delete_task(
    *,
    task_id: UUID,
    actor: User | None,
    now: datetime,
    expected_version: int | None = None,
    series: SeriesOfDeleted = "ends",
) -> Task:
    """Put a task and its subtasks away; they can be restored. What repeats among them ends, or goes on without them.

    Raises `TaskNotFound`, `StaleVersion` and `TaskDeleted`.
    """
    task = writing.locked_task(task_id, expected_version=expected_version, family=True)
    if task.status == Status.DELETED:
        raise TaskDeleted
    put_away(task, actor=actor, now=now, series=series)
    return task


def put_away(
    task: Task,
    *,
    actor: User | None,
    now: datetime,
    out_of: TaskList | None = None,
    cause: Envelope | None = None,
    series: SeriesOfDeleted = "ends",
) -> None:
    """Delete a locked task and what is below it, and take what stands in the list `out_of` out of it.

    The owner's turn has been taken.
    """
    fact = _put_away(task, actor=actor, now=now, out_of=out_of, cause=cause, series=series)
    for subtask in family.subtasks(task):
        if subtask.status != Status.DELETED:
            _put_away(subtask, actor=actor, now=now, out_of=out_of, cause=fact, series=series)


@transaction.atomic
def restore_task(*, task_id: UUID, actor: User, now: datetime, expected_version: int | None = None) -> Task:
    """Give a task the status it had, and the subtasks that were deleted with it.

    Raises `TaskNotFound`, `StaleVersion`, `NotDeleted` and `ParentDeleted`.
    """
    task = writing.locked_task(task_id, expected_version=expected_version, family=True)
    if task.status != Status.DELETED:
        raise NotDeleted
    if task.parent is not None and task.parent.status == Status.DELETED:
        raise ParentDeleted
    deleted_at = task.deleted_at
    fact = _bring_back(task, actor=actor, now=now)
    for subtask in family.subtasks(task):
        if subtask.status == Status.DELETED and subtask.deleted_at == deleted_at:
            _bring_back(subtask, actor=actor, now=now, cause=fact)
    return task


def _put_away(
    task: Task,
    *,
    actor: User | None,
    now: datetime,
    out_of: TaskList | None,
    cause: Envelope | None,
    series: SeriesOfDeleted,
) -> Envelope:
    gone: dict[str, Any] = {"status": Status.DELETED, "status_before_deletion": task.status, "deleted_at": now}
    told: dict[str, tuple[Any, Any]] = {"status": (str(task.status), str(Status.DELETED))}
    if out_of is not None and task.list_id == out_of.pk:
        gone["list"], told["list"] = None, (out_of, None)
    beside = {"series": series} if task.series_id else {}
    return writing.change(task, gone, signals.task_deleted, actor=actor, now=now, told=told, cause=cause, beside=beside)


def _bring_back(task: Task, *, actor: User | None, now: datetime, cause: Envelope | None = None) -> Envelope:
    back = {"status": Status(task.status_before_deletion), "status_before_deletion": "", "deleted_at": None}
    told = {"status": (str(task.status), str(back["status"]))}
    return writing.change(task, back, signals.task_restored, actor=actor, now=now, told=told, cause=cause)
