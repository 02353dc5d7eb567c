"""Tasks as they are now, for other apps that act on time and must not act on a stale picture of them.

Invariant: nobody waits here. A task that somebody is just changing has no picture with `lock`; what was locked
stays as the picture shows it until the caller's transaction ends.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.calendar import zones
from apps.tasks.due import Due
from apps.tasks.models import Task
from apps.tasks.selectors.things import OPEN

_PICTURES = """
SELECT t.id, t.owner_id, t.version, t.title, t.status, t.priority, t.due_at, t.due_on, t.due_time_zone,
       t.reminders, t.updated_at, owner.time_zone, owner.is_active
FROM tasks_task t JOIN accounts_user owner ON owner.id = t.owner_id
WHERE t.id = ANY(%s::uuid[])
"""
# Of the task alone: the person's row may be changed meanwhile. A change of the task waits for the caller.
_UNLESS_CHANGED_NOW = "FOR SHARE OF t SKIP LOCKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPicture:
    """What planning needs of a task. `reminders` as in `intents.reminders`: `None` is the owner's default."""

    id: UUID
    owner_id: UUID
    version: int
    title: str
    status: str
    priority: str
    due_at: datetime | None
    due_on: date | None
    due_time_zone: str
    reminders: list[dict[str, str]] | None
    updated_at: datetime
    owner_time_zone: str
    owner_is_active: bool

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def due(self) -> Due:
        """Raises `UnknownTimeZone` of a zone that the database of time zones has no more."""
        return Due(at=self.due_at, on=self.due_on, zone=zones.zone(self.due_time_zone or self.owner_time_zone))


def pictures(task_ids: Collection[UUID], *, lock: bool) -> dict[UUID, TaskPicture]:
    """Tasks by their ids as they are now, deleted ones too, whosever they are.

    With `lock`, inside a transaction, those that are not being changed just now, held as they are until it ends.
    `existing_among` tells what is missing for that from what is gone.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PICTURES + (_UNLESS_CHANGED_NOW if lock else ""), [list(task_ids)])
        return {row[0]: _picture(row) for row in cursor.fetchall()}


def existing_among(task_ids: Collection[UUID]) -> set[UUID]:
    """Those of these that are there, be they deleted or being changed; of those purged none."""
    return set(Task.objects.filter(pk__in=task_ids).values_list("pk", flat=True))


def _picture(row: tuple[Any, ...]) -> TaskPicture:
    (task_id, owner_id, version, title, status, priority, due_at, due_on, due_zone, reminders, updated_at) = row[:-2]
    zone, is_active = row[-2:]
    return TaskPicture(
        id=task_id,
        owner_id=owner_id,
        version=version,
        title=title,
        status=status,
        priority=priority,
        due_at=due_at,
        due_on=due_on,
        due_time_zone=due_zone,
        reminders=None if reminders is None else json.loads(reminders),
        updated_at=updated_at,
        owner_time_zone=zone,
        owner_is_active=is_active,
    )
