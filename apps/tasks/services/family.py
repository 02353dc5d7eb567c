"""A task, what it is a part of and what is part of it.

Invariant: a parent is of the same owner, nothing is below itself, and a whole tree is small enough to be changed
in one transaction. Callers have taken the owner's turn.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from apps.tasks.exceptions import InvalidTask, ParentDeleted, ParentNotFound, TooMany
from apps.tasks.models import Task
from apps.tasks.services.changes import MAX_TASKS_AT_ONCE

MAX_DEPTH = 5
# Open ones; what is completed counts to what one transaction changes only, or a part that repeats would fill the tree.
MAX_TREE = 200
# Deleted parts do not count, and stay for thirty days: there may be any number of them.
MOST_READ = MAX_TREE * 10

# A task of a tree, its status, and how far below it stands.
_Place = tuple[UUID, str, int]

_ABOVE = """
WITH RECURSIVE above AS (
    SELECT id, parent_id, 1 AS depth FROM tasks_task WHERE id = %(id)s
    UNION ALL
    SELECT t.id, t.parent_id, a.depth + 1 FROM tasks_task t JOIN above a ON t.id = a.parent_id WHERE a.depth < 100
)
SELECT id FROM above ORDER BY depth
"""
_BELOW = """
WITH RECURSIVE below AS (
    SELECT id, status, deleted_at, 1 AS depth FROM tasks_task WHERE parent_id = ANY(%(ids)s)
    UNION ALL
    SELECT t.id, t.status, t.deleted_at, b.depth + 1
    FROM tasks_task t JOIN below b ON t.parent_id = b.id WHERE b.depth < 100
)
SELECT id, status, depth FROM below ORDER BY deleted_at DESC NULLS FIRST, depth, id LIMIT %(most)s
"""


def subtasks(task: Task) -> list[Task]:
    """Everything below a task, locked, parents before their children."""
    order = [pk for pk, _, _ in _below([task.pk])]
    rows = {row.pk: row for row in Task.objects.select_for_update(of=("self",)).filter(pk__in=order).order_by("pk")}
    return [rows[pk] for pk in order if pk in rows]


def parent_for(task: Task, *, parent_id: UUID) -> Task:
    """The task's parent to be, locked.

    Raises `ParentNotFound`, `ParentDeleted`, `InvalidTask` for a circle or too deep a tree, and `TooMany`.
    """
    parent: Task | None = (
        Task.objects.select_for_update(of=("self",)).filter(pk=parent_id, owner_id=task.owner_id).first()
    )
    if parent is None:
        raise ParentNotFound(parent_id)
    if parent.status == Task.Status.DELETED:
        raise ParentDeleted
    above = _above(parent.pk)
    if task.pk in above:
        raise InvalidTask(field="parent", reason="A task cannot be a part of itself, nor of what is part of it.")
    moving = [(task.pk, str(task.status), 0), *_live(_below([task.pk]))]
    if len(above) + 1 + max(depth for _, _, depth in moving) > MAX_DEPTH:
        raise InvalidTask(field="parent", reason=f"Subtasks go {MAX_DEPTH} levels deep at most.")
    _check_size([(above[-1], "", 0), *_live(_below([above[-1]])), *moving])
    return parent


def has_room(parent_id: UUID, *, more: int, most: int) -> bool:
    """Whether the tree of a task stays small enough to be changed in one go with that many more parts."""
    whole = _above(parent_id)[-1]
    return 1 + len(_live(_below([whole], most=most))) + more <= most


def count_below(task_ids: Sequence[UUID], *, most: int) -> int:
    """How many tasks are part of these, those among them not counted again; no more than `most` are looked for."""
    return len({pk for pk, _, _ in _below(task_ids, most=most)} - set(task_ids))


def _check_size(whole: Sequence[_Place]) -> None:
    still_open = {pk for pk, status, _ in whole if status != Task.Status.COMPLETED}
    if len(still_open) > MAX_TREE:
        raise TooMany(f"A task and its open subtasks are {MAX_TREE} at most.")
    if len({pk for pk, _, _ in whole}) > MAX_TASKS_AT_ONCE:
        raise TooMany(f"A task and all its subtasks, completed ones too, are {MAX_TASKS_AT_ONCE:,} at most.")


def _live(below: Sequence[_Place]) -> list[_Place]:
    return [place for place in below if place[1] != Task.Status.DELETED]


def _above(task_id: UUID) -> list[UUID]:
    """A task and what it is part of, upwards."""
    with connection.cursor() as cursor:
        cursor.execute(_ABOVE, {"id": task_id})
        return [row[0] for row in cursor.fetchall()]


def _below(task_ids: Sequence[UUID], *, most: int | None = None) -> list[_Place]:
    """What is part of some tasks, with its status and how far below it stands: first what lives, then what was deleted
    last. So what is not read is what went long ago, and a parent, which cannot go before its parts, is before them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BELOW, {"ids": list(task_ids), "most": MOST_READ if most is None else most})
        return [(row[0], row[1], row[2]) for row in cursor.fetchall()]
