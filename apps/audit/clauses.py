"""The parts of a sentence about a task: one for each field, from the values before and after. Pure.

Invariant: a value that is not as expected makes a plain clause, never an error.
"""

from collections.abc import Callable, Collection, Mapping
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

_LONGEST = 60
_DUE = ("due_at", "due_on", "due_time_zone")
_FIELDS = {"recurrence_id": "the occurrence", "series_id": "the series"}
_POLICIES = {
    "from": "what it counts from",
    "month_end": "what it does at the end of a month",
    "catch_up": "catching up",
}


_ORDER = {
    field: place
    for place, field in enumerate(
        ["title", "description", "status", "priority", *_DUE, "list", "parent", "tags", "recurrence", "reminders"]
    )
}


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and when a sentence is read."""

    zone: ZoneInfo
    today: date

    @classmethod
    def at(cls, now: datetime, *, zone: ZoneInfo) -> "Setting":
        return cls(zone, zones.local_date(now, zone))


def tried(told: Callable[[], str | None]) -> str | None:
    """What `told` says, or nothing where it stumbles over a value of a shape it does not know."""
    try:
        return told()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None


def of_task(data: Mapping[str, Any], setting: Setting, *, but: Collection[str] = ()) -> list[str]:
    """A clause for each field that changed; those that are told together make one."""
    # The log does not keep the order of fields.
    fields = sorted(data["changes"], key=lambda field: (_ORDER.get(field, len(_ORDER)), field))
    changed = {field: (data["changes"][field]["before"], data["changes"][field]["after"]) for field in fields}
    told: list[str] = []
    for field in changed:
        if field in but or (field in _DUE and field != next(name for name in _DUE if name in changed)):
            continue
        if field in {"series_id", "recurrence_id"} and "recurrence" in changed:
            continue
        clause = tried(lambda field=field: _clause(field, data["task"], changed, setting))  # type: ignore[misc]
        told.append(clause or f"changed {field_in_words(field)}")
    return told


def of_a_new_task(task: Mapping[str, Any], setting: Setting) -> str:
    """What is worth telling of a task as it was made: ` in Home, due 3 May`."""
    parts = [
        tried(lambda: f"due {_due(task, setting)}" if _due(task, setting) else None),
        None if task.get("priority") in {None, "none"} else _of_priority(task["priority"]),
        tried(lambda: f"tagged {_names(_tag_names(task['tags']))}" if task.get("tags") else None),
        tried(lambda: f"repeating {_recurrence(task['recurrence'], setting)}" if task.get("recurrence") else None),
        "as a part of another task" if task.get("parent") else None,
    ]
    place = tried(lambda: f" in {short(task['list']['name'])}" if task.get("list") else None)
    return (place or "") + "".join(f", {part}" for part in parts if part)


def named_thing(data: Mapping[str, Any]) -> tuple[str, str]:
    """What a list or tag is, and its name."""
    kind = "list" if "list" in data else "tag"
    return kind, short(data[kind]["name"])


def field_in_words(field: str) -> str:
    return _FIELDS.get(field) or short(field.replace("_", " "))


def quoted(text: Any) -> str:
    return f"“{short(text)}”"


def short(text: Any) -> str:
    """In one line, and not too long for a sentence."""
    line = " ".join(str(text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1].rstrip()}…"


def _clause(
    field: str, task: Mapping[str, Any], changed: Mapping[str, tuple[Any, Any]], setting: Setting
) -> str | None:
    if field in _DUE:
        return _moved_due(task, changed, setting)
    before, after = changed[field]
    if field == "recurrence":
        return _changed_recurrence(before, after, setting)
    if field == "reminders":
        return _changed_reminders(after, setting)
    clause = _CLAUSES.get(field)
    return clause(before, after) if clause else None


def _title(before: Any, after: Any) -> str:
    return f"changed the title from {quoted(before)} to {quoted(after)}"


def _description(before: Any, after: Any) -> str:
    if not before:
        return f"described it: {quoted(after)}"
    return "changed the description" if after else "took the description away"


def _status(before: Any, after: Any) -> str:
    words = {"in_progress": "started it", "pending": "put it back to pending"}
    return words.get(after) or f"changed the status from {short(before)} to {short(after)}"


def _priority(before: Any, after: Any) -> str:
    if after == "none":
        return "took the priority away"
    return f"marked it {_of_priority(after)}"


def _of_priority(priority: Any) -> str:
    return "urgent" if priority == "urgent" else f"{short(priority)} priority"


def _tags(before: Any, after: Any) -> str | None:
    added, removed = [tag for tag in after if tag not in before], [tag for tag in before if tag not in after]
    told = [f"added {_the_tags(added)}"] if added else []
    if removed:
        told.append(f"removed {_names(removed)}" if added else f"removed {_the_tags(removed)}")
    return " and ".join(told) or None


def _the_tags(names: list[Any]) -> str:
    return f"the tag{'' if len(names) == 1 else 's'} {_names(names)}"


def _names(names: list[Any]) -> str:
    shown = [short(name) for name in names[:5]]
    return joined([*shown, f"{len(names) - 5} more"] if len(names) > 5 else shown)


def _tag_names(tags: Any) -> list[Any]:
    return [tag["name"] for tag in tags]


def _list(before: Any, after: Any) -> str:
    if after is None:
        return f"took it out of {short(before['name'])}"
    there = short(after["name"])
    return f"moved it from {short(before['name'])} to {there}" if before else f"put it in {there}"


def _parent(before: Any, after: Any) -> str:
    if after is None:
        return "made it a task of its own"
    return "moved it to another parent task" if before else "made it a part of another task"


def _position(before: Any, after: Any) -> str:
    return "moved it among the others"


_CLAUSES: dict[str, Callable[[Any, Any], str | None]] = {
    "title": _title,
    "description": _description,
    "status": _status,
    "priority": _priority,
    "tags": _tags,
    "list": _list,
    "parent": _parent,
    "position": _position,
}


def _moved_due(task: Mapping[str, Any], changed: Mapping[str, tuple[Any, Any]], setting: Setting) -> str | None:
    had = {field: changed[field][0] if field in changed else task.get(field) for field in _DUE}
    has = {field: changed[field][1] if field in changed else task.get(field) for field in _DUE}
    before, after = _due(had, setting), _due(has, setting)
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


def _due(task: Mapping[str, Any], setting: Setting) -> str | None:
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
    return f" ({name.replace('_', ' ')})" if name and name != setting.zone.key else ""


def _changed_recurrence(before: Any, after: Any, setting: Setting) -> str:
    if after is None:
        return "stopped it repeating"
    if before is None:
        return f"made it repeat {_recurrence(after, setting)}"
    if before["rule"] == after["rule"]:
        told = [words for name, words in _POLICIES.items() if before.get(name) != after.get(name)]
        return f"changed how it repeats: {joined(told)}"
    return f"changed how it repeats, from {_recurrence(before, setting)} to {_recurrence(after, setting)}"


def _recurrence(recurrence: Mapping[str, Any], setting: Setting) -> str:
    told = rule_in_words(recurrence["rule"], today=setting.today)
    return f"{told}, counted from completion" if recurrence.get("from") == "completion" else told


def _changed_reminders(after: Any, setting: Setting) -> str:
    if after is None:
        return "went back to the usual reminder"
    if not after:
        return "took all reminders away"
    return f"set the reminder{'' if len(after) == 1 else 's'} to {_names([_reminder(one, setting) for one in after])}"


def _reminder(reminder: Mapping[str, Any], setting: Setting) -> str:
    if "before_due" in reminder:
        return before_due_in_words(reminder["before_due"])
    return instant_in_words(datetime.fromisoformat(reminder["trigger_at"]), zone=setting.zone, today=setting.today)
