"""Copies a task with all that is part of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.tasks import intents
from apps.tasks.exceptions import InvalidTask, TaskDeleted
from apps.tasks.models import Task
from apps.tasks.selectors import tags_on
from apps.tasks.services import changes as writing
from apps.tasks.services import family, fields
from apps.tasks.services.tasks import create_task


@transaction.atomic
def duplicate_task(*, task_id: UUID, actor: User, now: datetime) -> Task:
    """A new open task with the same content and subtasks; a copy that repeats opens a series of its own.

    Of subtasks that repeat the newest occurrence is copied. A copy does not repeat where the due was moved to where the
    rule could not begin, such as past its end. Reminders whose instant has passed are left behind. Raises
    `TaskNotFound`, `TaskDeleted` and `TooMany`.
    """
    task = writing.locked_task(task_id, expected_version=None, family=True)
    if task.status == Task.Status.DELETED:
        raise TaskDeleted
    below = _without_history([one for one in family.subtasks(task) if one.status != Task.Status.DELETED])
    copy = _copy(task, parent_id=task.parent_id, actor=actor, now=now)
    copies = {task.pk: copy.pk}
    for subtask in below:  # parents come before their children
        if subtask.parent_id in copies:
            copied = _copy(subtask, parent_id=copies[subtask.parent_id], actor=actor, now=now)
            copies[subtask.pk] = copied.pk
    return copy


def _without_history(tasks: Sequence[Task]) -> list[Task]:
    """Of each series the newest occurrence only: a copy of each before it would open one more series."""
    newest = {task.series_id: task for task in sorted(tasks, key=lambda one: (one.created_at, one.pk))}
    return [task for task in tasks if task.series_id is None or newest[task.series_id] is task]


def _copy(task: Task, *, parent_id: UUID | None, actor: User, now: datetime) -> Task:
    due: dict[str, Any] = {}
    if task.due_at is not None:
        due = {"due_at": task.due_at, "due_time_zone": task.due_time_zone or None}
    elif task.due_on is not None:
        due = {"due_on": task.due_on}
    return create_task(
        owner=task.owner,
        actor=actor,
        now=now,
        title=task.title,
        description=task.description,
        priority=task.priority,
        tags=[tag.name for tag in tags_on(task)],
        list=task.list_id,
        parent=parent_id,
        recurrence=_still_possible(task, actor=actor, now=now),
        reminders=_still_ahead(task, actor=actor, now=now),
        **due,
    )


def _still_possible(task: Task, *, actor: User, now: datetime) -> dict[str, Any] | None:
    recurrence: dict[str, Any] | None = task.recurrence
    try:
        intents.check_recurrence_fits(recurrence, due=fields.due_of(task, {}, actor=actor), now=now)
    except InvalidTask:
        return None
    return recurrence


def _still_ahead(task: Task, *, actor: User, now: datetime) -> list[dict[str, str]] | None:
    if task.reminders is None:
        return None
    due = fields.due_of(task, {}, actor=actor)
    ahead = [reminder for reminder in task.reminders if intents.is_ahead(reminder, due=due, now=now)]
    return [{name: value for name, value in reminder.items() if name != "id"} for reminder in ahead]
