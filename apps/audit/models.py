"""The audit trail: every fact once, as it happened, for good.

Invariant: a record is inserted and never changed or removed; the database refuses UPDATE, DELETE and TRUNCATE
(see the migration `append_only`). Owner and actor are plain ids: the trail outlives the people's rows.
"""

from django.db import models
from django.db.models.functions import Now


class AuditRecord(models.Model):
    """One fact, or one record on a topic that nobody could read (`readable` false, with the raw bytes)."""

    event_id = models.UUIDField(unique=True)
    type = models.CharField(max_length=200)
    subject_type = models.CharField(max_length=200, blank=True)
    subject_id = models.UUIDField(null=True)
    subject_version = models.PositiveIntegerField(null=True)
    owner_id = models.UUIDField(null=True)
    actor_id = models.UUIDField(null=True)
    source = models.CharField(max_length=200, blank=True)
    correlation_id = models.CharField(max_length=200, blank=True)
    causation_id = models.UUIDField(null=True)
    occurred_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField(db_default=Now())
    data = models.JSONField(default=dict)
    record_topic = models.CharField(
        max_length=249, blank=True, help_text="Where it stood in Kafka; empty when it was taken from the log."
    )
    record_partition = models.IntegerField(null=True)
    record_offset = models.BigIntegerField(null=True)
    readable = models.BooleanField(default=True)
    raw_key = models.BinaryField(null=True)
    raw_value = models.BinaryField(null=True)
    unreadable_because = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["subject_id", "-id"], name="audit_of_subject"),
            models.Index(fields=["owner_id", "-id"], name="audit_of_owner"),
            models.Index(fields=["actor_id", "-id"], name="audit_by_actor"),
            models.Index(fields=["type", "-id"], name="audit_of_type"),
            models.Index(fields=["recorded_at"], name="audit_recorded_at"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject_type}/{self.subject_id}" if self.readable else "unreadable record"
