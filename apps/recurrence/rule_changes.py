"""What becomes of a series when one of its tasks is told to repeat otherwise. Pure: nothing is kept here.

Invariant: what is shown of a series that has not heard of it yet is what it will be once it has.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from apps.calendar import rules, zones
from apps.calendar.walls import wall_text
from apps.recurrence import schedule as scheduling
from apps.recurrence.models import Occurrence, Series
from apps.tasks.models import Task
from apps.tasks.selectors import OPEN

# What of a recurrence decides which dates there are; with others of these the rule is counted anew.
_OF_DATES = ("rule", "from", "rdates")
# Ends that no person chose.
_OF_ITSELF = {Series.Ended.COUNT, Series.Ended.UNTIL, Series.Ended.NEVER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When the task of an event is due: `zone` where it hangs in one of its own, `owner_zone` where its owner lived."""

    at: datetime | None
    on: date | None
    zone: str | None
    owner_zone: str | None


def due_of(task: Task) -> Due:
    return Due(at=task.due_at, on=task.due_on, zone=task.due_time_zone or None, owner_zone=task.owner.time_zone)


def takes_rules(series: Series, *, wished_at: datetime) -> bool:
    """Whether it goes on, or may again: not by what was wished before a person ended it, which is heard late.

    After a deletion that ended it an open task still repeats, and a wish for it is one that the series goes on.
    """
    if series.ended_at is None or series.ended_because in _OF_ITSELF:
        return True
    return series.ended_because == Series.Ended.DELETED and wished_at > series.ended_at


def changed(
    series: Series, occurrence: Occurrence, recurrence: Mapping[str, Any], *, due: Due, now: datetime
) -> dict[str, Any]:
    """The columns of a series that goes on by another recurrence from this occurrence on."""
    made: dict[str, Any] = {"recurrence": dict(recurrence)}
    if any(series.recurrence.get(name) != recurrence.get(name) for name in _OF_DATES):
        made |= _counted_from(series, occurrence, due, now=now)
    if not series.is_active:
        made |= {"ended_at": None, "ended_because": ""}
    return made


def as_told(series: Series, occurrence: Occurrence, task: Task, *, now: datetime) -> Series:
    """The series as it will be when it hears of what its open task carries since a moment ago; else as it is.

    A task that what was told to the series since does not fit carries another recurrence for good.
    """
    heard = task.recurrence == series.recurrence or task.updated_at < series.updated_at
    if heard or task.status not in OPEN or not takes_rules(series, wished_at=task.updated_at):
        return series
    ends = {"ended_at": task.updated_at, "ended_because": Series.Ended.STOPPED}
    made = ends if task.recurrence is None else changed(series, occurrence, task.recurrence, due=due_of(task), now=now)
    told = copy(series)
    for name, value in made.items():
        setattr(told, name, value)
    return told


def _counted_from(series: Series, occurrence: Occurrence, due: Due, *, now: datetime) -> dict[str, Any]:
    """What a rule that is counted anew starts from: where this occurrence is due."""
    zone = due.zone or series.owner.time_zone
    wall = scheduling.wall_of(due.at, due.on, zone=zones.zone(zone), now=now)
    is_where_it_was_planned = wall_text(wall)[:8] == occurrence.recurrence_id[:8]
    held = scheduling.takes_its_day_from_the_start(rules.parse(series.recurrence["rule"]))
    return {
        "start": wall_text(wall),
        "start_number": occurrence.number,
        "anchor": series.anchor if held and is_where_it_was_planned else wall_text(wall),
        "time_zone": zone,
        "follows_owner": not due.zone,
        "exdates": [],
        "passed_over": "",
    }
