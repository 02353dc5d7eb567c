"""Writes tasks, one command at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.calendar import snoozes
from apps.calendar.errors import CalendarError
from apps.events.envelope import Envelope
from apps.tasks import signals, values
from apps.tasks.exceptions import AlreadyCompleted, InvalidTask, NotCompleted, TaskDeleted
from apps.tasks.models import Task
from apps.tasks.selectors import OPEN
from apps.tasks.services import changes as writing
from apps.tasks.services import family, fields, tags

Status = Task.Status


@transaction.atomic
def create_task(
    *,
    owner: User,
    actor: User | None,
    now: datetime,
    title: str,
    position: Decimal | None = None,
    **asked: Any,
) -> Task:
    """A new task with the fields of `fields.SETTABLE`, all optional but the title.

    One that repeats opens a series. Without an actor it is the platform that makes it, as in all commands that allow
    that. Raises what `fields.columns` raises.
    """
    if fields.touches_several_rows({name: value for name, value in asked.items() if value}):
        writing.take_turn(owner.pk)
    task = Task(owner=owner, position=values.position_at(now))
    given = {"title": title, **({} if position is None else {"position": position}), **asked}
    made = fields.columns(task, given, actor=actor, now=now)
    if made.get("parent") and "list" not in asked:
        made["list"] = made["parent"].list
    for name, value in made.items():
        setattr(task, name, value)
    writing.insert(task, signals.task_created, actor=actor, now=now)
    return task


@transaction.atomic
def update_task(
    *,
    task_id: UUID,
    actor: User | None,
    changes: Mapping[str, Any],
    now: datetime,
    expected_version: int | None = None,
) -> Task:
    """Change fields of a task; a value that is the same already is no change, and no change is no event.

    Moved to another list, a task takes along its subtasks that stood in the same one. Raises `TaskNotFound`,
    `StaleVersion`, `TaskDeleted` and what `fields.columns` raises.
    """
    several = fields.touches_several_rows(changes)
    task = writing.locked_task(task_id, expected_version=expected_version, family=several)
    if task.status == Status.DELETED and not changes.keys() <= {"list"}:  # it may still leave a list that is to go
        raise TaskDeleted
    made = fields.columns(task, changes, actor=actor, now=now)
    differing = fields.changed(task, made)
    if not differing:
        return task
    list_before = task.list_id
    fact = _set(task, differing, actor=actor, now=now)
    if "list" in differing:
        for subtask in family.subtasks(task):
            if subtask.list_id == list_before:
                _set(subtask, {"list": (subtask.list, task.list)}, actor=actor, now=now, cause=fact)
    return task


@transaction.atomic
def tag_task(
    *,
    task_id: UUID,
    actor: User,
    now: datetime,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    expected_version: int | None = None,
) -> Task:
    """Add and remove tags by name; what is there already, or is not, is no change.

    Raises `TaskNotFound`, `StaleVersion`, `TaskDeleted`, `InvalidTask` and `TooMany`.
    """
    task = writing.locked_task(task_id, expected_version=expected_version, family=True)
    if task.status == Status.DELETED and add:
        raise TaskDeleted
    unwanted = {values.folded(name) for name in remove}
    added = [name for name in values.checked_tag_names(add) if values.folded(name) not in unwanted]
    named = [tag.pk for tag in tags.tags_named(added, owner_id=task.owner_id, actor=actor, now=now)]
    removed = tags.ids_named(remove, owner_id=task.owner_id)
    wanted = list(dict.fromkeys(tag_id for tag_id in [*task.tag_ids, *named] if tag_id not in removed))
    values.check_number_of_tags(wanted)
    if wanted != task.tag_ids:
        tags.set_tags(task, wanted, actor=actor, now=now)
    return task


@transaction.atomic
def snooze_task(*, task_id: UUID, actor: User, until: str, now: datetime, expected_version: int | None = None) -> Task:
    """Move the due to `later_today`, `tomorrow`, `next_week`, `PT15M` from now, a day or an instant.

    Words and days are of the owner's zone. Raises `TaskNotFound`, `StaleVersion`, `TaskDeleted`, `AlreadyCompleted` and
    `InvalidTask`.
    """
    task = writing.locked_task(task_id, expected_version=expected_version)
    if task.status == Status.DELETED:
        raise TaskDeleted
    if task.status == Status.COMPLETED:
        raise AlreadyCompleted
    due = fields.due_of(task, {}, actor=actor)
    try:
        later = snoozes.snooze(until, now=now, zone=due.zone, due_at=task.due_at, due_on=task.due_on)
    except CalendarError as reason:
        raise InvalidTask(field="until", reason=str(reason)) from reason
    asked = {"due_at": later} if isinstance(later, datetime) else {"due_on": later}
    made = fields.columns(task, asked, actor=actor, now=now)
    if differing := fields.changed(task, made):
        _set(task, differing, actor=actor, now=now)
    return task


@transaction.atomic
def complete_task(*, task_id: UUID, actor: User, now: datetime, expected_version: int | None = None) -> Task:
    """Complete a task and its open subtasks.

    Raises `TaskNotFound`, `StaleVersion`, `TaskDeleted` and `AlreadyCompleted`.
    """
    task = writing.locked_task(task_id, expected_version=expected_version, family=True)
    if task.status == Status.DELETED:
        raise TaskDeleted
    if task.status == Status.COMPLETED:
        raise AlreadyCompleted
    done = {"status": Status.COMPLETED, "completed_at": now}
    fact = _move(task, done, signals.task_completed, actor=actor, now=now)
    for subtask in family.subtasks(task):
        if subtask.status in OPEN:
            _move(subtask, done, signals.task_completed, actor=actor, now=now, cause=fact)
    return task


@transaction.atomic
def reopen_task(*, task_id: UUID, actor: User, now: datetime, expected_version: int | None = None) -> Task:
    """Open a task again; its subtasks stay as they are.

    Raises `TaskNotFound`, `StaleVersion`, `TaskDeleted` and `NotCompleted`.
    """
    task = writing.locked_task(task_id, expected_version=expected_version)
    if task.status == Status.DELETED:
        raise TaskDeleted
    if task.status != Status.COMPLETED:
        raise NotCompleted
    _move(task, {"status": Status.PENDING, "completed_at": None}, signals.task_reopened, actor=actor, now=now)
    return task


def _move(
    task: Task,
    columns: Mapping[str, Any],
    signal: Any,
    *,
    actor: User | None,
    now: datetime,
    cause: Envelope | None = None,
) -> Envelope:
    told = {"status": (str(task.status), str(columns["status"]))}
    return writing.change(task, columns, signal, actor=actor, now=now, told=told, cause=cause)


def _set(
    task: Task,
    differing: Mapping[str, tuple[Any, Any]],
    *,
    actor: User | None,
    now: datetime,
    cause: Envelope | None = None,
) -> Envelope:
    after = {name: value for name, (_, value) in differing.items()}
    told = fields.told(differing)
    return writing.change(task, after, signals.task_updated, actor=actor, now=now, told=told, cause=cause)
