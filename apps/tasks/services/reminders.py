"""Adds, moves and takes away one reminder of a task: a change of what its owner asked for, by the same checks.

Invariant: what there was is read under the lock under which it is changed, so that of two at once none is lost. The
owner's default is a reminder with an id of its own (`intents.default_id`), which it keeps when it becomes explicit.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.tasks import intents
from apps.tasks.due import Due
from apps.tasks.exceptions import InvalidTask, ReminderNotFound, TaskDeleted
from apps.tasks.models import Task
from apps.tasks.services import changes as writing
from apps.tasks.services import fields
from apps.tasks.services.tasks import update_task

Given = Mapping[str, Any]


@transaction.atomic
def add_reminder(
    *,
    task_id: UUID,
    actor: User,
    now: datetime,
    reminder: Given,
    default: Given | None = None,
    expected_version: int | None = None,
) -> tuple[Task, UUID]:
    """One more reminder, as `{"trigger_at": …}` or `{"before_due": …}`; the task and the reminder's id.

    Of a task that has its owner's default, `default` is what that is, in the same form: it stays beside the new one
    unless its instant has passed, or is the new one's. Raises what `update_task` raises for `reminders`; an
    `InvalidTask` about the new one names `trigger_at` or `before_due`.
    """
    task = _locked(task_id, expected_version=expected_version)
    due = fields.due_of(task, {}, actor=actor)
    kept = _default_as_explicit(task, default, due=due, now=now) if task.reminders is None else task.reminders
    new = {name: value for name, value in reminder.items() if name != "id"}
    if task.reminders is None and kept and _are_one(kept[0], new, due=due, now=now):
        kept, new = [], new | {"id": kept[0]["id"]}
    changed = _set(task, [*kept, new], at=len(kept), actor=actor, now=now)
    assert changed.reminders, "the new one is among them"
    return changed, UUID(changed.reminders[-1]["id"])


@transaction.atomic
def move_reminder(
    *,
    task_id: UUID,
    reminder_id: UUID,
    actor: User,
    now: datetime,
    reminder: Given,
    expected_version: int | None = None,
) -> Task:
    """Another instant for a reminder, which keeps its id; the owner's default becomes an explicit one.

    Raises `ReminderNotFound`, else as `add_reminder` does.
    """
    task = _locked(task_id, expected_version=expected_version)
    place, there = _found(task, reminder_id)
    there[place] = {**reminder, "id": str(reminder_id)}
    return _set(task, there, at=place, actor=actor, now=now)


@transaction.atomic
def remove_reminder(
    *, task_id: UUID, reminder_id: UUID, actor: User, now: datetime, expected_version: int | None = None
) -> Task:
    """Take a reminder away; without the owner's default a task has none. Raises as `move_reminder` does."""
    task = _locked(task_id, expected_version=expected_version)
    place, there = _found(task, reminder_id)
    del there[place]
    return update_task(task_id=task.pk, actor=actor, changes={"reminders": there}, now=now)


def _locked(task_id: UUID, *, expected_version: int | None) -> Task:
    task = writing.locked_task(task_id, expected_version=expected_version)
    if task.status == Task.Status.DELETED:
        raise TaskDeleted
    return task


def _found(task: Task, reminder_id: UUID) -> tuple[int, list[dict[str, Any]]]:
    """The place of a reminder among those of the task, which are a copy."""
    there = [{"id": intents.default_id(task.pk)}] if task.reminders is None else list(task.reminders)
    for place, reminder in enumerate(there):
        if reminder["id"] == str(reminder_id):
            return place, there
    raise ReminderNotFound(reminder_id)


def _default_as_explicit(task: Task, default: Given | None, *, due: Due, now: datetime) -> list[dict[str, Any]]:
    """What is left of a default: one that has passed was acted on by now, one without a due never is."""
    if default is None or not intents.is_ahead(default, due=due, now=now):
        return []
    return [{**default, "id": intents.default_id(task.pk)}]


def _are_one(kept: Given, new: Given, *, due: Due, now: datetime) -> bool:
    """Whether both are for the same instant. Nothing is refused here: what is wrong with the new one is told later."""
    try:
        checked = intents.checked_reminders([new], before=None, due=due, now=now) or []
    except InvalidTask:
        return False
    return [intents.trigger_at(one, due=due) for one in checked] == [intents.trigger_at(kept, due=due)]


def _set(task: Task, reminders: Sequence[Given], *, at: int, actor: User, now: datetime) -> Task:
    try:
        return update_task(task_id=task.pk, actor=actor, changes={"reminders": reminders}, now=now)
    except InvalidTask as reason:
        raise InvalidTask(field=_named(reason.field, reminders, at=at), reason=str(reason)) from reason


def _named(field: str, reminders: Sequence[Given], *, at: int) -> str:
    """The part of the one reminder that was given, where the mistake is about that one."""
    among, _, part = field.removeprefix("reminders.").partition(".")
    if among != str(at):
        return field
    return part or ("trigger_at" if "trigger_at" in reminders[at] else "before_due")
