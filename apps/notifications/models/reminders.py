"""Tasks as they were last heard of, and the reminders that follow from them."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7

MAX_TITLE_LENGTH = 500


class RemindedTask(models.Model):
    """A task as the group last heard of it; there is one once a task had a due or reminders.

    `version` is the task's: what is not newer changes nothing. Its row is the turn of whoever changes its reminders.
    """

    task_id = models.UUIDField(primary_key=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=MAX_TITLE_LENGTH)
    status = models.CharField(max_length=12)
    priority = models.CharField(max_length=8)
    due_at = models.DateTimeField(null=True)
    due_on = models.DateField(null=True)
    due_time_zone = models.CharField(max_length=64, blank=True, default="")
    reminders: Any = models.JSONField(null=True, help_text="What was asked for; null is the owner's default.")

    class Meta:
        ordering = ["-task_id"]
        indexes = [models.Index(fields=["owner", "task_id"], name="reminded_task_of_owner")]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        return self.status in {"pending", "in_progress"}


class Reminder(models.Model):
    """An instant at which its owner is told of a task.

    `id` is that of the reminder the task asks for. `planned_for` is what the task asks for; `trigger_at` is the same,
    or later when it was snoozed. It waits while it is `planned` or `snoozed`. After it was triggered it is `delivered`
    by the first transport that got through, `failed` when none did.
    """

    class Status(models.TextChoices):
        PLANNED = "planned"
        SNOOZED = "snoozed"
        TRIGGERED = "triggered"
        DELIVERED = "delivered"
        FAILED = "failed"
        CANCELLED = "cancelled"
        STALE = "stale"

    class Origin(models.TextChoices):
        ASKED = "asked", "asked for with the task"
        DEFAULT = "default", "its owner's default"
        SNOOZE = "snooze", "a notification that was snoozed"

    class Because(models.TextChoices):
        COMPLETED = "completed", "the task was completed"
        DELETED = "deleted", "the task was deleted"
        PURGED = "purged", "the task was deleted for good"
        REMOVED = "removed", "it was taken away"
        NO_DUE = "no_due", "the task has no due any more"
        DUE_MOVED = "due_moved", "the task's due was moved"
        PASSED = "passed", "its time had passed when it was asked for"
        DEFAULT = "default", "its owner's default is none"
        ERASED = "erased", "its owner was erased"
        TOO_LATE = "too_late", "it was later than its owner wants to be told"
        UNWANTED = "unwanted", "its owner has switched off all that would have told it"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    task = models.ForeignKey(RemindedTask, on_delete=models.CASCADE, related_name="planned", db_index=False)
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Counts its events.")
    origin = models.CharField(max_length=8, choices=Origin)
    before_due = models.CharField(max_length=32, blank=True, default="", help_text="ISO 8601; empty: an instant.")
    planned_for = models.DateTimeField()
    trigger_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=Status, default=Status.PLANNED)
    because = models.CharField(max_length=10, choices=Because, blank=True, default="")
    triggers = models.PositiveIntegerField(default=0, help_text="How often it was triggered.")
    triggered_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["trigger_at", "id"], condition=Q(status__in=["planned", "snoozed"]), name="reminder_that_waits"
            ),
            models.Index(fields=["owner", "trigger_at", "id"], name="reminder_of_owner"),
            models.Index(fields=["owner", "status", "trigger_at", "id"], name="reminder_of_status"),
            models.Index(fields=["owner", "origin", "trigger_at", "id"], name="reminder_of_origin"),
            models.Index(fields=["task", "trigger_at", "id"], name="reminder_of_task"),
        ]

    def __str__(self) -> str:
        return f"reminder {self.pk}"

    @property
    def waits(self) -> bool:
        return self.status in {self.Status.PLANNED, self.Status.SNOOZED}
