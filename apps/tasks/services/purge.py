"""Takes deleted tasks away for good, when their time is over."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from apps.tasks import signals
from apps.tasks.exceptions import TaskNotFound
from apps.tasks.models import Task
from apps.tasks.services import changes as writing
from apps.tasks.services import family

KEPT_FOR = timedelta(days=30)


def purge_deleted_tasks(*, now: datetime, most: int = 500) -> int:
    """Purge tasks deleted more than 30 days ago, the oldest first, each in a transaction of its own; how many."""
    due = Task.objects.filter(deleted_at__lt=now - KEPT_FOR).order_by("deleted_at", "pk")
    return sum(_purge(task_id, now=now) for task_id in due.values_list("pk", flat=True)[:most])


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
        writing.remove(one, signals.task_purged, actor=None, now=now, told={})
    return len(going)
