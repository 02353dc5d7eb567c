"""Takes things away for good: deleted tasks when their time is over, and all of a person who is to be erased."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef

from apps.tasks import signals
from apps.tasks.exceptions import TaskNotFound
from apps.tasks.models import Evented, Tag, Task, TaskList
from apps.tasks.services import changes as writing
from apps.tasks.services import family

log = structlog.get_logger(__name__)

KEPT_FOR = timedelta(days=30)


def purge_deleted_tasks(*, now: datetime, most: int = 500) -> int:
    """Purge tasks deleted more than 30 days ago, the oldest first, each in a transaction of its own; how many."""
    due = Task.objects.filter(deleted_at__lt=now - KEPT_FOR).order_by("deleted_at", "pk")
    return sum(_purge_or_go_on(task_id, now=now) for task_id in due.values_list("pk", flat=True)[:most])


def _purge_or_go_on(task_id: UUID, *, now: datetime) -> int:
    try:
        return _purge(task_id, now=now)
    except Exception:  # one task that cannot go must not keep all the others
        log.exception("purge_failed", task_id=str(task_id))
        return 0


@transaction.atomic
def _purge(task_id: UUID, *, now: datetime) -> int:
    try:
        task = writing.locked_task(task_id, expected_version=None, family=True)
    except TaskNotFound:
        return 0  # it went with its parent
    if task.deleted_at is None or task.deleted_at >= now - KEPT_FOR:
        return 0  # restored meanwhile
    going = [*reversed(family.subtasks(task)), task]
    for one in going:
        writing.announce_end(one, signals.task_purged, actor=None, now=now)
        writing.take_away(one)
    return len(going)


@transaction.atomic
def purge_owner(*, owner_id: UUID, now: datetime, most: int = 100) -> int:
    """Take away up to `most` things of a person, each with its event; how many. 0 when nothing is left.

    Tasks without parts go first, so that in a few rounds any tree is gone; then lists and tags, which nothing is in.
    """
    writing.take_turn(owner_id)
    parts = Task.objects.filter(parent=OuterRef("pk"))
    tasks = Task.objects.filter(~Exists(parts), owner_id=owner_id)
    for going, signal in (
        (tasks, signals.task_purged),
        (TaskList.objects.filter(owner_id=owner_id), signals.list_deleted),
        (Tag.objects.filter(owner_id=owner_id), signals.tag_deleted),
    ):
        things: list[Evented] = list(going.select_for_update(of=("self",)).order_by("pk")[:most])
        for thing in things:
            writing.announce_end(thing, signal, actor=None, now=now)
            writing.take_away(thing)
        if things:
            return len(things)
    return 0
