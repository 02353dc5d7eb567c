"""Reads of series and occurrences. Whose they are is decided here and in `EventedQuerySet.owned_by` alone."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice, takewhile
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.calendar.errors import CalendarError
from apps.calendar.walls import Wall, parse_wall, wall_text
from apps.recurrence import catching_up
from apps.recurrence import schedule as scheduling
from apps.recurrence.models import Occurrence, Series
from apps.tasks import selectors as task_selectors
from apps.tasks.models import Task

# Of a series that makes every date so many tasks may be open.
MOST_OPEN = 100
# Of dates that have gone by nobody is told how many there are; so many are looked at one by one.
MOST_LOOKED_THROUGH = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A date that a series will come to, as far as it is known now."""

    recurrence_id: str
    wall: Wall
    due_at: datetime | None
    due_on: date | None


def series_of(*, owner: User) -> Any:
    """All series of a person, ended ones among them."""
    return Series.objects.owned_by(owner)


def counts_of(owner_id: UUID) -> dict[str, int]:
    """How many series a person has, ended ones among them."""
    return {"series": Series.objects.filter(owner_id=owner_id).count()}


def series_of_task(task_id: UUID, *, owner: User) -> Series | None:
    """The series that a task belongs to now; it may have belonged to another before."""
    occurrence = Occurrence.objects.filter(task_id=task_id, series__owner=owner).order_by("-pk").first()
    return occurrence.series if occurrence else None


def occurrence_of_task(task_id: UUID) -> Occurrence | None:
    return Occurrence.objects.filter(task_id=task_id).order_by("-pk").first()


def occurrences_of(series: Series) -> QuerySet[Occurrence]:
    """The newest first."""
    return series.occurrences.order_by("-number")


def with_newest_tasks(rows: Iterable[Series]) -> list[Series]:
    """The same series, the tasks of their newest occurrences read in one query."""
    rows = list(rows)
    known = task_selectors.in_bulk([series.last_task_id for series in rows])
    for series in rows:
        series.__dict__["_newest_task"] = known.get(series.last_task_id)
    return rows


def newest_task(series: Series) -> Task | None:
    """The task of the newest occurrence; `None` when it is gone for good."""
    if "_newest_task" not in series.__dict__:
        with_newest_tasks([series])
    task: Task | None = series.__dict__["_newest_task"]
    return task


def open_tasks_of(series: Series) -> list[Task]:
    """Those of its tasks that are still to be done, the newest first; one that repeats anew is of another series."""
    made = task_selectors.open_among(series.occurrences.values_list("task_id", flat=True))
    return [task for task in made if task.series_id == series.pk]


def is_full(series: Series) -> bool:
    """Whether a series that makes every date waits until one of its many open tasks is done."""
    goes_on = series.is_active and series.paused_at is None
    return goes_on and series.makes_every_date and len(open_tasks_of(series)) >= MOST_OPEN


def left_out(series: Series) -> list[Wall]:
    """Dates that get no task, in order: those that are to be left out, and those passed over since the last one made.

    Of the latter the first `MOST_LOOKED_THROUGH`.
    """
    schedule = series.schedule
    found = set(schedule.recurrence.exdates)
    if series.passed_over and not schedule.from_completion:
        upto = scheduling.alike(parse_wall(series.passed_over), schedule.start)
        with suppress(CalendarError):
            ahead = scheduling.planned(schedule, after=parse_wall(series.last_recurrence_id))
            found.update(takewhile(lambda wall: wall <= upto, islice(ahead, MOST_LOOKED_THROUGH)))
    return sorted(found)


def planned(series: Series, *, most: int, now: datetime) -> list[Planned]:
    """The next dates that are not made yet; none of a series that has ended, is paused or counts from completion.

    Those that have gone by are among them where the policy would still make them.
    """
    if not series.is_active or series.paused_at is not None or series.recurrence["from"] == "completion":
        return []
    schedule = series.schedule
    walls: list[Wall] = []
    with suppress(CalendarError):  # what cannot be found is not shown
        following = catching_up.advance(
            schedule, after=series.after, completed_at=now, now=now, most_counted=MOST_LOOKED_THROUGH
        )
        walls += following.made
        if walls:
            walls += islice(scheduling.planned(schedule, after=walls[-1]), most - 1)
    return [_planned(wall, series) for wall in walls]


def to_look_at(*, now: datetime, most: int) -> list[UUID]:
    """Series that wait for nobody and whose time has come, the longest waiting first."""
    waiting = Series.objects.filter(looks_at__lte=now).order_by("looks_at", "pk")
    return list(waiting.values_list("pk", flat=True)[:most])


def _planned(wall: Wall, series: Series) -> Planned:
    due_at, due_on = scheduling.dates_as_due(wall, zone=series.zone)
    return Planned(recurrence_id=wall_text(wall), wall=wall, due_at=due_at, due_on=due_on)
