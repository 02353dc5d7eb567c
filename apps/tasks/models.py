"""Tasks, the lists they stand in and the tags they carry.

Invariant: a task, list or tag changes only through `apps.tasks.services`, which raise its `version` by one and
append the event of that version in the same transaction. The querysets refuse mass writes, and the database
refuses to commit a row whose version has no event (see the migrations `task_has_event`, `list_and_tag_have_event`).
"""

from datetime import UTC, datetime
from typing import Any, NoReturn

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import Case, F, Func, Q, Value, When
from django.db.models.functions import Lower, Now, Upper
from uuid_utils.compat import uuid7

from apps.tasks.exceptions import WriteOutsideServices

MAX_TITLE_LENGTH = 500
MAX_DESCRIPTION_BYTES = 32 * 1024
MAX_NAME_LENGTH = 100
MAX_TAGS = 50

# Where a task without a due stands when tasks are sorted by due: after every other.
NO_DUE = datetime(9999, 1, 1, tzinfo=UTC)


# A day is over when it ends in UTC, give or take where its owner lives.
WHEN_PASSED = Func(
    F("due_at"),
    Func(F("due_on"), template="((%(expressions)s + 1)::timestamp AT TIME ZONE 'UTC')"),
    function="COALESCE",
    output_field=models.DateTimeField(),
)


class KeptByDatabase(models.GeneratedField):
    """A generated column that is not read back after every insert: nobody asks the new row for it."""

    db_returning = False  # type: ignore[assignment]


class EventedQuerySet(models.QuerySet[Any]):
    """Reads. Mass writes would change rows without events, so they raise `WriteOutsideServices`."""

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

    def owned_by(self, user: Any) -> "EventedQuerySet":
        """The one place that decides whose things a person may see."""
        return self.filter(owner=user)


class Evented(models.Model):
    """What a person owns and events tell of. `version` counts the events."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Every table has indexes that begin with the owner.
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Counts its events.")
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    objects = EventedQuerySet.as_manager()

    class Meta:
        abstract = True

    def advance(self, *, now: datetime) -> None:
        """Count one more change."""
        self.version += 1
        self.updated_at = now


class TaskList(Evented):
    """A named place for tasks. A task stands in one or none."""

    name = models.CharField(max_length=MAX_NAME_LENGTH)
    position = models.DecimalField(max_digits=40, decimal_places=20)

    class Meta:
        ordering = ["position", "id"]
        verbose_name = "list"
        indexes = [
            models.Index(fields=["owner", "position", "id"], name="list_of_owner"),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="list_by_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Tag(Evented):
    """A word that a person's tasks can carry. `folded_name` is the name as it is compared: case does not count."""

    name = models.CharField(max_length=MAX_NAME_LENGTH)
    folded_name = models.CharField(max_length=MAX_NAME_LENGTH * 3, editable=False)

    class Meta:
        ordering = ["folded_name", "id"]
        constraints = [models.UniqueConstraint(fields=["owner", "folded_name"], name="tag_once_per_owner")]
        indexes = [GinIndex(OpClass(F("folded_name"), name="gin_trgm_ops"), name="tag_by_name")]

    def __str__(self) -> str:
        return self.name


class TaskManager(models.Manager.from_queryset(EventedQuerySet)):  # type: ignore[misc]
    """Leaves out what is only searched by: it is as long as the task itself."""

    def get_queryset(self) -> EventedQuerySet:
        return super().get_queryset().defer("search")


class Task(Evented):
    """A to-do.

    Due is an instant (`due_at`, with the zone its wall clock hangs in, the owner's when empty) or a day
    (`due_on`), never both. `recurrence` and `reminders` are what the person asked for; other apps act on it.
    Tags are kept as an array of ids: it changes with the row, so no tag comes or goes without an event.
    """

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

    title = models.CharField(max_length=MAX_TITLE_LENGTH)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.PENDING)
    status_before_deletion = models.CharField(max_length=12, choices=Status, blank=True, editable=False)
    priority = models.CharField(max_length=8, choices=Priority, default=Priority.NONE)
    due_at = models.DateTimeField(null=True, blank=True)
    due_on = models.DateField(null=True, blank=True)
    due_time_zone = models.CharField(max_length=64, blank=True, default="", db_default="")
    tag_ids = ArrayField(models.UUIDField(), default=list, db_default=[], blank=True, editable=False)
    list = models.ForeignKey(
        TaskList, null=True, blank=True, on_delete=models.PROTECT, related_name="tasks", db_index=False
    )
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="subtasks", db_index=False
    )
    position = models.DecimalField(
        max_digits=40, decimal_places=20, db_default=Func(Now(), template="extract(epoch FROM %(expressions)s)")
    )
    recurrence = models.JSONField(null=True, blank=True, editable=False)
    reminders = models.JSONField(null=True, blank=True, editable=False)
    series_id = models.UUIDField(null=True, editable=False)
    recurrence_id = models.CharField(max_length=40, blank=True, default="", db_default="", editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    # What lists are sorted and searched by; the database keeps them.
    due_order_at = KeptByDatabase(
        # A day without an hour comes after the hours of that day.
        expression=Func(
            F("due_at"),
            Func(F("due_on"), template="((%(expressions)s + 1)::timestamp AT TIME ZONE 'UTC')"),
            template="COALESCE(%(expressions)s, '9999-01-01 00:00:00+00'::timestamptz)",
        ),
        output_field=models.DateTimeField(),
        db_persist=True,
    )
    priority_order = KeptByDatabase(
        expression=Case(
            *[When(priority=priority, then=Value(rank)) for rank, priority in enumerate(Priority.values)],
            default=Value(0),
        ),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )
    title_order = KeptByDatabase(expression=Lower("title"), output_field=models.TextField(), db_persist=True)
    search = KeptByDatabase(
        expression=SearchVector("title", weight="A", config="simple")
        + SearchVector("description", weight="B", config="simple"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    objects = TaskManager()  # type: ignore[misc]

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(due_at=None) | Q(due_on=None), name="task_due_is_instant_or_day"),
            models.UniqueConstraint(
                fields=["series_id", "recurrence_id"], condition=~Q(recurrence_id=""), name="task_once_per_occurrence"
            ),
        ]
        indexes = [
            # Not by id alone: the key has that order too, and walking it passes other people's rows.
            models.Index(fields=["owner", "created_at", "id"], name="task_by_creation"),
            models.Index(fields=["owner", "due_order_at", "id"], name="task_by_due"),
            models.Index(fields=["owner", "priority_order", "id"], name="task_by_priority"),
            models.Index(fields=["owner", "updated_at", "id"], name="task_by_update"),
            models.Index(fields=["owner", "title_order", "id"], name="task_by_title"),
            models.Index(fields=["owner", "position", "id"], name="task_by_position"),
            models.Index(fields=["owner", "status", "created_at", "id"], name="task_of_status"),
            # What is done is mostly what was due long ago: without this, what is open is looked for behind it.
            models.Index(
                fields=["owner", "due_order_at", "id"],
                condition=Q(status__in=["pending", "in_progress"]),
                name="task_open_by_due",
            ),
            # Of everybody, by the clock. Not by a column: the planner would take it for what one person has to do.
            models.Index(
                WHEN_PASSED,
                "id",
                condition=Q(status__in=["pending", "in_progress"]) & (~Q(due_at=None) | ~Q(due_on=None)),
                name="task_open_by_clock",
            ),
            models.Index(fields=["list", "position", "id"], condition=~Q(list=None), name="task_of_list"),
            models.Index(fields=["parent"], condition=~Q(parent=None), name="task_of_parent"),
            models.Index(
                fields=["owner", "created_at", "id"], condition=Q(recurrence__isnull=False), name="task_that_repeats"
            ),
            models.Index(fields=["deleted_at"], condition=~Q(deleted_at=None), name="task_deleted"),
            # With the owner inside, a search never touches other people's rows.
            GinIndex(
                F("owner"),
                F("search"),
                OpClass(F("title_order"), name="gin_trgm_ops"),
                F("tag_ids"),
                name="task_search",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class IdempotentAnswer(models.Model):
    """What a request with an Idempotency-Key was answered, kept in the transaction of its change."""

    owner_id = models.UUIDField()
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what was asked: method, address and body.")
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    data = models.JSONField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner_id", "key"], name="answer_once_per_key")]
        indexes = [models.Index(fields=["created_at"], name="answer_by_age")]

    def __str__(self) -> str:
        return f"answer to {self.key}"
