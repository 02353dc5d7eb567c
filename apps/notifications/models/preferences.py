"""How a person wants to be told."""

from datetime import time
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

DEFAULT_BEFORE_DUE = "PT30M"
DEFAULT_ON_DAY = time(9, 0)
DEFAULT_STALE_AFTER_HOURS = 24


class Preferences(models.Model):
    """A person's; who has no row has the defaults.

    `switches` has, per kind and transport, what differs from what the transport does by itself. `default_before_due`
    and `default_on_day` are the reminder of a task that asks for none in particular, due at an instant or on a day;
    null is none. Quiet hours are wall-clock times in the owner's zone and may pass midnight. A reminder later than
    `stale_after_hours` is not told any more; null is always told. `follows_up_from` is how far its tasks have followed
    a change of defaults: null is all.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, primary_key=True, related_name="notification_preferences"
    )
    switches: Any = models.JSONField(default=dict)
    default_before_due = models.CharField(max_length=32, null=True, default=DEFAULT_BEFORE_DUE)
    default_on_day = models.TimeField(null=True, default=DEFAULT_ON_DAY)
    quiet_from = models.TimeField(null=True)
    quiet_until = models.TimeField(null=True)
    digest_at = models.TimeField(null=True)
    next_digest_at = models.DateTimeField(null=True)
    batches = models.BooleanField(default=True)
    stale_after_hours = models.PositiveIntegerField(null=True, default=DEFAULT_STALE_AFTER_HOURS)
    follows_up_from = models.UUIDField(null=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "preferences"
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None) | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="quiet_hours_have_both_ends",
            )
        ]
        indexes = [
            models.Index(fields=["next_digest_at"], condition=~Q(next_digest_at=None), name="preferences_digest_due"),
            models.Index(fields=["owner"], condition=~Q(follows_up_from=None), name="preferences_to_follow_up"),
        ]

    def __str__(self) -> str:
        return f"preferences of {self.owner_id}"
