"""What a person may not expect of a recurrence, told before it happens. Pure.

A `warning` is worth another look, a `note` is good to know.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from apps.calendar import rules, sentences, zones
from apps.calendar.expansion import TooCostly, expand
from apps.calendar.rules import Frequency, Rule
from apps.calendar.walls import Wall, day_of
from apps.recurrence.schedule import Schedule

# A clock may jump in dates as far ahead as this.
_JUMPS_AHEAD = timedelta(days=400)
_FAR_YEARS = 2
_YEAR_DAYS = 365.2425


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """`code` tells it to programs, `detail` to people."""

    code: str
    kind: Literal["warning", "note"]
    detail: str


def cautions(
    schedule: Schedule, *, intent: Mapping[str, Any], walls: Sequence[Wall], is_all: bool, today: date
) -> list[Caution]:
    """What there is to say of a schedule whose first dates are `walls`; warnings come first."""
    rule = rules.parse(intent["rule"])
    found = [
        *_without_dates(walls),
        *_unnamed_start(schedule, walls, today=today),
        *_never_again(schedule, walls, is_all=is_all, today=today),
        *_end(rule, walls, is_all=is_all, today=today),
        *_far_apart(schedule, walls, today=today),
        *_month_ends(schedule, intent=intent),
        *_jumps_of_clocks(schedule, walls, today=today),
        *_from_completion(schedule),
    ]
    return sorted(found, key=lambda caution: caution.kind != "warning")


def of_start(asked_for: datetime | None, start: Wall, *, today: date) -> Iterator[Caution]:
    """A wall-clock time that there is not on the day of the start, where clocks leap over it."""
    if asked_for is None or asked_for.tzinfo is not None or not isinstance(start, datetime):
        return
    asked_for = asked_for.replace(microsecond=0)
    if asked_for != start:
        told = f"There is no {_clock(asked_for)} on {sentences.day_in_words(asked_for.date(), today=today)}"
        detail = f"{told}: it starts at {_clock(start)}, and that is its time from then on."
        yield Caution(code="start_in_gap", kind="warning", detail=detail)


def _without_dates(walls: Sequence[Wall]) -> Iterator[Caution]:
    if not walls:
        told = "Has no dates: all that there would be are left out."
        yield Caution(code="no_dates", kind="warning", detail=told)


def _unnamed_start(schedule: Schedule, walls: Sequence[Wall], *, today: date) -> Iterator[Caution]:
    start = schedule.start
    if schedule.from_completion or not walls or _names(schedule, start):
        return
    first = _second(schedule, walls)
    if first not in {None, start}:
        told = (
            f"Starts on {_told(start, today)}, which the rule does not name; it counts as the first all the same."
            f" The first that the rule names is {_told(first, today)}."
        )
        yield Caution(code="unnamed_start", kind="warning", detail=told)


def _never_again(schedule: Schedule, walls: Sequence[Wall], *, is_all: bool, today: date) -> Iterator[Caution]:
    if len(walls) != 1 or not is_all or schedule.recurrence.rule.count == 1 or schedule.left == 0:
        return
    if _second(schedule, walls) is None:
        told = f"Never happens after {_told(walls[0], today)}: a task that is to repeat so is refused."
        yield Caution(code="never_happens", kind="warning", detail=told)
    else:
        told = f"Happens once, on {_told(walls[0], today)}: it ends before there is a second date."
        yield Caution(code="happens_once", kind="warning", detail=told)


def _end(rule: Rule, walls: Sequence[Wall], *, is_all: bool, today: date) -> Iterator[Caution]:
    if not walls:
        return
    if is_all and (len(walls) > 1 or rule.count == 1):
        times = "once" if len(walls) == 1 else f"{len(walls)} times"
        told = f"Happens {times}: the last is on {_told(walls[-1], today)}."
    elif rule.count is not None and not is_all:
        told = f"Ends after {rule.count:,} times."
    elif rule.until is not None and len(walls) > 1:
        last = rule.until.date() if isinstance(rule.until, datetime) else rule.until
        told = f"Ends with {sentences.day_in_words(last, today=today)}."
    else:
        return
    yield Caution(code="ends", kind="note", detail=told)


def _far_apart(schedule: Schedule, walls: Sequence[Wall], *, today: date) -> Iterator[Caution]:
    """Years without a date, where the rule does not ask for them by its interval."""
    rule = schedule.recurrence.rule
    asked = rule.interval if rule.frequency is Frequency.YEARLY else 1
    for one, following in pairwise(walls):
        years = round((day_of(following) - day_of(one)).days / _YEAR_DAYS)
        if years >= _FAR_YEARS and years > asked:
            told = f"After {_told(one, today)}, the next is {years:,} years away: {_told(following, today)}."
            yield Caution(code="far_apart", kind="warning", detail=told)
            return


def _month_ends(schedule: Schedule, *, intent: Mapping[str, Any]) -> Iterator[Caution]:
    """Days that some months do not have, and what becomes of them."""
    told = sentences.month_end_in_words(intent, starts_on=schedule.start)
    if told is not None:
        detail = f"{told[0].upper()}{told[1:]}."
        if intent["month_end"] == "skip":
            yield Caution(code="skips_months", kind="warning", detail=detail)
        else:
            yield Caution(code="month_end", kind="note", detail=detail)


def _jumps_of_clocks(schedule: Schedule, walls: Sequence[Wall], *, today: date) -> Iterator[Caution]:
    """The next date that falls in an hour which clocks leave out, and the next in one which they show twice."""
    told: set[str] = set()
    for wall in _walls_near_jumps(schedule, walls):
        shown = zones.attach(wall, schedule.zone).astimezone(schedule.zone)
        day = sentences.day_in_words(wall.date(), today=today)
        if shown.replace(tzinfo=None) != wall:
            code, detail = "dst_gap", f"Falls in a DST gap on {day}: {_clock(wall)} becomes {_clock(shown)}."
        elif shown.utcoffset() != shown.replace(fold=1).utcoffset():
            code, detail = "dst_fold", f"Clocks show {_clock(wall)} twice on {day}: the first is taken."
        else:
            continue
        if code not in told:
            told.add(code)
            yield Caution(code=code, kind="warning", detail=detail)
        if len(told) == len(("dst_gap", "dst_fold")):
            return


def _walls_near_jumps(schedule: Schedule, walls: Sequence[Wall]) -> Iterator[datetime]:
    """The dates of a year that lie on days around which the zone's clocks jump, and what is shown of later ones."""
    timed = [wall for wall in walls if isinstance(wall, datetime)]
    if schedule.from_completion or not timed:
        return
    ahead = timed[0] + _JUMPS_AHEAD
    try:
        for day in _days_of_jumps(schedule, timed[0], to=ahead):
            yield from _dates_of_day(schedule, day)
    except TooCostly:
        return
    yield from (wall for wall in timed if wall > ahead)


def _days_of_jumps(schedule: Schedule, start: datetime, *, to: datetime) -> Iterator[date]:
    midnight = datetime.combine(start.date(), datetime.min.time(), tzinfo=schedule.zone)
    while midnight.replace(tzinfo=None) < to:
        following = midnight + timedelta(days=1)
        if midnight.utcoffset() != following.utcoffset():
            yield midnight.date()
        midnight = following


def _dates_of_day(schedule: Schedule, day: date) -> Iterator[datetime]:
    midnight = datetime.combine(day, datetime.min.time())
    dates = schedule.recurrence.dates(after=midnight - timedelta(seconds=1), before=midnight + timedelta(days=1))
    return (wall for wall in dates if isinstance(wall, datetime))


def _from_completion(schedule: Schedule) -> Iterator[Caution]:
    if schedule.from_completion:
        told = "Each next one counts from when one is done: these dates hold when each is done on its due."
        yield Caution(code="from_completion", kind="note", detail=told)


def _names(schedule: Schedule, wall: Wall) -> bool:
    """Whether the rule itself names the start."""
    alone = replace(schedule.recurrence.rule, count=None, until=wall)
    return next(expand(alone, start=wall), None) is not None


def _second(schedule: Schedule, walls: Sequence[Wall]) -> Wall | None:
    """The first date behind the start that the rule itself names, were it to go on for ever.

    The start where that cannot be told. It is looked for only where the dates that were found do not tell it.
    """
    if len(walls) > 1 and not (schedule.recurrence.exdates or schedule.recurrence.rdates):
        return walls[1]
    endless = replace(schedule.recurrence.rule, count=None, until=None)
    try:
        return next(expand(endless, start=schedule.start, after=schedule.start), None)
    except TooCostly:
        return schedule.start


def _told(wall: Wall, today: date) -> str:
    day = f"{wall:%A} {sentences.day_in_words(day_of(wall), today=today)}"
    return f"{day} at {_clock(wall)}" if isinstance(wall, datetime) else day


def _clock(wall: datetime) -> str:
    return f"{wall:%H:%M:%S}" if wall.second else f"{wall:%H:%M}"
