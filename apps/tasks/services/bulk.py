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
from apps.tasks.exceptions import AlreadyCompleted, TaskDeleted, TaskNotFound, TaskRefused
from apps.tasks.models import Task
from apps.tasks.services import changes as writing
from apps.tasks.services import tasks

MAX_ITEMS = 100

Action = Literal["complete", "reopen", "move", "tag", "delete", "restore"]

_COMMANDS: dict[str, Callable[..., Task]] = {
    "complete": tasks.complete_task,
    "reopen": tasks.reopen_task,
    "move": tasks.update_task,
    "tag": tasks.tag_task,
    "delete": tasks.delete_task,
    "restore": tasks.restore_task,
}
# What a task says that another of the same command has changed already, as its parent.
_DONE_ALREADY: dict[str, tuple[type[TaskRefused], str]] = {
    "complete": (AlreadyCompleted, "completed_at"),
    "delete": (TaskDeleted, "deleted_at"),
}


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
    """Do the same to each of the owner's tasks; `arguments` are those of the action's service. In the order given."""
    writing.take_turn(owner.pk)
    own = set(selectors.tasks_of(owner=owner).filter(pk__in=task_ids).values_list("pk", flat=True))
    command = partial(_COMMANDS[action], actor=actor, now=now, **arguments)
    return [
        _change(task_id, command, action=action, now=now)
        if task_id in own
        else ItemResult(task_id=task_id, refusal=TaskNotFound(task_id))
        for task_id in task_ids
    ]


def _change(task_id: UUID, command: Callable[..., Task], *, action: Action, now: datetime) -> ItemResult:
    try:
        with transaction.atomic():
            return ItemResult(task_id=task_id, task=command(task_id=task_id))
    except (TaskRefused, EventTooLarge) as refusal:
        if action in _DONE_ALREADY and isinstance(refusal, _DONE_ALREADY[action][0]):
            task = Task.objects.get(pk=task_id)
            if getattr(task, _DONE_ALREADY[action][1]) == now:
                return ItemResult(task_id=task_id, task=task)
        return ItemResult(task_id=task_id, refusal=refusal)
