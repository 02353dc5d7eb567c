"""How many dates a second the engine finds of ten typical rules, beside python-dateutil.

Both find the same dates of the same start, in turns, in this process; what is kept is the best round of each, as
anything else on the machine only makes a round slower. A fresh rule each time: nothing is remembered from before.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import NamedTuple

from dateutil import rrule

from apps.calendar import rules, years
from apps.calendar.expansion import expand

ROUNDS = 7
START = datetime(2026, 1, 1, 9)  # noqa: DTZ001 - walls have no zone
LATER = START + timedelta(days=3650)
TYPICAL = {
    "daily": "FREQ=DAILY",
    "workdays": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    "every 2 weeks on Monday and Thursday": "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH",
    "every month on the 15th": "FREQ=MONTHLY;BYMONTHDAY=15",
    "every month on the last day": "FREQ=MONTHLY;BYMONTHDAY=-1",
    "every month on the last Friday": "FREQ=MONTHLY;BYDAY=-1FR",
    "every month on the last workday": "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "every quarter on the 1st": "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1",
    "every year on the last Monday of May": "FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO",
    "every 3 hours": "FREQ=HOURLY;INTERVAL=3",
}


class Speed(NamedTuple):
    """Dates a second from the start on, and the time of finding the one that follows a day ten years later."""

    per_second: float
    next_seconds: float

    def __str__(self) -> str:
        return f"{self.per_second:,.0f} dates/s; the next after ten years in {self.next_seconds * 1e6:,.0f} µs"


class Beside(NamedTuple):
    what: str
    ours: Speed
    dateutil: Speed


def measured(*, count: int) -> Iterator[Beside]:
    """Each rule, so many dates. Raises `ArithmeticError` where the two do not find the same ones."""
    for what, text in TYPICAL.items():
        if list(islice(_ours(text), count)) != list(islice(_theirs(text), count)):
            raise ArithmeticError(f"The engines do not agree on {text}.")
        walks, jumps = [], []
        for _ in range(ROUNDS):
            walks.append([_timed(partial(_walk, find, text, count)) for find in (_ours, _theirs)])
            jumps.append([_timed(partial(jump, text)) for jump in (_our_next, _their_next)])
        best = zip(map(min, *walks), map(min, *jumps), strict=True)
        yield Beside(what, *(Speed(count / walk, jump) for walk, jump in best))


def _ours(text: str) -> Iterator[object]:
    return expand(rules.parse(text), start=START)


def _theirs(text: str) -> Iterator[object]:
    return iter(rrule.rrulestr(text, dtstart=START))


def _walk(find: Callable[[str], Iterator[object]], text: str, count: int) -> None:
    deque(islice(find(text), count), maxlen=0)


def _our_next(text: str) -> None:
    next(expand(rules.parse(text), start=START, after=LATER))


def _their_next(text: str) -> None:
    rrule.rrulestr(text, dtstart=START).after(LATER)


def _timed(work: Callable[[], None]) -> float:
    years.days_expanded.cache_clear()
    years.days_limited.cache_clear()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
