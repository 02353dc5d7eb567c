"""How a task's recurrence and its occurrences look over REST, and what a body that changes them may hold."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.accounts.serializers import RefusesUnknownFields
from apps.calendar import zones
from apps.calendar.zones import instant_text
from apps.recurrence import preview, rule_changes, selectors
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.serializers.dates import PlannedDateSerializer, shown
from apps.recurrence.serializers.series import MOST_PLANNED, brief, why_ended
from apps.recurrence.upcoming import upcoming
from apps.tasks import schemas
from apps.tasks.due import Due
from apps.tasks.models import Task
from apps.tasks.serializers import TaskSerializer
from apps.tasks.serializers.fields import RecurrenceField, WordField, Words
from apps.tasks.serializers.things import Represented

_RECURRENCE = {**schemas.RECURRENCE, "oneOf": [*schemas.RECURRENCE["oneOf"], {"type": "null"}]}
_ADDRESS = {"type": "string", "format": "uri"}
_LINKS: dict[str, Any] = {
    "type": "object",
    "required": ["task", "series", "occurrences"],
    "properties": {"task": _ADDRESS, "series": {"type": ["string", "null"], "format": "uri"}, "occurrences": _ADDRESS},
}


class RecurrenceSerializer(RefusesUnknownFields):
    """How a task is to repeat, from this occurrence on."""

    recurrence = RecurrenceField(
        help_text="Words such as every 2 weeks on mon, thu; an RRULE; or an object with policies. Words and "
        "an RRULE keep the month_end and catch_up there were, an object says all. DELETE stops it.",
        style={"rows": 7},
    )

    def to_representation(self, task: Task) -> dict[str, Any]:
        """As a form starts with it."""
        return {"recurrence": task.recurrence or Words(""), "version": task.version}


class OccurrencesChangeSerializer(TaskSerializer):
    """Changes of one occurrence or of several."""

    scope = WordField(
        choices=["this", "following", "all"],
        required=False,
        help_text="Which occurrences: this one alone, it and those after it (what holds when nothing is said), or all "
        "that are open.",
    )
    # These belong to one task.
    status = None  # type: ignore[assignment]
    parent = None  # type: ignore[assignment]
    position = None  # type: ignore[assignment]

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not asked.keys() - {"scope"}:
            raise serializers.ValidationError("Name at least one field to change.")
        return asked


class SeriesInShortSerializer(serializers.Serializer[Any]):
    """A series, in short."""

    id = serializers.UUIDField()
    url = serializers.URLField()
    is_active = serializers.BooleanField()
    is_paused = serializers.BooleanField()
    generated_count = serializers.IntegerField()
    ended_at = serializers.DateTimeField(allow_null=True)
    why_ended = serializers.CharField(allow_null=True)


class TaskRecurrenceSerializer(Represented):
    """How a task repeats, and what comes."""

    task = serializers.UUIDField(read_only=True)
    recurrence = serializers.SerializerMethodField(help_text="What the task carries; null when it does not repeat.")
    sentence = serializers.CharField(read_only=True, allow_null=True)
    recurrence_id = serializers.CharField(
        read_only=True, allow_null=True, help_text="Which date of the series this task stands for."
    )
    number = serializers.IntegerField(read_only=True, allow_null=True, help_text="The how many-eth it is.")
    series = SeriesInShortSerializer(
        read_only=True, allow_null=True, help_text="Null where there is none, or none yet: it is opened in a moment."
    )
    planned = PlannedDateSerializer(read_only=True, many=True, help_text="The next dates that are not made yet.")
    version = serializers.IntegerField(read_only=True, min_value=1, help_text="The task's.")
    links = serializers.SerializerMethodField(help_text="Where related things are.")

    @extend_schema_field(_RECURRENCE)
    def get_recurrence(self, task: Task) -> Any:
        return task.recurrence

    @extend_schema_field(_LINKS)
    def get_links(self, task: Task, series: Series | None = None) -> dict[str, str | None]:
        base = self.base_address()
        return {
            "task": f"{base}tasks/{task.pk}/",
            "series": f"{base}series/{series.pk}/" if series else None,
            "occurrences": f"{base}tasks/{task.pk}/occurrences/",
        }

    def to_representation(self, task: Task) -> dict[str, Any]:
        occurrence = selectors.occurrence_of_task(task.pk)
        if occurrence is not None and occurrence.series_id != task.series_id:  # of a series it was in before
            occurrence = None
        series = occurrence.series if occurrence else None
        zone = zones.zone(series.time_zone if series else task.due_time_zone or task.owner.time_zone)
        now = datetime.now(UTC)
        today = zones.local_date(now, zone)
        intent = task.recurrence
        return {
            "task": str(task.pk),
            "recurrence": intent,
            "sentence": preview.sentence_of(intent, today=today) if intent else None,
            "recurrence_id": occurrence.recurrence_id if occurrence else None,
            "number": occurrence.number if occurrence else None,
            "series": self._in_short(series) if series else None,
            "planned": self._planned(task, occurrence, now=now),
            "version": task.version,
            "links": self.get_links(task, series),
        }

    def _in_short(self, series: Series) -> dict[str, Any]:
        return {
            "id": str(series.pk),
            "url": f"{self.base_address()}series/{series.pk}/",
            "is_active": series.is_active,
            "is_paused": series.paused_at is not None,
            "generated_count": series.last_number,
            "ended_at": instant_text(series.ended_at),
            "why_ended": why_ended(series),
        }

    @staticmethod
    def _planned(task: Task, occurrence: Occurrence | None, *, now: datetime) -> list[Mapping[str, Any]]:
        if occurrence is not None:
            # The series hears a moment later of another rule that its task was given.
            series = rule_changes.as_told(occurrence.series, occurrence, task, now=now)
            return [shown(one) for one in upcoming(series, most=MOST_PLANNED, now=now)]
        if task.recurrence is None:
            return []
        # As the series will be, that is about to be opened.
        zone = zones.zone(task.due_time_zone or task.owner.time_zone)
        start = Due(at=task.due_at, on=task.due_on, zone=zone).wall or zones.local_date(now, zone)
        told = preview.preview(
            task.recurrence, start=start, zone=zone, count=MOST_PLANNED + 1, now=now, completed_at=None
        )
        return [shown(one) for one in told.dates[1:]]


class OccurrenceSerializer(serializers.Serializer[Any]):
    """One date of a series and what became of it."""

    number = serializers.IntegerField(help_text="1 is the task that opened the series.")
    recurrence_id = serializers.CharField(help_text="The date it stands for.")
    due_at = serializers.DateTimeField(allow_null=True, help_text="When it was planned for; the task may have moved.")
    due_on = serializers.DateField(allow_null=True)
    created_at = serializers.DateTimeField()
    task = serializers.SerializerMethodField()

    @extend_schema_field(
        {
            "type": ["object", "null"],
            "description": "Null when it is gone for good.",
            "required": ["id", "url", "title", "status", "due_at", "due_on", "completed_at"],
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "url": _ADDRESS,
                "title": {"type": "string"},
                "status": {"type": "string", "enum": Task.Status.values},
                "due_at": {"type": ["string", "null"], "format": "date-time"},
                "due_on": {"type": ["string", "null"], "format": "date"},
                "completed_at": {"type": ["string", "null"], "format": "date-time"},
            },
        }
    )
    def get_task(self, occurrence: Occurrence) -> dict[str, Any] | None:
        context: dict[str, Any] = self.context  # type: ignore[assignment]
        task: Task | None = context["tasks"].get(occurrence.task_id)
        if task is None:
            return None
        return {**brief(task, base=context["base_address"]), "completed_at": instant_text(task.completed_at)}
