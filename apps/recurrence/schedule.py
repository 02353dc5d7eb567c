"""Which date of a series comes next. Pure: no database, no clock.

Invariant: from the schedule, what `advance` makes or skips comes after what was made before, in order. From
completion a task that is done early has its next one early too.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

from apps.calendar import zones
from apps.calendar.expansion import Wall
from apps.calendar.recurrences import Recurrence, instant_of, parse_wall
from apps.calendar.rules import Frequency, Rule
from apps.tasks.intents import rule_of
from apps.tasks.values import LATEST_DUE

# Of dates that nobody will see again so many are named, and so many counted.
MOST_NAMED = 100
MOST_COUNTED = 4_000


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
    return instant_of(wall, zone) if isinstance(wall, datetime) else zones.start_of_day(wall, zone)


def has_passed(wall: Wall, *, zone: ZoneInfo, now: datetime) -> bool:
    """A day has passed when it is over."""
    return (instant_of(wall, zone) if isinstance(wall, datetime) else zones.end_of_day(wall, zone)) <= now


def planned(schedule: Schedule, *, after: Wall) -> Iterator[Wall]:
    """The dates behind one, as the rule has them, as far as tasks may be due."""
    dates = schedule.recurrence.dates(after=max(alike(after, schedule.start), schedule.start))
    return takewhile(lambda wall: wall.year < LATEST_DUE.year, dates)


def advance(
    schedule: Schedule,
    *,
    after: Wall,
    completed_at: datetime,
    now: datetime,
    taken: Container[Wall] = (),
    most_made: int = 1,
    most_counted: int = MOST_COUNTED,
) -> Advance:
    """What comes after `after`, when the last one was done at `completed_at`, as decided at `now`.

    From completion a date may lie before `after`, done early; it is none of those `taken`. Raises `TooCostly` where
    the rule is out of hand.
    """
    if schedule.from_completion:
        if schedule.left == 0:
            return Advance()
        dates = _after_completion(schedule, completed_at=completed_at)
        following = next((wall for wall in dates if wall != after and wall not in taken), None)
        return Advance(made=[] if following is None else [following])
    dates = planned(schedule, after=after)
    match schedule.catch_up:
        case "wait":
            return Advance(made=list(islice(dates, 1)))
        case "all":
            return Advance(made=_all_that_came(schedule, islice(dates, most_made), now=now))
        case "latest":
            return _latest(schedule, dates, now=now, most_counted=most_counted)
    return still_ahead(schedule, after=after, now=now, most_counted=most_counted)


def still_ahead(schedule: Schedule, *, after: Wall, now: datetime, most_counted: int = MOST_COUNTED) -> Advance:
    """The first date that has not passed; those before it are skipped."""
    passed = _Passed()
    wall = after
    for wall in planned(schedule, after=after):
        if not has_passed(wall, zone=schedule.zone, now=now):
            return passed.advance(wall)
        passed.add(wall)
        if passed.count >= most_counted:
            break
    else:
        return passed.advance(None)
    since = max(last_passed(schedule, now=now), wall)
    return passed.advance(next(planned(schedule, after=since), None))


def last_passed(schedule: Schedule, *, now: datetime) -> Wall:
    """The wall up to which all has passed at `now`, whatever the rule names."""
    shown = now.astimezone(schedule.zone).replace(tzinfo=None, microsecond=0)
    return shown if isinstance(schedule.start, datetime) else shown.date() - timedelta(days=1)


def _after_completion(schedule: Schedule, *, completed_at: datetime) -> Iterator[Wall]:
    """By the rule counted from the day of the completion, or for hours from its minute, at the due's time of day."""
    done = completed_at.astimezone(schedule.zone).replace(tzinfo=None, second=0, microsecond=0)
    since: Wall = done.date()
    if isinstance(schedule.start, datetime):
        hourly = schedule.recurrence.rule.frequency is Frequency.HOURLY
        since = done if hourly else datetime.combine(done.date(), schedule.start.time())
    counted = replace(schedule.recurrence, start=since, rdates=())
    return takewhile(lambda wall: wall.year < LATEST_DUE.year, counted.dates(after=since))


def _all_that_came(schedule: Schedule, dates: Iterator[Wall], *, now: datetime) -> list[Wall]:
    """Each that has come, and the first that has not."""
    made: list[Wall] = []
    for wall in dates:
        made.append(wall)
        if not has_come(wall, zone=schedule.zone, now=now):
            break
    return made


def _latest(schedule: Schedule, dates: Iterator[Wall], *, now: datetime, most_counted: int) -> Advance:
    latest, passed = None, _Passed()
    for wall in dates:
        if not has_come(wall, zone=schedule.zone, now=now):
            return passed.advance(wall if latest is None else latest)
        if latest is not None:
            passed.add(latest)
        latest = wall
        if passed.count >= most_counted:
            return passed.advance(_last_that_came(schedule, since=latest, now=now))
    return passed.advance(latest)


def _last_that_came(schedule: Schedule, *, since: Wall, now: datetime) -> Wall:
    """The last date up to `now`, found without a look at each between: by halves, behind a date that has come.

    A COUNT has to be counted anyway, and is counted once.
    """
    last, until = since, alike(last_passed(schedule, now=now), since) + timedelta(days=2)
    if schedule.recurrence.rule.count is not None:
        upto = until - timedelta(days=2)
        last = max(takewhile(lambda wall: wall <= upto, planned(schedule, after=since)), default=since)
        until = last
    while until - last > timedelta(days=1):
        between = next(planned(schedule, after=last + (until - last) / 2), None)
        if between is not None and has_come(between, zone=schedule.zone, now=now):
            last = between
        else:
            until = last + (until - last) / 2
    come = takewhile(lambda wall: has_come(wall, zone=schedule.zone, now=now), planned(schedule, after=last))
    return max(come, default=last)


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


def dates_as_due(wall: Wall, *, zone: ZoneInfo) -> tuple[datetime | None, date | None]:
    """`due_at` and `due_on` of an occurrence."""
    if isinstance(wall, datetime):
        return instant_of(wall, zone).astimezone(UTC), None
    return None, wall
