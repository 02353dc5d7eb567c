"""The years, months and days of the trail, to choose one from.

Invariant: asks the table for its first and its last record only; what lies between is the calendar's.
"""

from calendar import month_name
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.audit.admin.clocks import day_of


@dataclass(frozen=True, slots=True)
class Step:
    """A link to a period: `2026`, `2026-11` or `2026-11-20`; empty for all of the trail."""

    told: str
    period: str
    spoken: str


@dataclass(frozen=True, slots=True)
class Days:
    """Where we are, from the whole down, and what can be chosen within it."""

    above: list[Step]
    here: Step
    within: list[Step]


def days(period: str, *, ends: tuple[datetime, datetime], zone: ZoneInfo) -> Days:
    """The way to `period`, and the steps below it that lie between the first and the last record."""
    first, last = (day_of(end, zone=zone) for end in ends)
    parts = period.split("-") if period else []
    way = [Step("All dates", "", "All dates"), *[_step("-".join(parts[: n + 1])) for n in range(len(parts))]]
    return Days(above=way[:-1], here=way[-1], within=[_step(one) for one in _within(parts, first, last)])


def _within(parts: list[str], first: date, last: date) -> list[str]:
    match parts:
        case []:
            return [f"{year:04}" for year in range(first.year, last.year + 1)]
        case [year]:
            months = [(int(year), month) for month in range(1, 13)]
            kept = [one for one in months if (first.year, first.month) <= one <= (last.year, last.month)]
            return [f"{one[0]:04}-{one[1]:02}" for one in kept]
        case [year, month]:
            start = date(int(year), int(month), 1)
            every = [start + timedelta(days=n) for n in range(31)]
            return [f"{one}" for one in every if one.month == start.month and first <= one <= last]
    return []


def _step(period: str) -> Step:
    match period.split("-"):
        case [year]:
            return Step(year, period, year)
        case [year, month]:
            return Step(month_name[int(month)], period, f"{month_name[int(month)]} {year}")
        case [year, month, day]:
            told = f"{int(day)} {month_name[int(month)]}"
            return Step(told, period, f"{told} {year}")
    raise ValueError(f"{period!r} is no period.")
