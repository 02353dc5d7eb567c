"""The audit trail: every fact once, as it happened, for good.

Invariant: a record is inserted and never changed or removed; the database refuses UPDATE, DELETE and TRUNCATE
(see the migrations). Each stands in one of 16 chains and names the hash of the one before it. What people wrote
is kept beside the record and goes when they are erased; the record holds a commitment to it and stays. Owner and
actor are plain ids: the trail outlives the people's rows.
"""

import json
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.db.models.functions import Now

from apps.audit import chain
from apps.audit.chain import Link

_READABLE = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


class AuditRecord(models.Model):
    """One fact, or one record on a topic that nobody could read (`readable` false)."""

    chain = models.SmallIntegerField()
    sequence = models.BigIntegerField(help_text="Its place in its chain, from 1, without gaps.")
    previous_hash = models.BinaryField()
    hash = models.BinaryField()
    commitment = models.BinaryField(help_text="HMAC-SHA256 of the content under its salt.")
    event_id = models.UUIDField(unique=True)
    type = models.CharField(max_length=200)
    subject_type = models.CharField(max_length=200, blank=True)
    subject_id = models.UUIDField(null=True)
    subject_version = models.PositiveIntegerField(null=True)
    owner_id = models.UUIDField(null=True)
    actor_id = models.UUIDField(null=True)
    source = models.CharField(max_length=200, blank=True)
    causation_id = models.UUIDField(null=True)
    occurred_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()
    record_topic = models.CharField(
        max_length=249, blank=True, help_text="Where it stood in Kafka; empty when it was taken from the log."
    )
    record_partition = models.IntegerField(null=True)
    record_offset = models.BigIntegerField(null=True)
    readable = models.BooleanField(default=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["chain", "sequence"], name="audit_record_once_in_chain"),
            models.CheckConstraint(
                condition=models.Q(chain__range=(0, chain.CHAINS - 1), sequence__gte=1), name="audit_record_in_a_chain"
            ),
            # What no calendar of ours has, nobody could read any more.
            models.CheckConstraint(
                condition=models.Q(recorded_at__range=_READABLE)
                & (models.Q(occurred_at__isnull=True) | models.Q(occurred_at__range=_READABLE)),
                name="audit_record_in_calendar",
            ),
        ]
        indexes = [
            models.Index(fields=["subject_id", "-id"], name="audit_record_of_subject"),
            models.Index(fields=["owner_id", "-id"], name="audit_record_of_owner"),
            models.Index(fields=["actor_id", "-id"], name="audit_record_by_actor"),
            models.Index(fields=["type", "-id"], name="audit_record_of_type"),
            models.Index(fields=["recorded_at"], name="audit_record_recorded_at"),
            # Of one person's many what is rare, and what lies far back.
            models.Index(fields=["owner_id", "type", "-id"], name="audit_record_of_owner_type"),
            models.Index(fields=["owner_id", "actor_id", "-id"], name="audit_record_of_owner_actor"),
            models.Index(fields=["owner_id", "-occurred_at", "-id"], name="audit_record_of_owner_when"),
            models.Index(fields=["readable", "-occurred_at", "-id"], name="audit_record_by_instant"),
            models.Index(
                fields=["causation_id"],
                condition=models.Q(causation_id__isnull=False),
                name="audit_record_caused_by",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject_type}/{self.subject_id}" if self.readable else "unreadable record"

    @property
    def link(self) -> Link:
        """What of it is hashed."""
        columns: dict[str, Any] = {field: getattr(self, field) for field in Link._fields}
        for field in ("previous_hash", "commitment"):
            columns[field] = bytes(columns[field])  # the driver's buffers, as bytes
        return Link(**columns)

    @cached_property
    def told(self) -> dict[str, Any] | None:
        """The content as it was kept; `None` when it is gone, or cannot be read."""
        try:
            told = json.loads(self.content.text)
            # Numbers and letters that no other JSON could carry on are nothing that anybody wrote.
            json.dumps(told, allow_nan=False, ensure_ascii=False).encode()
        except (ObjectDoesNotExist, RecursionError, ValueError):
            return None
        is_content = isinstance(told, dict) and isinstance(told.get("correlation_id"), str)
        return told if is_content and isinstance(told.get("data"), dict) else None

    @property
    def has_content(self) -> bool:
        """Whether there is content; with `told` of `None`, somebody broke it."""
        return hasattr(self, "content")

    @property
    def data(self) -> dict[str, Any] | None:
        """The event's data; of an unreadable record `because`, `headers`, and `key` and `value` in base64."""
        return self.told["data"] if self.told else None

    @property
    def correlation_id(self) -> str | None:
        return self.told["correlation_id"] if self.told else None


class AuditContent(models.Model):
    """What people wrote: what the record's commitment stands for. The only part of the trail that may ever go.

    `title` (the thing's title or name as it then was), `correlation_id` and `owner_id` repeat, for searching, what
    the text and the record say.
    """

    # No database constraint: neither side is ever written alone, and a record outlives its content.
    record = models.OneToOneField(
        AuditRecord,
        to_field="event_id",
        db_column="event_id",
        primary_key=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="content",
    )
    owner_id = models.UUIDField(null=True)
    correlation_id = models.CharField(max_length=200, blank=True)
    title = models.CharField(max_length=500, blank=True)
    salt = models.BinaryField()
    text = models.TextField()

    class Meta:
        indexes = [
            models.Index(fields=["owner_id"], name="audit_content_of_owner"),
            models.Index(fields=["correlation_id"], name="audit_content_correlation"),
            GinIndex(SearchVector("title", config="simple"), name="audit_content_title"),
        ]

    def __str__(self) -> str:
        return f"content of {self.record_id}"


class AuditVerification(models.Model):
    """One time the trail was held against its proofs.

    `heads` is up to where each chain was found sound, by chain: [sequence, hash in hex]; the next run goes on from
    there. `lap` is where the slow walk over the whole trail stands; `whole` marks a run that has seen every record.
    """

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(db_default=Now())
    whole = models.BooleanField()
    full = models.BooleanField(
        default=False, help_text="Everything was held against every witness. Only if that is sound, an alarm is over."
    )
    records = models.BigIntegerField(help_text="How many were looked at.")
    sound = models.BooleanField()
    findings = models.JSONField(default=list)
    heads = models.JSONField(default=dict)
    log_position = models.BigIntegerField(default=0, help_text="Up to where the event log was found recorded.")
    lap = models.JSONField(default=dict)
    checkpoint = models.BigIntegerField(null=True, help_text="The newest signed checkpoint that was there.")

    class Meta:
        ordering = ["-id"]
        get_latest_by = "id"

    def __str__(self) -> str:
        return f"{'whole' if self.whole else 'new'} records {'sound' if self.sound else 'NOT SOUND'}"


class CheckpointNote(models.Model):
    """What the writer of checkpoints last did, in one row, for those who reach neither its key nor its store.

    An instrument and no proof: the application's role may write it.
    """

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    tried_at = models.DateTimeField()
    trouble = models.CharField(max_length=30, blank=True, help_text="Why the last round wrote nothing, in a word.")
    because = models.TextField(blank=True)
    number = models.BigIntegerField(default=0, help_text="Of the newest checkpoint.")
    taken_at = models.DateTimeField(null=True)
    sequences = models.JSONField(default=dict, help_text="Up to which record each chain is signed.")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="audit_checkpoint_note_is_one")]

    def __str__(self) -> str:
        return f"checkpoint {self.number}{f': {self.trouble}' if self.trouble else ''}"
