"""Which date of a schedule comes next when an occurrence is done, by the policy for those that have gone by. Pure.

Invariant: from the schedule, what is made or skipped comes after what was made before, in order. From completion a task
that is done early has its next one early too.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice, takewhile

from apps.calendar.rules import Frequency
from apps.calendar.walls import Wall
from apps.recurrence.schedule import Schedule, alike, has_come, has_passed, planned
from apps.tasks.values import LATEST_DUE

# Of dates that nobody will see again so many are named, and so many counted.
MOST_NAMED = 100
MOST_COUNTED = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What comes after an occurrence: dates to make, dates passed over (the first of them, and how many).

    With nothing to make the series is at its end.
    """

    made: list[Wall] = field(default_factory=list)
    skipped: list[Wall] = field(default_factory=list)
    skipped_count: int = 0


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
