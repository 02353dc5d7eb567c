"""What people are told, in plain words and by the clocks of their zone. Pure."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.calendar import zones
from apps.calendar.sentences import clock, day_in_words

# A reminder that is less late than this is on time.
PUNCTUAL_SECONDS = 60
_DAY = timedelta(days=1)


def how_late(seconds: float) -> str:
    """`5 min late`, `2 h late`, `3 days late`; nothing up to a minute."""
    if seconds <= PUNCTUAL_SECONDS:
        return ""
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min late"
    hours = minutes // 60
    return f"{hours} h late" if hours < 48 else f"{hours // 24} days late"


def near_day(day: date, *, today: date) -> str:
    """`today`, `tomorrow`, `yesterday`, `on 3 May`."""
    names = {today: "today", today + _DAY: "tomorrow", today - _DAY: "yesterday"}
    return names.get(day) or f"on {day_in_words(day, today=today)}"


def when_due(due_at: datetime | None, due_on: date | None, *, now: datetime, zone: ZoneInfo) -> str:
    """`due today at 14:30`, `was due yesterday`; nothing of what is not due at all."""
    today = zones.local_date(now, zone)
    if due_at is not None:
        was = "was due" if due_at <= now else "due"
        return f"{was} {near_day(zones.local_date(due_at, zone), today=today)} at {clock(due_at, zone=zone)}"
    if due_on is not None:
        return f"{'was due' if due_on < today else 'due'} {near_day(due_on, today=today)}"
    return ""


def of_reminder(
    due_at: datetime | None, due_on: date | None, *, late_seconds: float, now: datetime, zone: ZoneInfo
) -> str:
    """`Due today at 14:30. This reminder comes 2 h late.`"""
    due = when_due(due_at, due_on, now=now, zone=zone)
    late = how_late(late_seconds)
    sentences = [_sentence(due or "you asked to be reminded"), f"This reminder comes {late}." if late else ""]
    return " ".join(sentence for sentence in sentences if sentence)


def of_overdue(due_at: datetime | None, due_on: date | None, *, now: datetime, zone: ZoneInfo) -> str:
    """`Overdue: was due yesterday at 14:30.`"""
    return f"Overdue: {when_due(due_at, due_on, now=now, zone=zone)}."


def title_of_digest(*, overdue: int, today: int) -> str:
    """`2 tasks overdue, 1 due today`"""
    if not overdue:
        return f"{_tasks(today)} due today"
    return f"{_tasks(overdue)} overdue" + (f", {today} due today" if today else "")


def of_digest(overdue: Sequence[str], today: Sequence[str], *, left_out: int) -> str:
    """A line for each task, those that are overdue first."""
    lines = [*_listed("Overdue:", overdue), *_listed("Due today:", today)]
    return "\n".join([*lines, *([f"And {left_out} more."] if left_out else [])])


def line_of_digest(title: str, due_at: datetime | None, due_on: date | None, *, now: datetime, zone: ZoneInfo) -> str:
    return f"{title} ({when_due(due_at, due_on, now=now, zone=zone)})"


def _listed(heading: str, lines: Sequence[str]) -> list[str]:
    return [heading, *(f"- {line}" for line in lines)] if lines else []


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
