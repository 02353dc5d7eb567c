"""When a task is due, how it repeats and when it reminds, as parts of a sentence. Pure.

Raises what values of a shape that is not known raise; `clauses.tried` makes a plain clause of that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from apps.calendar import zones
from apps.calendar.sentences import (
    before_due_in_words,
    clock,
    day_in_words,
    instant_in_words,
    joined,
    rule_in_words,
)

DUE = ("due_at", "due_on", "due_time_zone")
_BESIDE_THE_RULE = {
    "from": "what it counts from",
    "month_end": "what it does at the end of a month",
    "catch_up": "catching up",
    "exdates": "the dates left out",
    "rdates": "the dates put in",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and when a sentence is read."""

    zone: ZoneInfo
    today: date

    @classmethod
    def at(cls, now: datetime, *, zone: ZoneInfo) -> "Setting":
        return cls(zone, zones.local_date(now, zone))


def moved_due(task: Mapping[str, Any], changed: Mapping[str, tuple[Any, Any]], setting: Setting) -> str | None:
    had = {field: changed[field][0] if field in changed else task.get(field) for field in DUE}
    has = {field: changed[field][1] if field in changed else task.get(field) for field in DUE}
    before, after = due(had, setting), due(has, setting)
    if after is None:
        return "took the due date away"
    if before is None:
        return f"set due to {after}"
    if had["due_on"] and has["due_on"]:
        first, second = date.fromisoformat(had["due_on"]), date.fromisoformat(has["due_on"])
        if (first.year, first.month) == (second.year, second.month):
            return f"moved due from {first.day} to {after}"
    same_zone = had["due_at"] and has["due_at"] and had["due_time_zone"] == has["due_time_zone"]
    hours = _same_day(had, has, setting) if same_zone else None
    return hours or f"moved due from {before} to {after}"


def _same_day(had: Mapping[str, Any], has: Mapping[str, Any], setting: Setting) -> str | None:
    zone = _zone_of(has, setting)
    first, second = datetime.fromisoformat(had["due_at"]), datetime.fromisoformat(has["due_at"])
    day = zones.local_date(second, zone)
    if zones.local_date(first, zone) != day:
        return None
    shown = f"{clock(first, zone=zone)} to {clock(second, zone=zone)}{_in_zone(has, setting)}"
    return f"moved due from {shown} on {day_in_words(day, today=setting.today)}"


def due(task: Mapping[str, Any], setting: Setting) -> str | None:
    """When a task is due: in its own zone, told by name, where that is not the reader's."""
    if task.get("due_at"):
        instant = datetime.fromisoformat(task["due_at"])
        return instant_in_words(instant, zone=_zone_of(task, setting), today=setting.today) + _in_zone(task, setting)
    if task.get("due_on"):
        return day_in_words(date.fromisoformat(task["due_on"]), today=setting.today)
    return None


def _zone_of(task: Mapping[str, Any], setting: Setting) -> ZoneInfo:
    name = task.get("due_time_zone")
    return zones.zone(name) if name else setting.zone


def _in_zone(task: Mapping[str, Any], setting: Setting) -> str:
    name = task.get("due_time_zone")
    return f" ({name})" if name and name != setting.zone.key else ""


def changed_recurrence(before: Any, after: Any, setting: Setting) -> str:
    if after is None:
        return "stopped it repeating"
    if before is None:
        return f"made it repeat {recurrence(after, setting)}"
    if before["rule"] == after["rule"]:
        told = [words for name, words in _BESIDE_THE_RULE.items() if before.get(name) != after.get(name)]
        return f"changed how it repeats: {joined(told)}"
    return f"changed how it repeats, from {recurrence(before, setting)} to {recurrence(after, setting)}"


def recurrence(recurrence: Mapping[str, Any], setting: Setting) -> str:
    from_completion = recurrence.get("from") == "completion"
    return rule_in_words(recurrence["rule"], today=setting.today, from_completion=from_completion)


def reminder(reminder: Mapping[str, Any], setting: Setting) -> str:
    if "before_due" in reminder:
        return before_due_in_words(reminder["before_due"])
    return instant_in_words(datetime.fromisoformat(reminder["trigger_at"]), zone=setting.zone, today=setting.today)
