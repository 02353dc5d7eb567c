"""Tasks that repeat, for tests: made and completed by the doors a person uses."""

from datetime import datetime
from typing import Any
from uuid import UUID

from apps.accounts.models import User
from apps.recurrence import services
from apps.recurrence.models import Series
from apps.tasks import services as tasks
from apps.tasks.models import Task
from tests.support.pump import Pump


def repeating(owner: User, recurrence: Any, *, pump: Pump, now: datetime, **fields: Any) -> Task:
    """A task that repeats, whose series is open."""
    fields = {"title": "Water the plants", "recurrence": recurrence} | fields
    task = tasks.create_task(owner=owner, actor=owner, now=now, **fields)
    pump.run()
    return task


def complete(task: Task, *, pump: Pump, now: datetime) -> None:
    tasks.complete_task(task_id=task.pk, actor=task.owner, now=now)
    pump.run()


def the_series() -> Series:
    return Series.objects.get()


def tasks_of_series() -> list[Task]:
    """In the order they were made."""
    return list(Task.objects.exclude(series_id=None).order_by("pk"))


def open_tasks() -> list[Task]:
    return [task for task in tasks_of_series() if task.status in {"pending", "in_progress"}]


def make_all_due(series_id: UUID, *, now: datetime) -> None:
    """As the sweep does, as often as there is something to make."""
    while services.make_due(series_id=series_id, now=now):
        pass
