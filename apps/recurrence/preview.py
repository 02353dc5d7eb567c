"""What a recurrence would do, told before anybody asks for it. Pure: no database, no clock.

Invariant: the dates are those that a series of this recurrence makes, when each occurrence is done on its due.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from apps.calendar import rules, sentences, zones
from apps.calendar.expansion import TooCostly, Wall, expand
from apps.calendar.recurrences import wall_text
from apps.calendar.rules import Frequency
from apps.recurrence import catching_up, cautions, schedule
from apps.recurrence.cautions import Caution
from apps.recurrence.schedule import Schedule

MOST_DATES = 50
# What lies further ahead is not looked for; but the second date is, wherever it lies.
MOST_YEARS = 100
# Of dates that a completion passes over so many are shown; all of them are counted.
MOST_SKIPPED_SHOWN = 50
MOST_MADE_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDate:
    """A date of a series: its recurrence id, the due of its task, and what calendars and clocks show then."""

    recurrence_id: str
    due_at: datetime | None
    due_on: date | None
    weekday: str
    local: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What completing the first occurrence at an instant would lead to; with nothing made the series is at its end."""

    completed_at: datetime
    made: list[PlannedDate]
    skipped: list[PlannedDate]
    skipped_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """`is_all`: there is no further date."""

    sentence: str
    in_full: str
    zone: ZoneInfo
    dates: list[PlannedDate]
    is_all: bool
    cautions: list[Caution]
    completion: Completion | None


def preview(
    intent: Mapping[str, Any],
    *,
    start: Wall,
    zone: ZoneInfo,
    count: int,
    now: datetime,
    asked_for: datetime | None = None,
    completed_at: datetime | None = None,
) -> Preview:
    """The first `count` dates of a recurrence that starts at a wall-clock time, and what to know about it.

    `asked_for` is what somebody gave for the start: an instant, or a wall. Raises `rules.InvalidRule`, and `TooCostly`
    where not even the second date can be found with bounded work.
    """
    planned = schedule.schedule_of(intent, start=start, zone=zone)
    today = zones.local_date(now, zone)
    walls, is_all = _first(planned, most=count)
    return Preview(
        sentence=sentence_of(intent, today=today),
        in_full=sentences.policy_in_words(intent, today=today, starts_on=start),
        zone=zone,
        dates=[planned_date(wall, zone=zone, today=today) for wall in walls],
        is_all=is_all,
        cautions=[
            *cautions.of_start(asked_for, start, today=today),
            *cautions.cautions(planned, intent=intent, walls=walls, is_all=is_all, today=today),
        ],
        completion=_completion(planned, completed_at, today=today) if completed_at else None,
    )


def usual_start(intent: Mapping[str, Any], *, zone: ZoneInfo, now: datetime) -> Wall:
    """Where a recurrence starts that nobody gave a due: on the first day from today on that the rule names.

    A rule of hours starts within the next hour. Raises `TooCostly`.
    """
    rule = rules.parse(intent["rule"])
    of_hours = rule.frequency is Frequency.HOURLY or rule.by_hour or rule.by_minute or rule.by_second
    local = now.astimezone(zone).replace(tzinfo=None, minute=0, second=0, microsecond=0)
    soon: Wall = local + timedelta(hours=1) if of_hours else local.date()
    return next(expand(replace(rule, count=None, until=None), start=soon), soon)


def sentence_of(intent: Mapping[str, Any], *, today: date) -> str:
    """A recurrence in words."""
    return sentences.rule_in_words(intent["rule"], today=today, from_completion=intent["from"] == "completion")


def planned_date(wall: Wall, *, zone: ZoneInfo, today: date) -> PlannedDate:
    due_at, due_on = schedule.dates_as_due(wall, zone=zone)
    if due_at is None:
        assert due_on is not None
        shown, local = due_on, sentences.day_in_words(due_on, today=today)
    else:
        shown = zones.local_date(due_at, zone)
        local = sentences.instant_in_words(due_at, zone=zone, today=today)
    return PlannedDate(recurrence_id=wall_text(wall), due_at=due_at, due_on=due_on, weekday=f"{shown:%A}", local=local)


def _first(planned: Schedule, *, most: int) -> tuple[list[Wall], bool]:
    """The first dates, and whether they are all there are."""
    found: list[Wall] = []
    try:
        for wall in islice(_dates(planned), most + 1):
            if len(found) >= 2 and wall.year - found[0].year > MOST_YEARS:
                return found[:most], False
            found.append(wall)
    except TooCostly:
        if len(found) < 2:
            raise
        return found[:most], False
    return found[:most], len(found) <= most


def _dates(planned: Schedule) -> Iterator[Wall]:
    if not planned.from_completion:
        yield from planned.recurrence.dates()
        return
    wall: Wall | None = planned.start
    made = 0
    while wall is not None and (planned.left is None or made <= planned.left):
        yield wall
        made += 1
        done = schedule.comes_at(wall, zone=planned.zone)
        wall = next(iter(catching_up.advance(planned, after=wall, completed_at=done, now=done).made), None)


def _completion(planned: Schedule, completed_at: datetime, *, today: date) -> Completion:
    done = completed_at.astimezone(UTC)
    advance = catching_up.advance(planned, after=planned.start, completed_at=done, now=done, most_made=MOST_MADE_SHOWN)
    shown = advance.skipped[:MOST_SKIPPED_SHOWN]
    return Completion(
        completed_at=done,
        made=[planned_date(wall, zone=planned.zone, today=today) for wall in advance.made],
        skipped=[planned_date(wall, zone=planned.zone, today=today) for wall in shown],
        skipped_count=advance.skipped_count,
    )
