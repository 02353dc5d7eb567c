"""Series of repeating tasks, and which task is which occurrence.

Invariant: a series changes only through `apps.recurrence.services`, which lock its row, raise its `version` by one and
append the event of that version; the database refuses to commit a version without its event (see the migration
`series_has_event`). An occurrence is one row, unique by its recurrence id and by its number in the series, so however
often and by whomever the next one is made, there is one.
"""

from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.calendar import zones
from apps.calendar.expansion import Wall
from apps.calendar.recurrences import parse_wall
from apps.recurrence.schedule import Schedule, alike, schedule_of
from apps.tasks.models import Evented, EventedQuerySet

MAX_RECURRENCE_ID_LENGTH = 32

LOOKS_AT = "When a series that makes every date, done or not, looks whether the next has come; others wait for a task."


class Series(Evented):
    """What repeats. `id` is the `series_id` that its tasks carry.

    `recurrence` is what the person asked for, as tasks keep it. Its rule is counted from the wall `start`, that of
    occurrence `start_number`, in `time_zone`. `anchor` gives a rule of months or years the day that it does not name:
    the 31st, also where the start was held to the 28th. `exdates` are dates that a person skipped, and up to
    `passed_over` no date is made any more. `looks_at` is when a series that waits for nobody is looked at again.
    """

    class Ended(models.TextChoices):
        COUNT = "count", "its last occurrence is done"
        UNTIL = "until", "its last day is over"
        NEVER = "never", "its rule names no further date"
        STOPPED = "stopped", "the task was told to repeat no more"
        DELETED = "deleted", "its task was deleted"
        ASKED = "asked", "it was ended by hand"
        ERASED = "erased", "its owner was erased"

    opened_by = models.UUIDField(help_text="The task that opened it.")
    recurrence: Any = models.JSONField()
    start = models.CharField(max_length=MAX_RECURRENCE_ID_LENGTH)
    start_number = models.PositiveIntegerField(default=1)
    anchor = models.CharField(max_length=MAX_RECURRENCE_ID_LENGTH)
    time_zone = models.CharField(max_length=64)
    follows_owner = models.BooleanField(help_text="Whether its clock moves with its owner's time zone.")
    exdates = ArrayField(models.CharField(max_length=MAX_RECURRENCE_ID_LENGTH), default=list, blank=True)
    passed_over = models.CharField(max_length=MAX_RECURRENCE_ID_LENGTH, blank=True, default="")
    last_number = models.PositiveIntegerField(default=1, help_text="How many occurrences were made.")
    last_recurrence_id = models.CharField(max_length=MAX_RECURRENCE_ID_LENGTH)
    last_task_id = models.UUIDField()
    owes_next = models.BooleanField(default=False, help_text="Its last one was done while it was paused.")
    paused_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=8, choices=Ended, blank=True)
    looks_at = models.DateTimeField(null=True, blank=True, help_text=LOOKS_AT)

    objects: ClassVar[Any] = EventedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "series"
        indexes = [
            models.Index(fields=["owner", "id"], name="series_of_owner"),
            models.Index(fields=["id"], condition=Q(ended_at=None, paused_at=None), name="series_at_work"),
            models.Index(fields=["looks_at"], condition=~Q(looks_at=None), name="series_to_look_at"),
        ]

    def __str__(self) -> str:
        return f"series {self.pk}"

    @property
    def is_active(self) -> bool:
        return self.ended_at is None

    @property
    def makes_every_date(self) -> bool:
        """Without waiting for the one before to be done."""
        return bool(self.recurrence["catch_up"] == "all" and self.recurrence["from"] == "schedule")

    @property
    def zone(self) -> ZoneInfo:
        return zones.zone(self.time_zone)

    @property
    def schedule(self) -> Schedule:
        """As it now is; worked out anew each time it is asked for."""
        made = self.last_number - self.start_number + 1
        return schedule_of(
            self.recurrence,
            start=parse_wall(self.start),
            anchor=parse_wall(self.anchor),
            zone=self.zone,
            exdates=self.exdates,
            made=made,
        )

    @property
    def after(self) -> Wall:
        """What comes next comes after this."""
        example = parse_wall(self.start)
        behind = [alike(parse_wall(text), example) for text in (self.last_recurrence_id, self.passed_over) if text]
        return max(behind)


class Occurrence(models.Model):
    """The task that stands for one date of a series.

    `due_at` or `due_on` is what was planned; a person may have moved the task since. `only_here` has, per field that a
    person changed for this occurrence alone, the value the series goes on with.
    """

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="occurrences", db_index=False)
    number = models.PositiveIntegerField(help_text="1 is the task that opened the series.")
    recurrence_id = models.CharField(max_length=MAX_RECURRENCE_ID_LENGTH)
    task_id = models.UUIDField(db_index=True)
    due_at = models.DateTimeField(null=True)
    due_on = models.DateField(null=True)
    created_at = models.DateTimeField()
    only_here: Any = models.JSONField(default=dict)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["series", "number"], name="occurrence_once_per_number"),
            models.UniqueConstraint(fields=["series", "recurrence_id"], name="occurrence_once_per_recurrence_id"),
        ]

    def __str__(self) -> str:
        return f"occurrence {self.number}, {self.recurrence_id}"
