"""Reads of single things and of all that a person has."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.tasks.models import Tag, Task, TaskList

OPEN = (Task.Status.PENDING, Task.Status.IN_PROGRESS)


def tasks_of(*, owner: User) -> Any:
    """All tasks a person may see, deleted ones among them."""
    return Task.objects.owned_by(owner)


def lists_of(*, owner: User) -> QuerySet[TaskList]:
    return TaskList.objects.owned_by(owner)


def tags_of(*, owner: User) -> QuerySet[Tag]:
    return Tag.objects.owned_by(owner)


def counts_of(owner_id: UUID) -> dict[str, int]:
    """How many tasks, lists and tags a person has, deleted ones among them."""
    things: dict[str, Any] = {"tasks": Task, "lists": TaskList, "tags": Tag}
    return {name: model.objects.filter(owner_id=owner_id).count() for name, model in things.items()}


def open_tasks(*, owner: User) -> Any:
    """What is still to be done, the next due first."""
    return tasks_of(owner=owner).filter(status__in=OPEN).order_by("due_order_at", "id")


def completed_among(task_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Those of these that are completed, and when they were."""
    done = Task.objects.filter(pk__in=task_ids, status=Task.Status.COMPLETED, completed_at__isnull=False)
    return dict(done.values_list("pk", "completed_at"))


def completed(*, before: datetime) -> Any:
    """All tasks of everybody that were completed before an instant."""
    return Task.objects.filter(status=Task.Status.COMPLETED, completed_at__lt=before)


def is_there(task_id: UUID) -> bool:
    """Also of one that is deleted; of one that was purged not."""
    return bool(Task.objects.filter(pk=task_id).exists())


def open_among(task_ids: Collection[UUID] | QuerySet[Any, UUID]) -> list[Task]:
    """Those of these that are still to be done, the newest first."""
    return list(Task.objects.filter(pk__in=task_ids, status__in=OPEN).order_by("-id"))


def in_bulk(task_ids: Collection[UUID]) -> dict[UUID, Task]:
    """Tasks by their ids, whosever they are; those that are gone for good are left out."""
    return dict(Task.objects.in_bulk(list(task_ids)))


def given(task_id: UUID, *, fields: Collection[str]) -> dict[str, Any]:
    """The values of a task's fields as a command would give them, as JSON has them: tags by name, the list by its id.

    Nothing of a task that is gone.
    """
    task = Task.objects.filter(pk=task_id).first()
    if task is None:
        return {}
    by_name: dict[str, Any] = {
        "tags": lambda: [tag.name for tag in tags_on(task)],
        "list": lambda: str(task.list_id) if task.list_id else None,
    }
    return {name: by_name[name]() if name in by_name else getattr(task, name) for name in sorted(fields)}


def tags_on(task: Task) -> list[Tag]:
    """The tags a task carries, by name. Read once a task: `with_tags` reads those of many at once."""
    if not task.tag_ids:
        return []
    known: dict[UUID, Tag] = task.__dict__.setdefault("_known_tags", {})
    if not known.keys() >= set(task.tag_ids):
        known |= _by_id(task.tag_ids)
    return sorted((known[tag_id] for tag_id in task.tag_ids if tag_id in known), key=lambda tag: tag.folded_name)


def with_tags(tasks: Iterable[Task]) -> list[Task]:
    """The same tasks, their tags read in one query."""
    tasks = list(tasks)
    wanted = {tag_id for task in tasks for tag_id in task.tag_ids}
    known = _by_id(wanted) if wanted else {}
    for task in tasks:
        task.__dict__["_known_tags"] = known
    return tasks


def _by_id(tag_ids: Collection[UUID]) -> dict[UUID, Tag]:
    return {tag.pk: tag for tag in Tag.objects.filter(pk__in=tag_ids)}
