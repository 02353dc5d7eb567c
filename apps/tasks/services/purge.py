"""Takes deleted tasks away for good, when their time is over."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction

from apps.tasks import signals
from apps.tasks.exceptions import TaskNotFound
from apps.tasks.models import Task
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
