"""What people were told: their inbox."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7

from apps.notifications.kinds import Kind
from apps.notifications.models.reminders import MAX_TITLE_LENGTH


class Notification(models.Model):
    """One thing a person is told, once: `once` names it, and is unique.

    `about_at` is the instant it is for, `late_seconds` how long after that it was made. A `quiet` one was made in quiet
    hours: no screen pops up. One that is not `in_inbox` only goes out. `choices` tells, per transport, what was decided
    when it was made, and why. `snoozed` is until `snoozed_until`; `done` needs nobody any more.
    """

    class Status(models.TextChoices):
        UNREAD = "unread"
        READ = "read"
        SNOOZED = "snoozed"
        DONE = "done"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind)
    once = models.CharField(max_length=200, unique=True)
    event_id = models.UUIDField(null=True, help_text="The event that led to it; none where time did.")
    task_id = models.UUIDField(null=True)
    reminder_id = models.UUIDField(null=True)
    title = models.CharField(max_length=MAX_TITLE_LENGTH)
    text = models.TextField(blank=True, default="")
    urgent = models.BooleanField(default=False)
    quiet = models.BooleanField(default=False)
    in_inbox = models.BooleanField(default=True)
    due_at = models.DateTimeField(null=True)
    due_on = models.DateField(null=True)
    about_at = models.DateTimeField()
    late_seconds = models.FloatField(default=0)
    data: Any = models.JSONField(default=dict)
    status = models.CharField(max_length=8, choices=Status, default=Status.UNREAD)
    because = models.CharField(max_length=20, blank=True, default="", help_text="Of one that is done: why.")
    read_at = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    choices: Any = models.JSONField(default=list)
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Counts its events.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["owner", "id"], name="notification_of_owner"),
            models.Index(fields=["owner", "status", "id"], name="notification_of_status"),
            models.Index(fields=["owner", "kind", "id"], name="notification_of_kind"),
            models.Index(
                fields=["owner", "id"], condition=Q(status="unread", in_inbox=True), name="notification_unread"
            ),
            models.Index(fields=["task_id", "id"], condition=~Q(task_id=None), name="notification_of_task"),
            models.Index(fields=["reminder_id"], condition=~Q(reminder_id=None), name="notification_of_reminder"),
            models.Index(
                fields=["created_at"], condition=Q(status__in=["read", "done"]), name="notification_to_forget"
            ),
        ]

    def __str__(self) -> str:
        return self.title
