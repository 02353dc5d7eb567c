"""One change of many tasks: every task is changed or refused by itself, all in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.events.errors import EventTooLarge
from apps.tasks import selectors
from apps.tasks.exceptions import (
    AlreadyCompleted,
    NotDeleted,
    ParentDeleted,
    TaskDeleted,
    TaskNotFound,
    TaskRefused,
    TooMany,
)
from apps.tasks.models import Task
from apps.tasks.services import changes as writing
from apps.tasks.services import deletion, family, tasks
from apps.tasks.services.changes import MAX_TASKS_AT_ONCE

MAX_ITEMS = 100

Action = Literal["complete", "reopen", "move", "tag", "delete", "restore"]

_COMMANDS: dict[str, Callable[..., Task]] = {
    "complete": tasks.complete_task,
    "reopen": tasks.reopen_task,
    "move": tasks.update_task,
    "tag": tasks.tag_task,
    "delete": deletion.delete_task,
    "restore": deletion.restore_task,
}
# How a task refuses what was done to it already, in this command: with its parent.
_DONE_ALREADY: dict[str, type[TaskRefused]] = {
    "complete": AlreadyCompleted,
    "delete": TaskDeleted,
    "restore": NotDeleted,
}
# These do the same to what is below.
_DEEP = {"complete", "move", "delete", "restore"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one task: it as it is now, or why it was refused."""

    task_id: UUID
    task: Task | None = None
    refusal: Exception | None = None


@transaction.atomic
def change_many(
    *,
    owner: User,
    actor: User,
    action: Action,
    task_ids: Sequence[UUID],
    arguments: Mapping[str, Any],
    now: datetime,
) -> list[ItemResult]:
    """Do the same to each of the owner's tasks; `arguments` are those of the action's service. In the order given.

    Raises `TooMany` when their subtasks make it more than one transaction should change.
    """
    writing.take_turn(owner.pk)
    if action in _DEEP and family.count_below(task_ids, most=MAX_TASKS_AT_ONCE) + len(task_ids) > MAX_TASKS_AT_ONCE:
        told = f"With their subtasks these are more than {MAX_TASKS_AT_ONCE:,} tasks; take fewer at once."
        raise TooMany(told)
    own = set(selectors.tasks_of(owner=owner).filter(pk__in=task_ids).values_list("pk", flat=True))
    command = partial(_COMMANDS[action], actor=actor, now=now, **arguments)
    results = {
        task_id: _change(task_id, command, action=action, now=now)
        if task_id in own
        else ItemResult(task_id=task_id, refusal=TaskNotFound(task_id))
        for task_id in task_ids
    }
    for task_id, result in results.items():
        if isinstance(result.refusal, ParentDeleted):  # its parent may stand further down in the command
            results[task_id] = _change(task_id, command, action=action, now=now)
    return list(results.values())


def _change(task_id: UUID, command: Callable[..., Task], *, action: Action, now: datetime) -> ItemResult:
    try:
        with transaction.atomic():
            return ItemResult(task_id=task_id, task=command(task_id=task_id))
    except (TaskRefused, EventTooLarge) as refusal:
        if action in _DONE_ALREADY and isinstance(refusal, _DONE_ALREADY[action]):
            task = Task.objects.get(pk=task_id)
            if task.updated_at == now:
                return ItemResult(task_id=task_id, task=task)
        return ItemResult(task_id=task_id, refusal=refusal)
