"""How series look over REST."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.accounts.serializers import RefusesUnknownFields
from apps.calendar import rules, zones
from apps.calendar.rules import Rule
from apps.calendar.zones import instant_text
from apps.recurrence import preview, selectors
from apps.recurrence.models import MAX_RECURRENCE_ID_LENGTH, Series
from apps.recurrence.preview import PlannedDate
from apps.recurrence.serializers.dates import PlannedDateSerializer, shown
from apps.recurrence.upcoming import left_out, upcoming
from apps.tasks import schemas
from apps.tasks.models import Task
from apps.tasks.serializers.things import Represented

_ADDRESS = {"type": "string", "format": "uri"}
_LINKS: dict[str, Any] = {
    "type": "object",
    "required": ["parent", "newest", "recurrence", "occurrences", "audit"],
    "properties": dict.fromkeys(("parent", "newest", "recurrence", "occurrences", "audit"), _ADDRESS),
}
MOST_PLANNED = 5


class SkipSerializer(RefusesUnknownFields):
    """Which date to leave out."""

    recurrence_id = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=MAX_RECURRENCE_ID_LENGTH,
        help_text="A date of the series, as 20300503 or 20300503T090000: the next that is not made yet when it is left "
        "out. Of one that is made and open, the task is deleted.",
    )


class NewestSerializer(serializers.Serializer[Any]):
    """The task that stands for the newest occurrence."""

    id = serializers.UUIDField()
    url = serializers.URLField()
    title = serializers.CharField()
    status = serializers.CharField()
    due_at = serializers.DateTimeField(allow_null=True)
    due_on = serializers.DateField(allow_null=True)


class EndsSerializer(serializers.Serializer[Any]):
    """When the rule ends; both null for one that goes on for ever."""

    count = serializers.IntegerField(allow_null=True, help_text="After so many occurrences.")
    until = serializers.CharField(allow_null=True, help_text="With this day or instant, as the rule has it.")


class SeriesSerializer(Represented):
    """A series of tasks. `version` counts its events."""

    id = serializers.UUIDField(read_only=True)
    url = serializers.URLField(read_only=True)
    sentence = serializers.CharField(read_only=True, help_text="How it repeats, in words.")
    frequency = serializers.ChoiceField(
        choices=["hourly", "daily", "weekly", "monthly", "yearly"], read_only=True, help_text="Of the rule."
    )
    recurrence = serializers.SerializerMethodField(help_text="The rule and the policies.")
    start = serializers.CharField(read_only=True, help_text="The date that the rule is counted from.")
    time_zone = serializers.CharField(read_only=True, help_text="Where its wall clock hangs.")
    parent = serializers.UUIDField(read_only=True, help_text="The task that opened it.")  # type: ignore[assignment]
    newest = NewestSerializer(read_only=True, allow_null=True, help_text="Null when its task is gone for good.")
    next_due = PlannedDateSerializer(
        read_only=True, allow_null=True, help_text="What is planned next and not made yet; null where nothing is."
    )
    generated_count = serializers.IntegerField(read_only=True, help_text="How many occurrences there are so far.")
    ends = EndsSerializer(read_only=True)
    is_active = serializers.BooleanField(read_only=True)
    is_paused = serializers.BooleanField(read_only=True)
    paused_at = serializers.DateTimeField(read_only=True, allow_null=True)
    ended_at = serializers.DateTimeField(read_only=True, allow_null=True)
    ended_because = serializers.ChoiceField(
        choices=Series.Ended.values, read_only=True, allow_null=True, help_text="Null while it goes on."
    )
    why_ended = serializers.CharField(read_only=True, allow_null=True, help_text="The same in words.")
    version = serializers.IntegerField(read_only=True, min_value=1)
    owner = serializers.UUIDField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    links = serializers.SerializerMethodField(help_text="Where related things are.")

    @extend_schema_field(schemas.RECURRENCE)
    def get_recurrence(self, series: Series) -> Any:
        return series.recurrence

    @extend_schema_field(_LINKS)
    def get_links(self, series: Series) -> dict[str, str]:
        base = self.base_address()
        return {
            "parent": f"{base}tasks/{series.opened_by}/",
            "newest": f"{base}tasks/{series.last_task_id}/",
            "recurrence": f"{base}tasks/{series.last_task_id}/recurrence/",
            "occurrences": f"{base}tasks/{series.last_task_id}/occurrences/",
            "audit": f"{base}audit/?subject={series.pk}",
        }

    def to_representation(self, series: Series) -> dict[str, Any]:
        now = datetime.now(UTC)
        return self._told(series, upcoming(series, most=1, now=now), now=now)

    def _told(self, series: Series, planned: Sequence[PlannedDate], *, now: datetime) -> dict[str, Any]:
        rule = rules.parse(series.recurrence["rule"])
        return {
            "id": str(series.pk),
            "url": f"{self.base_address()}series/{series.pk}/",
            "sentence": preview.sentence_of(series.recurrence, today=zones.local_date(now, series.zone)),
            "frequency": rule.frequency.lower(),
            "recurrence": series.recurrence,
            "start": series.start,
            "time_zone": series.time_zone,
            "parent": str(series.opened_by),
            "newest": self._newest(selectors.newest_task(series)),
            "next_due": shown(planned[0]) if planned else None,
            "generated_count": series.last_number,
            "ends": {"count": rule.count, "until": _until(rule)},
            "is_active": series.is_active,
            "is_paused": series.paused_at is not None,
            "paused_at": instant_text(series.paused_at),
            "ended_at": instant_text(series.ended_at),
            "ended_because": series.ended_because or None,
            "why_ended": why_ended(series),
            "version": series.version,
            "owner": str(series.owner_id),
            "created_at": instant_text(series.created_at),
            "updated_at": instant_text(series.updated_at),
            "links": self.get_links(series),
        }

    def _newest(self, task: Task | None) -> dict[str, Any] | None:
        return None if task is None else brief(task, base=self.base_address())


class SeriesDetailSerializer(SeriesSerializer):
    """A series of tasks, with what is open of it and what comes."""

    open_tasks = NewestSerializer(read_only=True, many=True, help_text="The newest first, at most 100.")
    planned = PlannedDateSerializer(read_only=True, many=True, help_text="The next dates that are not made yet.")
    left_out = PlannedDateSerializer(
        read_only=True,
        many=True,
        help_text="Dates that get no task: the exdates of the recurrence, and those skipped by hand or passed over "
        "since the last one was made.",
    )
    is_full = serializers.BooleanField(
        read_only=True,
        help_text=f"It makes every date, and {selectors.MOST_OPEN} of its tasks are open: it makes no more until one "
        "of them is done.",
    )

    def to_representation(self, series: Series) -> dict[str, Any]:
        base, now = self.base_address(), datetime.now(UTC)
        planned = upcoming(series, most=MOST_PLANNED, now=now)
        return {
            **self._told(series, planned, now=now),
            "open_tasks": [brief(task, base=base) for task in selectors.open_tasks_of(series)],
            "planned": [shown(one) for one in planned],
            "left_out": [shown(one) for one in left_out(series, now=now)],
            "is_full": selectors.is_full(series),
        }


def brief(task: Task, *, base: str) -> dict[str, Any]:
    return {
        "id": str(task.pk),
        "url": f"{base}tasks/{task.pk}/",
        "title": task.title,
        "status": str(task.status),
        "due_at": instant_text(task.due_at),
        "due_on": task.due_on.isoformat() if task.due_on else None,
    }


def why_ended(series: Series) -> str | None:
    if series.ended_at is None:
        return None
    told = str(Series.Ended(series.ended_because).label)
    return f"{told[0].upper()}{told[1:]}."


def _until(rule: Rule) -> str | None:
    if isinstance(rule.until, datetime) and rule.until.tzinfo is not None:
        return instant_text(rule.until)
    return rule.until.isoformat() if rule.until else None
