"""The times of a day that a rule names, as seconds since midnight, and what BYSETPOS chooses of a period's.

Invariant: what a rule does not name comes from the start it repeats from (RFC 5545 section 3.3.10).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple, overload

from apps.calendar.rrule import Frequency, Rule

DAY_SECONDS = 24 * 3600
UNIT_SECONDS = {Frequency.DAILY: DAY_SECONDS, Frequency.HOURLY: 3600, Frequency.MINUTELY: 60, Frequency.SECONDLY: 1}

# So many times are worked out at once, more one by one.
_FEW = 500

# Seconds since midnight, in order.
Times = Sequence[int]
# A day, as `date.toordinal` counts, and its times.
DayTimes = tuple[int, Times]


class Span(NamedTuple):
    """The day and second of it that a rule repeats from, and the first and last day that are asked for."""

    day: int
    second: int
    timed: bool
    begin: int
    last: int


class _Product(Sequence[int]):
    """`outer * unit + inner` of each and each, in order, worked out when it is asked for."""

    def __init__(self, outer: Times, unit: int, inner: Times, *, indices: range | None = None) -> None:
        self._outer, self._unit, self._inner = outer, unit, inner
        self._indices = range(len(outer) * len(inner)) if indices is None else indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> "_Product": ...
    def __getitem__(self, index: int | slice) -> "int | _Product":
        if isinstance(index, slice):
            return _Product(self._outer, self._unit, self._inner, indices=self._indices[index])
        outer, inner = divmod(self._indices[index], len(self._inner))
        return self._outer[outer] * self._unit + self._inner[inner]


def each_with_each(outer: Times, unit: int, inner: Times) -> Times:
    """Every one of the `inner`, counted from the beginning of every one of the `outer` units."""
    if inner == (0,) and unit == 1:
        return outer
    product = _Product(outer, unit, inner)
    return tuple(product) if len(product) <= _FEW else product


def times_of_period(rule: Rule, span: Span) -> Times:
    """The times that each period of the rule has: of a day, or of the hour, minute or second that it repeats by.

    They are counted from the beginning of that. A date has its one time only, whatever the rule says.
    """
    if not span.timed:
        return (0,)
    unit = UNIT_SECONDS.get(rule.frequency, DAY_SECONDS)
    hours = (rule.by_hour or (span.second // 3600,)) if unit > 3600 else (0,)
    minutes = (rule.by_minute or (span.second // 60 % 60,)) if unit > 60 else (0,)
    seconds = (seconds_of(rule) or (span.second % 60,)) if unit > 1 else (0,)
    return each_with_each(hours, 3600, each_with_each(minutes, 60, seconds))


def seconds_of(rule: Rule) -> tuple[int, ...]:
    """BYSECOND without leap seconds: 60 is 59 where there are none (RFC 5545 section 3.3.12)."""
    return rule.by_second if 60 not in rule.by_second else tuple(sorted({min(second, 59) for second in rule.by_second}))


def places(by_set_pos: tuple[int, ...]) -> Callable[[int], tuple[int, ...]]:
    """From how many there are to the indices, in order, that BYSETPOS, sorted, chooses of them."""
    from_the_end, from_the_start = _split(by_set_pos)

    @cache
    def chosen(count: int) -> tuple[int, ...]:
        last = from_the_end[bisect_left(from_the_end, -count) :]
        first = from_the_start[: bisect_right(from_the_start, count)]
        return tuple(sorted({*(place - 1 for place in first), *(count + place for place in last)}))

    return chosen


def _split(by_set_pos: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    middle = bisect_left(by_set_pos, 0)
    return by_set_pos[:middle], by_set_pos[middle:]
