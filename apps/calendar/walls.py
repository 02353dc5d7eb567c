"""Walls: what a calendar and a clock on the wall show, without a zone, and their text."""

import re
from datetime import date, datetime

from apps.calendar.errors import CalendarError

# A date, or a date-time without a zone in whole seconds.
Wall = date | datetime


class InvalidWall(CalendarError):
    """What is no date or time of day written as `20260504` or `20260504T090000`."""


def wall_text(wall: Wall) -> str:
    """`20260504` or `20260504T090000` (RFC 5545 sections 3.3.4 and 3.3.5)."""
    return wall.isoformat().replace("-", "").replace(":", "")


def parse_wall(text: str) -> Wall:
    """What `wall_text` wrote. Raises `InvalidWall`."""
    try:
        if re.fullmatch("[0-9]{8}", text):
            return date.fromisoformat(text)
        if re.fullmatch("[0-9]{8}T[0-9]{6}", text):
            return datetime.fromisoformat(text)
    except ValueError as reason:
        raise InvalidWall(f"{text} is no date or time that there is: {reason}.") from reason
    raise InvalidWall("Write a date as 20260504, a time on it as 20260504T090000, without a zone.")


def day_of(wall: Wall) -> date:
    """The date alone."""
    return wall.date() if isinstance(wall, datetime) else wall
