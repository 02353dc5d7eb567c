"""The tables of the event core.

Invariant: an event and its outbox entry are inserted in the transaction of the change they tell of; an event
is deleted only when older than its retention, and never changed but to empty it after its owner was erased (the
database refuses all else, see the migrations `append_only`, `snapshots_go_sooner` and `erasing`).
"""

from datetime import UTC, datetime

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Cast, Now

from apps.events.event_types import ERASING_TYPE

# A day inside of what Python can tell, whatever the time zone.
_EARLIEST, _LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


class Event(models.Model):
    """The log: every fact once, in PostgreSQL, the source for relay, replay and reconcile.

    `position` numbers the rows in the order of their insertion, which for one subject is the order of its
    versions. It is no cursor over commits: a transaction may commit after one with higher positions.
    `transaction_id` tells which transaction wrote the row, so that a reader can know what may still appear.
    With `erased_at` set the event is hollow: its owner was erased, and what they wrote is gone from it.
    """

    position = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(unique=True)
    type = models.CharField(max_length=200)
    topic = models.CharField(max_length=200)
    key = models.CharField(max_length=200)
    source = models.CharField(max_length=200)
    subject_type = models.CharField(max_length=200)
    subject_id = models.UUIDField()
    subject_version = models.PositiveIntegerField(null=True)
    owner_id = models.UUIDField(null=True)
    actor_id = models.UUIDField(null=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    correlation_id = models.CharField(max_length=200)
    causation_id = models.UUIDField(null=True)
    traceparent = models.CharField(max_length=55)
    data = models.JSONField()
    erased_at = models.DateTimeField(null=True)
    transaction_id = models.BigIntegerField(
        db_default=Cast(Cast(models.Func(function="pg_current_xact_id"), models.TextField()), models.BigIntegerField())
    )

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject_type", "subject_id", "subject_version"], name="event_one_per_subject_version"
            ),
            # What would stop every reader of the log: Python has no such instants, and an event no such data.
            models.CheckConstraint(
                name="event_can_be_read",
                condition=models.Q(
                    *(models.Q(**{f"{text}__gt": ""}) for text in ("type", "key", "source", "subject_type")),
                    models.Q(topic__regex=r"^[A-Za-z0-9._-]+$"),
                    models.lookups.Exact(models.Func("data", function="jsonb_typeof"), models.Value("object")),
                    *(
                        models.Q(**{f"{instant}__gte": _EARLIEST, f"{instant}__lt": _LATEST})
                        for instant in ("occurred_at", "recorded_at")
                    ),
                ),
            ),
        ]
        indexes = [
            BrinIndex(fields=["recorded_at"], name="event_recorded_at", autosummarize=True),
            BrinIndex(fields=["transaction_id"], name="event_transaction_id", autosummarize=True),
            # Snapshots go sooner than the facts around them.
            models.Index(
                fields=["recorded_at"], condition=models.Q(type__contains=".snapshot.v"), name="event_snapshots_by_age"
            ),
            models.Index(fields=["owner_id"], condition=models.Q(erased_at=None), name="event_to_erase"),
            models.Index(fields=["owner_id"], condition=models.Q(type=ERASING_TYPE), name="event_that_erases"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject_type}/{self.subject_id}"


class OutboxEntry(models.Model):
    """Points at an event that Kafka has not yet acknowledged; deleted when it has.

    With `held_at` set it cannot go to Kafka, for the reason in `refusal`, or waits behind one of its key that cannot:
    `apps.events.held`.
    """

    # No database constraint: an event with an entry is young, and nothing young is ever deleted.
    event = models.OneToOneField(
        Event, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="outbox_entry"
    )
    held_at = models.DateTimeField(null=True)
    refusal = models.CharField(max_length=200, db_default="")

    class Meta:
        ordering = ["event_id"]
        # Empty while all is well, so that it costs nothing.
        indexes = [models.Index(fields=["event"], condition=models.Q(held_at__isnull=False), name="outbox_entry_held")]
        verbose_name_plural = "outbox entries"

    def __str__(self) -> str:
        return f"outbox entry {self.pk}"


class HandledEvent(models.Model):
    """The inbox: this group has applied this event. Shares a transaction with the effect."""

    pk = models.CompositePrimaryKey("group", "event_id")
    group = models.CharField(max_length=50)
    event_id = models.UUIDField()
    handled_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [BrinIndex(fields=["handled_at"], name="handled_event_handled_at", autosummarize=True)]

    def __str__(self) -> str:
        return f"{self.group} handled {self.event_id}"


class DeadLetter(models.Model):
    """An event a group gave up on, with the reason; or one parked behind such an event of the same key."""

    class Status(models.TextChoices):
        PARKED = "parked"
        REPLAYED = "replayed"
        DISCARDED = "discarded"

    group = models.CharField(max_length=50)
    event_id = models.UUIDField()
    type = models.CharField(max_length=200)
    topic = models.CharField(max_length=200)
    key = models.CharField(max_length=200)
    record_partition = models.IntegerField(null=True)
    record_offset = models.BigIntegerField(null=True)
    envelope = models.JSONField(help_text="The event as it travelled: headers and data.")
    reason = models.TextField()
    traceback = models.TextField(blank=True)
    behind = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="waiting")
    status = models.CharField(max_length=10, choices=Status, default=Status.PARKED)
    parked_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["group", "event_id"], name="dead_letter_once_per_group")]
        indexes = [
            models.Index(
                fields=["group", "topic", "key", "id"],
                condition=models.Q(status="parked"),
                name="dead_letter_first_parked",
            )
        ]

    def __str__(self) -> str:
        return f"{self.group}: {self.type} {self.event_id} ({self.status})"


class GroupProgress(models.Model):
    """What the reconcile knows of a consumer group.

    `repaired` counts events that were in the log and lost on the way to the group: it stays 0 unless something is
    broken. `caught_up` counts those taken from the log because they could not come otherwise: the broker no longer
    had them, or the group began to want their type after it had read past them.
    """

    group = models.CharField(max_length=50, primary_key=True)
    cluster_id = models.CharField(max_length=200, blank=True)
    checked_at = models.DateTimeField(null=True)
    repaired = models.BigIntegerField(default=0)
    caught_up = models.BigIntegerField(default=0)
    parked_in_a_row = models.IntegerField(default=0)

    class Meta:
        verbose_name_plural = "group progress"

    def __str__(self) -> str:
        return f"progress of {self.group}"


class GroupMark(models.Model):
    """How far a group is settled with a type of event, or with every fact (`*`); see `apps.events.marks`.

    Every such event of a transaction below `settled_transaction_id` is handled or parked. `added_at` is when the
    group began to want the type, or wanted it again, if it had been without.
    """

    pk = models.CompositePrimaryKey("group", "type")
    group = models.CharField(max_length=50)
    type = models.CharField(max_length=200)
    settled_transaction_id = models.BigIntegerField()
    added_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.group} is settled with {self.type} below {self.settled_transaction_id}"


class Heartbeat(models.Model):
    """One process of a role, and when its loop last came round, by the database's clock. Kept for a day."""

    pk = models.CompositePrimaryKey("role", "instance")
    role = models.CharField(max_length=60)
    instance = models.CharField(max_length=280, help_text="Host and process id; the host of a pod is its name.")
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    release = models.CharField(max_length=100, blank=True)

    def __str__(self) -> str:
        return f"{self.role} {self.instance}"
