"""What the open tasks of a series carry: how it repeats now, and when they are due.

What is changed here follows a change of the series. So nobody is its actor: of what the platform changed of a task, the
series hears nothing, or two changes at once would chase each other for ever.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from apps.calendar.expansion import Wall
from apps.calendar.recurrences import parse_wall
from apps.recurrence import schedule as scheduling
from apps.recurrence import selectors
from apps.recurrence.models import Series
from apps.tasks import services as tasks
from apps.tasks.exceptions import TaskRefused


def tell(series: Series, recurrence: Mapping[str, Any] | None, *, now: datetime) -> None:
    """Let them carry this recurrence. One that it does not fit keeps what it has, and one that was stopped stays so."""
    tasks.take_turn(series.owner_id)
    for task in [task for task in selectors.open_tasks_of(series) if task.recurrence is not None]:
        with suppress(TaskRefused):
            tasks.update_task(task_id=task.pk, actor=None, changes={"recurrence": recurrence}, now=now)


def move(series: Series, moved: Callable[[Wall], Wall], *, above: int, now: datetime) -> None:
    """Plan those with a number above `above` anew, and move them, unless a person has moved them already."""
    tasks.take_turn(series.owner_id)
    still_open = {task.pk: task for task in selectors.open_tasks_of(series)}
    for occurrence in series.occurrences.filter(task_id__in=still_open, number__gt=above).order_by("number"):
        task = still_open[occurrence.task_id]
        is_as_planned = (task.due_at, task.due_on) == (occurrence.due_at, occurrence.due_on)
        wall = moved(parse_wall(occurrence.recurrence_id))
        occurrence.due_at, occurrence.due_on = scheduling.dates_as_due(wall, zone=series.zone)
        occurrence.save(update_fields=["due_at", "due_on"])
        if is_as_planned:
            tasks.move_occurrence(task_id=task.pk, due_at=occurrence.due_at, due_on=occurrence.due_on, now=now)
