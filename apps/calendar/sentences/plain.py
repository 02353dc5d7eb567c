"""Days, instants, durations and lists as a person says them, in English.

Invariant: what is told is exact; nothing is rounded.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.calendar import durations, zones

WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_SHORTEST_RUN = 3
_NEAR_THE_END = 3


def joined(words: Sequence[str], *, last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def counted(count: int, unit: str) -> str:
    """`1 day`, `1,000 days`."""
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def ordinal(number: int) -> str:
    """`1st`, `22nd`; from the end `last`, `2nd last`."""
    if number < 0:
        return "last" if number == -1 else f"{ordinal(-number)} last"
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def day_in_turn(number: int) -> str:
    """`1st`; from the end `last day`, `2nd last day`, and of those further from it `31st day from the end`."""
    if number > 0:
        return ordinal(number)
    return f"{ordinal(number)} day" if number >= -_NEAR_THE_END else f"{ordinal(-number)} day from the end"


def in_runs(numbers: Sequence[int], told: Callable[[int], str]) -> list[str]:
    """What stands in a row of three or more is told by its ends, `2nd to 5th`; what counts from the end comes last."""
    forward = sorted(number for number in numbers if number >= 0)
    words = []
    for run in _runs(forward):
        if len(run) < _SHORTEST_RUN:
            words += [told(number) for number in run]
        else:
            words.append(f"{told(run[0])} to {told(run[-1])}")
    return words + [told(number) for number in sorted(numbers) if number < 0]


def ordinals(numbers: Sequence[int]) -> str:
    """`1st, 3rd to 5th and last`."""
    return joined(in_runs(numbers, ordinal))


def months_in_words(months: Sequence[int]) -> str:
    """`January to March and July`."""
    return joined(in_runs(months, lambda month: MONTHS[month - 1]))


def day_in_words(day: date, *, today: date) -> str:
    """`3 May`; with the year when it is not the one of `today`."""
    told = f"{day.day} {MONTHS[day.month - 1]}"
    return told if day.year == today.year else f"{told} {day.year}"


def instant_in_words(instant: datetime, *, zone: ZoneInfo, today: date) -> str:
    """`3 May at 09:00`, as clocks of the zone show it. Raises `zones.OutsideCalendar`."""
    return f"{day_in_words(zones.local_date(instant, zone), today=today)} at {clock(instant, zone=zone)}"


def clock(instant: datetime, *, zone: ZoneInfo) -> str:
    """`09:00`; with the seconds where there are any."""
    shown = instant.astimezone(zone)
    return f"{shown:%H:%M:%S}" if shown.second else f"{shown:%H:%M}"


def duration_in_words(duration: timedelta) -> str:
    """`30 minutes`, `1 hour and 30 minutes`, `2 weeks`; the sign is not told."""
    seconds = abs(int(duration.total_seconds()))
    if seconds and seconds % (7 * 24 * 3600) == 0:
        return counted(seconds // (7 * 24 * 3600), "week")
    days, seconds = divmod(seconds, 24 * 3600)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    counts = [(days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second")]
    return joined([counted(count, unit) for count, unit in counts if count]) or "0 minutes"


def before_due_in_words(text: str) -> str:
    """`30 minutes before due` of `PT30M`. Raises `durations.InvalidDuration`."""
    duration = durations.parse(text)
    return f"{duration_in_words(duration)} before due" if duration else "when due"


def _runs(numbers: Sequence[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for number in numbers:
        if run and number != run[-1] + 1:
            yield run
            run = []
        run.append(number)
    if run:
        yield run
