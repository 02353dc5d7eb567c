"""Writes lists."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.tasks import signals, values
from apps.tasks.exceptions import InvalidTask, ListNotFound, TooMany
from apps.tasks.models import Task, TaskList
from apps.tasks.services import changes as writing
from apps.tasks.services import family
from apps.tasks.services.changes import MAX_TASKS_AT_ONCE
from apps.tasks.services.deletion import put_away

MAX_LISTS = 500

# What becomes of the tasks of a deleted list: they stand in no list, or they are deleted too.
TasksOfList = Literal["keep", "delete"]


@transaction.atomic
def create_list(*, owner: User, actor: User, name: str, position: Decimal | None = None, now: datetime) -> TaskList:
    """Raises `InvalidTask` and `TooMany`."""
    name = values.checked_name(name)
    writing.take_turn(owner.pk)
    if TaskList.objects.filter(owner=owner).count() >= MAX_LISTS:
        raise TooMany(f"A person has at most {MAX_LISTS} lists.")
    made = TaskList(
        owner=owner,
        name=name,
        position=values.position_at(now) if position is None else values.checked_position(position),
    )
    writing.insert(made, signals.list_created, actor=actor, now=now)
    return made


@transaction.atomic
def update_list(
    *, list_id: UUID, actor: User, changes: Mapping[str, Any], now: datetime, expected_version: int | None = None
) -> TaskList:
    """Raises `ListNotFound`, `StaleVersion` and `InvalidTask`."""
    changed = _locked(list_id, expected_version=expected_version)
    checks: dict[str, Callable[[Any], Any]] = {"name": values.checked_name, "position": values.checked_position}
    if unknown := set(changes) - set(checks):
        raise InvalidTask(field=min(unknown), reason="This field cannot be changed.")
    wanted = {field: checks[field](value) for field, value in changes.items()}
    told = {
        field: (getattr(changed, field), value) for field, value in wanted.items() if getattr(changed, field) != value
    }
    if told:
        after = {field: after for field, (_, after) in told.items()}
        writing.change(changed, after, signals.list_updated, actor=actor, now=now, told=told)
    return changed


@transaction.atomic
def delete_list(
    *, list_id: UUID, actor: User, now: datetime, tasks: TasksOfList = "keep", expected_version: int | None = None
) -> None:
    """Take a list away. Its tasks leave it, or with `tasks="delete"` are deleted in leaving it, each with one event.

    Raises `ListNotFound`, `StaleVersion` and `TooMany`.
    """
    owner_id = TaskList.objects.filter(pk=list_id).values_list("owner_id", flat=True).first()
    if owner_id is None:
        raise ListNotFound(list_id)
    writing.take_turn(owner_id)
    going = _locked(list_id, expected_version=expected_version)
    inside = list(Task.objects.filter(list=going).order_by("pk").values_list("pk", flat=True)[: MAX_TASKS_AT_ONCE + 1])
    below = family.count_below(inside, most=MAX_TASKS_AT_ONCE + 1) if tasks == "delete" else 0
    if len(inside) + below > MAX_TASKS_AT_ONCE:
        raise TooMany(
            f"The list has more than {MAX_TASKS_AT_ONCE:,} tasks and subtasks, too many to change in one go; "
            f"move some of them first (tasks/bulk/). Deleted ones count too (status=deleted)."
        )
    gone = writing.announce_end(going, signals.list_deleted, actor=actor, now=now)
    for task_id in inside:
        # Read one by one: a task before it may have taken this one along as its subtask.
        task = writing.locked_task(task_id, expected_version=None)
        if tasks == "delete" and task.status != Task.Status.DELETED:
            put_away(task, actor=actor, now=now, out_of=going, cause=gone)
        elif task.list_id == going.pk:
            told = {"list": (going, None)}
            writing.change(task, {"list": None}, signals.task_updated, actor=actor, now=now, told=told, cause=gone)
    writing.take_away(going)


def _locked(list_id: UUID, *, expected_version: int | None) -> TaskList:
    row: TaskList = writing.locked(TaskList, list_id, missing=ListNotFound(list_id), expected_version=expected_version)
    return row
