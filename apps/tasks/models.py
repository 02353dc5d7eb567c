"""Tasks: what a person wants to get done.

Invariant: a task changes only through `apps.tasks.services`, which raise `version` by one and append the event
of that version in the same transaction. The queryset refuses mass writes, and the database refuses to commit a
task whose version has no event (see the migration `task_has_event`).
"""

from datetime import datetime
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from uuid_utils.compat import uuid7

from apps.tasks.exceptions import WriteOutsideServices

MAX_TITLE_LENGTH = 500
MAX_DESCRIPTION_BYTES = 32 * 1024


class TaskQuerySet(models.QuerySet["Task"]):
    """Reads tasks. Mass writes would change tasks without events, so they raise `WriteOutsideServices`."""

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise WriteOutsideServices

    update = _refuse
    delete = _refuse
    bulk_create = _refuse
    bulk_update = _refuse
    aupdate = _refuse
    adelete = _refuse
    abulk_create = _refuse
    abulk_update = _refuse

    def owned_by(self, user: Any) -> "TaskQuerySet":
        """The one place that decides whose tasks a person may see."""
        return self.filter(owner=user)


class Task(models.Model):
    class Status(models.TextChoices):
        PENDING = "pending"
        IN_PROGRESS = "in_progress"
        COMPLETED = "completed"
        DELETED = "deleted"

    class Priority(models.TextChoices):
        NONE = "none"
        LOW = "low"
        MEDIUM = "medium"
        HIGH = "high"
        URGENT = "urgent"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="tasks")
    title = models.CharField(max_length=MAX_TITLE_LENGTH)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.PENDING)
    status_before_deletion = models.CharField(max_length=12, choices=Status, blank=True, editable=False)
    priority = models.CharField(max_length=8, choices=Priority, default=Priority.NONE)
    due_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Counts the task's events.")
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)

    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["owner", "-id"], name="task_of_owner")]

    def __str__(self) -> str:
        return self.title

    def advance(self, *, now: datetime) -> None:
        """Count one more change."""
        self.version += 1
        self.updated_at = now
