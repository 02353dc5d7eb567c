"""The dates of a series: what was asked for, from where it starts, in its zone. Pure: no database, no clock.

Invariant: a date that a task could not be due on is none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from apps.calendar import zones
from apps.calendar.expansion import Wall
from apps.calendar.recurrences import Recurrence, parse_wall
from apps.calendar.rules import Frequency, Rule
from apps.tasks.intents import rule_of
from apps.tasks.values import LATEST_DUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A recurrence as it was asked for, from the wall-clock time it starts at, in a zone.

    `from_completion`: each next one counts from when one is done; then `left` is how many there may still be, `None`
    without a limit. From the schedule the rule itself counts.
    """

    recurrence: Recurrence
    from_completion: bool
    catch_up: str
    left: int | None = None

    @property
    def zone(self) -> ZoneInfo:
        return self.recurrence.zone

    @property
    def start(self) -> Wall:
        return self.recurrence.start


def schedule_of(
    intent: Mapping[str, Any],
    *,
    start: Wall,
    zone: ZoneInfo,
    anchor: Wall | None = None,
    exdates: Sequence[str] = (),
    made: int = 1,
) -> Schedule:
    """From what tasks keep; `exdates` were skipped by hand, and `made` is how many there are since `start`.

    `anchor` is the day that the rule takes its day from where it names none; the start's when not given. Raises
    `rules.InvalidRule` for a text that is no rule any more.
    """
    rule = _anchored(rule_of(intent), start=start, anchor=anchor or start)
    from_completion = intent["from"] == "completion"
    left: int | None = None
    if from_completion and rule.count is not None:
        left = max(0, rule.count - made)
        rule = replace(rule, count=None)
    left_out = [*intent.get("exdates", ()), *exdates]
    return Schedule(
        recurrence=Recurrence(
            rule=rule,
            start=start,
            zone=zone,
            exdates=frozenset(alike(parse_wall(text), start) for text in left_out),
            rdates=tuple(alike(parse_wall(text), start) for text in intent.get("rdates", ())),
        ),
        from_completion=from_completion,
        catch_up=intent["catch_up"],
        left=left,
    )


def takes_its_day_from_the_start(rule: Rule) -> bool:
    """Whether a rule of months or years names no day itself (RFC 5545 section 3.3.10)."""
    named = rule.by_day or rule.by_month_day or rule.by_year_day or rule.by_week_no
    return rule.frequency in {Frequency.MONTHLY, Frequency.YEARLY} and not named


def _anchored(rule: Rule, *, start: Wall, anchor: Wall) -> Rule:
    """The rule with the anchor's day, and of a yearly one its month, where the start was held to another."""
    if not takes_its_day_from_the_start(rule) or (anchor.month, anchor.day) == (start.month, start.day):
        return rule
    if rule.frequency is Frequency.YEARLY and not rule.by_month:
        rule = replace(rule, by_month=(anchor.month,))
    return replace(rule, by_month_day=(anchor.day,))


def count_left(schedule: Schedule, *, at: Wall) -> int | None:
    """How many dates a COUNT leaves from the one at `at` on, that one counted; `None` without a count."""
    recurrence = replace(schedule.recurrence, exdates=frozenset(), rdates=())
    if schedule.from_completion or recurrence.rule.count is None:
        return schedule.left + 1 if schedule.left is not None else None
    before = sum(1 for _ in takewhile(lambda wall: wall < alike(at, schedule.start), recurrence.dates()))
    return max(1, recurrence.rule.count - before)


def wall_of(due_at: datetime | None, due_on: date | None, *, zone: ZoneInfo, now: datetime) -> Wall:
    """Where clocks and calendars stand when a task is due; of one without a due, today."""
    if due_on is not None:
        return due_on
    if due_at is not None:
        return due_at.astimezone(zone).replace(tzinfo=None, microsecond=0)
    return zones.local_date(now, zone)


def alike(wall: Wall, example: Wall) -> Wall:
    """A wall-clock time as a day or a day as a wall-clock time, as the `example` is one."""
    if isinstance(example, datetime):
        return wall if isinstance(wall, datetime) else datetime.combine(wall, example.time())
    return wall.date() if isinstance(wall, datetime) else wall


def has_come(wall: Wall, *, zone: ZoneInfo, now: datetime) -> bool:
    """A day has come with its first hour."""
    return comes_at(wall, zone=zone) <= now


def comes_at(wall: Wall, *, zone: ZoneInfo) -> datetime:
    return zones.attach(wall, zone) if isinstance(wall, datetime) else zones.start_of_day(wall, zone)


def has_passed(wall: Wall, *, zone: ZoneInfo, now: datetime) -> bool:
    """A day has passed when it is over."""
    return (zones.attach(wall, zone) if isinstance(wall, datetime) else zones.end_of_day(wall, zone)) <= now


def planned(schedule: Schedule, *, after: Wall) -> Iterator[Wall]:
    """The dates behind one, as the rule has them, as far as tasks may be due."""
    dates = schedule.recurrence.dates(after=max(alike(after, schedule.start), schedule.start))
    return takewhile(lambda wall: wall.year < LATEST_DUE.year, dates)


def dates_as_due(wall: Wall, *, zone: ZoneInfo) -> tuple[datetime | None, date | None]:
    """`due_at` and `due_on` of an occurrence."""
    if isinstance(wall, datetime):
        return zones.attach(wall, zone).astimezone(UTC), None
    return None, wall
