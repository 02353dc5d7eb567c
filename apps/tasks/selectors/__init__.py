"""Reads of tasks, lists and tags. Whose they are is decided here and in `EventedQuerySet.owned_by` alone."""

from apps.tasks.selectors.dues import Agenda, OverdueTask, agenda, overdue_between
from apps.tasks.selectors.pictures import TaskPicture, existing_among, pictures
from apps.tasks.selectors.things import (
    OPEN,
    completed,
    completed_among,
    counts_of,
    given,
    in_bulk,
    is_there,
    lists_of,
    open_among,
    open_tasks,
    tags_of,
    tags_on,
    tasks_of,
    with_tags,
)

__all__ = [
    "OPEN",
    "Agenda",
    "OverdueTask",
    "TaskPicture",
    "agenda",
    "completed",
    "completed_among",
    "counts_of",
    "existing_among",
    "given",
    "in_bulk",
    "is_there",
    "lists_of",
    "open_among",
    "open_tasks",
    "overdue_between",
    "pictures",
    "tags_of",
    "tags_on",
    "tasks_of",
    "with_tags",
]
