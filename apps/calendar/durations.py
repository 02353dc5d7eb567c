"""Durations as text, in the form of RFC 5545 section 3.3.6: `PT30M`, `-P1D`, `P2W`, `P1DT12H`.

Invariant: what `text` writes `parse` reads as the same length of time. A day is 24 hours here.
"""

import re
from datetime import timedelta

from apps.calendar.errors import CalendarError

LIMIT = timedelta(days=366)
_ZERO = timedelta()
_LONGEST = 64
_DAY_SECONDS = 24 * 3600
_WEEK_SECONDS = 7 * _DAY_SECONDS

_FORM = re.compile(
    r"(?P<sign>[+-])?P(?:(?P<weeks>[0-9]+)W|"
    r"(?:(?P<days>[0-9]+)D)?"
    r"(?P<time>T(?:(?P<hours>[0-9]+)H)?(?:(?P<minutes>[0-9]+)M)?(?:(?P<seconds>[0-9]+)S)?)?)",
    re.IGNORECASE,
)
_NAMED = re.compile(r"[+-]?P[0-9.,]*[YM]", re.IGNORECASE)
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")


class InvalidDuration(CalendarError):
    """No duration, or one beyond the limit."""


def parse(text: str, *, limit: timedelta = LIMIT) -> timedelta:
    """Raises `InvalidDuration`, also where the duration is longer than `limit` in either direction."""
    found = _FORM.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        raise InvalidDuration(_what_is_wrong(text))
    given = {unit: int(found[unit]) for unit in _UNITS if found[unit] is not None}
    if not given or (found["time"] or "").upper() == "T":
        raise InvalidDuration("The duration names no length; write one such as PT30M, P1D or P2W.")
    try:
        duration = timedelta(**given)
    except OverflowError:
        duration = timedelta.max
    if duration > limit:
        raise InvalidDuration(f"The duration is longer than {_in_words(limit)}.")
    return -duration if found["sign"] == "-" else duration


def text(duration: timedelta) -> str:
    """The shortest form of RFC 5545. Raises `InvalidDuration` for parts of a second."""
    if duration.microseconds:
        raise InvalidDuration("A duration is of whole seconds.")
    sign = "-" if duration < _ZERO else ""
    total = abs(duration.days * _DAY_SECONDS + duration.seconds)
    if total and total % _WEEK_SECONDS == 0:
        return f"{sign}P{total // _WEEK_SECONDS}W"
    days, rest = divmod(total, _DAY_SECONDS)
    written = f"{days}D" if days else ""
    if rest or not days:
        written += f"T{_clock(rest)}"
    return f"{sign}P{written}"


def _clock(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if not (hours or minutes):
        return f"{seconds}S"
    written = f"{hours}H" if hours else ""
    # The RFC, unlike ISO 8601, lets no unit between two others be left out.
    if minutes or seconds:
        written += f"{minutes}M"
    return f"{written}{seconds}S" if seconds else written


def _what_is_wrong(text: str) -> str:
    if _NAMED.match(text.strip()):
        return "A duration has no months or years, which differ in length; write weeks or days, such as P2W."
    return "That is no duration; write one such as PT30M, P1D, P2W or P1DT12H."


def _in_words(limit: timedelta) -> str:
    days, rest = divmod(limit, timedelta(days=1))
    return f"{days} days" if days and not rest else f"the {limit} that is allowed"
