"""Which date of a series comes next. Pure: no database, no clock.

Invariant: what `advance` makes or skips lies behind what was made before, in order, so a series never goes back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from apps.calendar import zones
from apps.calendar.expansion import Wall
from apps.calendar.recurrences import Recurrence, instant_of, parse_wall
from apps.calendar.rules import Frequency
from apps.tasks.intents import rule_of

# Of dates that nobody will see again so many are named, and so many counted.
MOST_NAMED = 100
MOST_COUNTED = 10_000
# Of a series that makes every date, so many at a time.
MOST_MADE = 20


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What comes after an occurrence: dates to make, dates passed over (the first of them, and how many).

    With nothing to make the series is at its end.
    """

    made: list[Wall] = field(default_factory=list)
    skipped: list[Wall] = field(default_factory=list)
    skipped_count: int = 0


def schedule_of(
    intent: Mapping[str, Any], *, start: Wall, zone: ZoneInfo, exdates: Sequence[str] = (), made: int = 1
) -> Schedule:
    """From what tasks keep; `exdates` were skipped by hand, and `made` is how many there are since `start`.

    Raises `rules.InvalidRule` for a text that is no rule any more.
    """
    rule = rule_of(intent)
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
    return instant_of(wall, zone) if isinstance(wall, datetime) else zones.start_of_day(wall, zone)


def has_passed(wall: Wall, *, zone: ZoneInfo, now: datetime) -> bool:
    """A day has passed when it is over."""
    return (instant_of(wall, zone) if isinstance(wall, datetime) else zones.end_of_day(wall, zone)) <= now


def planned(schedule: Schedule, *, after: Wall) -> Iterator[Wall]:
    """The dates behind one, as the rule has them."""
    return schedule.recurrence.dates(after=max(alike(after, schedule.start), schedule.start))


def advance(schedule: Schedule, *, after: Wall, completed_at: datetime, now: datetime, catch_up: str = "") -> Advance:
    """What follows the occurrence `after`, done at `completed_at`, as decided at `now`.

    `catch_up` overrides the schedule's policy. Raises `rules.InvalidRule` or `TooCostly` where the rule is out of hand.
    """
    if schedule.from_completion:
        if schedule.left == 0:
            return Advance()
        following = next(_after_completion(schedule, after=after, completed_at=completed_at), None)
        return Advance(made=[] if following is None else [following])
    dates = planned(schedule, after=after)
    match catch_up or schedule.catch_up:
        case "wait":
            return Advance(made=list(islice(dates, 1)))
        case "all":
            return Advance(made=_all_that_came(schedule, dates, now=now))
        case "latest":
            return _latest(schedule, dates, now=now)
    return _still_ahead(schedule, dates, now=now)


def _after_completion(schedule: Schedule, *, after: Wall, completed_at: datetime) -> Iterator[Wall]:
    """By the rule counted from the day of the completion, or for hours from its minute, at the due's time of day."""
    done = completed_at.astimezone(schedule.zone).replace(tzinfo=None, second=0, microsecond=0)
    since: Wall = done.date()
    if isinstance(schedule.start, datetime):
        hourly = schedule.recurrence.rule.frequency is Frequency.HOURLY
        since = done if hourly else datetime.combine(done.date(), schedule.start.time())
    counted = Recurrence(
        rule=schedule.recurrence.rule, start=since, zone=schedule.zone, exdates=schedule.recurrence.exdates
    )
    return counted.dates(after=max(since, alike(after, since)))


def _all_that_came(schedule: Schedule, dates: Iterator[Wall], *, now: datetime) -> list[Wall]:
    """Each that has come, and the first that has not."""
    made: list[Wall] = []
    for wall in islice(dates, MOST_MADE):
        made.append(wall)
        if not has_come(wall, zone=schedule.zone, now=now):
            break
    return made


def _latest(schedule: Schedule, dates: Iterator[Wall], *, now: datetime) -> Advance:
    latest, passed = None, _Passed()
    for wall in _bounded(schedule, dates, passed, now=now):
        if not has_come(wall, zone=schedule.zone, now=now):
            return passed.advance(wall if latest is None else latest)
        if latest is not None:
            passed.add(latest)
        latest = wall
    return passed.advance(latest)


def _still_ahead(schedule: Schedule, dates: Iterator[Wall], *, now: datetime) -> Advance:
    passed = _Passed()
    for wall in _bounded(schedule, dates, passed, now=now):
        if not has_passed(wall, zone=schedule.zone, now=now):
            return passed.advance(wall)
        passed.add(wall)
    return passed.advance(None)


@dataclass(slots=True)
class _Passed:
    named: list[Wall] = field(default_factory=list)
    count: int = 0

    def add(self, wall: Wall) -> None:
        self.count += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(wall)

    def advance(self, made: Wall | None) -> Advance:
        return Advance(made=[] if made is None else [made], skipped=self.named, skipped_count=self.count)


def _bounded(schedule: Schedule, dates: Iterator[Wall], passed: _Passed, *, now: datetime) -> Iterator[Wall]:
    """The dates, but no more of those gone by than are counted: then on from yesterday."""
    for wall in dates:
        if passed.count >= MOST_COUNTED:
            break
        yield wall
    else:
        return
    yesterday = zones.local_date(now, schedule.zone).toordinal() - 1
    since = alike(datetime.combine(date.fromordinal(yesterday), time()), schedule.start)
    yield from planned(schedule, after=max(since, wall))


def dates_as_due(wall: Wall, *, zone: ZoneInfo) -> tuple[datetime | None, date | None]:
    """`due_at` and `due_on` of an occurrence."""
    if isinstance(wall, datetime):
        return instant_of(wall, zone).astimezone(UTC), None
    return None, wall
