"""How dates, tasks and trails are shown on the pages of series."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from apps.calendar import zones
from apps.calendar.errors import CalendarError
from apps.calendar.walls import Wall
from apps.recurrence import preview, selectors
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.preview import PlannedDate
from apps.tasks.models import Task

TITLE_SHOWN = 80


def zone_of(series: Series) -> ZoneInfo:
    try:
        return series.zone
    except CalendarError:  # a zone that the database of zones has lost
        return ZoneInfo("UTC")


def title_of(series: Series) -> str:
    """Of its newest task."""
    task = selectors.newest_task(series)
    return Truncator(task.title).chars(TITLE_SHOWN) if task else f"series {series.pk}"


def sentence_of(series: Series) -> str:
    """How it repeats, in words."""
    return preview.sentence_of(series.recurrence, today=zones.local_date(datetime.now(UTC), zone_of(series)))


def on_the_wall(date: Occurrence | PlannedDate, *, zone: ZoneInfo) -> str:
    """When it was or is planned for, as clocks and calendars of its series show it."""
    if date.due_on is not None:
        return f"{date.due_on:%a} {date.due_on}"
    return clock(date.due_at, zone=zone) if date.due_at else "whenever it is done"


def in_words(date: PlannedDate) -> str:
    """`Monday 18 May at 09:00`."""
    return f"{date.weekday} {date.local}"


def wall_in_words(wall: Wall, *, zone: ZoneInfo) -> str:
    return in_words(preview.planned_date(wall, zone=zone, today=zones.local_date(datetime.now(UTC), zone)))


def clock(instant: datetime, *, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%a %Y-%m-%d %H:%M}"


def link_to_task(task: Task | None) -> str | SafeString:
    if task is None:
        return "gone for good"
    title = Truncator(task.title).chars(TITLE_SHOWN)
    return format_html('<a href="{}">{}</a>', reverse("admin:tasks_task_change", args=[task.pk]), title)


def trail_of(thing_id: Any) -> str:
    return f"{reverse('admin:audit_auditrecord_changelist')}?{urlencode({'subject': thing_id})}"
