"""The parts of a sentence about a task: one for each field, from the values before and after. Pure.

Invariant: a value that is not as expected makes a plain clause, never an error.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from apps.audit import times
from apps.audit.times import Setting
from apps.calendar.sentences import joined

_LONGEST = 60
_NAMES = {
    "due_at": "due",
    "due_on": "due day",
    "due_time_zone": "time zone of due",
    "parent": "part of",
    "series_id": "series",
    "recurrence_id": "occurrence",
    "completed_at": "completed",
    "deleted_at": "deleted",
    "created_at": "created",
    "updated_at": "updated",
}


_ORDER = {
    field: place
    for place, field in enumerate(
        ["title", "description", "status", "priority", *times.DUE, "list", "parent", "tags", "recurrence", "reminders"]
    )
}


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
        if field in but or (field in times.DUE and field != next(name for name in times.DUE if name in changed)):
            continue
        if field in {"series_id", "recurrence_id"} and "recurrence" in changed:
            continue
        clause = tried(lambda field=field: _clause(field, data["task"], changed, setting))  # type: ignore[misc]
        told.append(clause or f"changed {field_in_words(field)}")
    return told


def of_a_new_task(task: Mapping[str, Any], setting: Setting) -> str:
    """What is worth telling of a task as it was made: ` in Home, due 3 May`."""
    parts = [
        tried(lambda: f"due {times.due(task, setting)}" if times.due(task, setting) else None),
        None if task.get("priority") in {None, "none"} else _of_priority(task["priority"]),
        tried(lambda: f"tagged {_names(_tag_names(task['tags']))}" if task.get("tags") else None),
        tried(lambda: f"repeating {times.recurrence(task['recurrence'], setting)}" if task.get("recurrence") else None),
        "as a part of another task" if task.get("parent") else None,
    ]
    place = tried(lambda: f" in {short(task['list']['name'])}" if task.get("list") else None)
    return (place or "") + "".join(f", {part}" for part in parts if part)


def named_thing(data: Mapping[str, Any]) -> tuple[str, str]:
    """What a list or tag is, and its name."""
    kind = "list" if "list" in data else "tag"
    return kind, short(data[kind]["name"])


def field_in_words(field: str) -> str:
    """What a person calls it."""
    return _NAMES.get(field) or short(field.replace("_", " "))


def quoted(text: Any) -> str:
    return f"“{short(text)}”"


def short(text: Any, *, most: int = _LONGEST) -> str:
    """In one line, and not too long for a sentence: of so many letters at most."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _clause(
    field: str, task: Mapping[str, Any], changed: Mapping[str, tuple[Any, Any]], setting: Setting
) -> str | None:
    if field in times.DUE:
        return times.moved_due(task, changed, setting)
    before, after = changed[field]
    if field == "recurrence":
        return times.changed_recurrence(before, after, setting)
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


def _changed_reminders(after: Any, setting: Setting) -> str:
    if after is None:
        return "went back to the usual reminder"
    if not after:
        return "took all reminders away"
    return (
        f"set the reminder{'' if len(after) == 1 else 's'} to {_names([times.reminder(one, setting) for one in after])}"
    )


_CLAUSES: dict[str, Callable[[Any, Any], str | None]] = {
    "title": _title,
    "description": _description,
    "status": _status,
    "priority": _priority,
    "tags": _tags,
    "list": _list,
    "parent": _parent,
    "position": _position,
    "series_id": lambda before, after: "changed the series",
    "recurrence_id": lambda before, after: "changed the occurrence",
}
