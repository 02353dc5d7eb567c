"""What happened to a series of repeating tasks, as parts of a sentence, from the data of its events alone. Pure.

Raises what values of a shape that is not known raise; `words.sentence` makes a plain clause of that.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from apps.audit import clauses, times
from apps.audit.times import Setting
from apps.calendar.sentences import day_in_words, joined

_SHOWN = 3
_BECAUSE_SKIPPED = {"catch_up": ", as it was missed", "paused": ", as the series was paused"}
_BECAUSE_MANY_SKIPPED = {"catch_up": ", as they were missed", "paused": ", as the series was paused"}
_BECAUSE_ENDED = {
    "count": "its last occurrence was done",
    "until": "no date is left before its end",
    "never": "its rule names no date any more",
    "stopped": "the task no longer repeats",
    "deleted": "the task was deleted",
    "erased": "its owner was erased",
}


def generated(data: Mapping[str, Any], setting: Setting) -> str:
    made = data["occurrence"]
    due = times.due({**made, "due_time_zone": data["series"].get("time_zone")}, setting)
    return f"made the next one{f', due {due}' if due else ''}"


def skipped(data: Mapping[str, Any], setting: Setting) -> str:
    """`skipped 11 May`, `skipped 11 May and 18 May, as they were missed`, `skipped 31 dates, as they were missed`."""
    count, walls = data["count"], [_wall(text) for text in data["skipped"]]
    because = (_BECAUSE_SKIPPED if count == 1 else _BECAUSE_MANY_SKIPPED).get(data["because"], "")
    if 0 < count == len(walls) <= _SHOWN:
        return f"skipped {joined([_told(wall, setting) for wall in walls])}{because}"
    return f"skipped {count:,} dates{because}"


def ended(data: Mapping[str, Any], setting: Setting) -> str:
    because = _BECAUSE_ENDED.get(data["because"])
    return f"ended the series: {because}" if because else "ended the series"


def changed(data: Mapping[str, Any], setting: Setting) -> str:
    phrase = _CHANGES.get(data["change"])
    return phrase(data, setting) if phrase else "changed the series"


def _opened(data: Mapping[str, Any], setting: Setting) -> str:
    return f"opened the series, repeating {times.recurrence(data['series']['recurrence'], setting)}"


def _rule(data: Mapping[str, Any], setting: Setting) -> str:
    changes = data["changes"]
    if "recurrence" not in changes:
        return f"changed the series: {joined([clauses.field_in_words(field) for field in sorted(changes)])}"
    before, after = changes["recurrence"]["before"], changes["recurrence"]["after"]
    told = times.changed_recurrence(before, after, setting)
    return told.replace("changed how it repeats", "changed how the series repeats", 1)


def _time_zone(data: Mapping[str, Any], setting: Setting) -> str:
    change = data["changes"]["time_zone"]
    before, after = (str(change[when]).replace("_", " ") for when in ("before", "after"))
    return f"moved the series from the clocks of {before} to those of {after}"


def _said(words: str) -> Callable[[Mapping[str, Any], Setting], str]:
    return lambda data, setting: words


_CHANGES: dict[str, Callable[[Mapping[str, Any], Setting], str]] = {
    "opened": _opened,
    "rule": _rule,
    "paused": _said("paused the series"),
    "resumed": _said("resumed the series"),
    "reopened": _said("opened the series again"),
    "time_zone": _time_zone,
}


def _wall(text: str) -> date | datetime:
    """What a calendar and a clock on the wall show, of an occurrence's id."""
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def _told(wall: date | datetime, setting: Setting) -> str:
    if not isinstance(wall, datetime):
        return day_in_words(wall, today=setting.today)
    clock = f"{wall:%H:%M:%S}" if wall.second else f"{wall:%H:%M}"
    return f"{day_in_words(wall.date(), today=setting.today)} at {clock}"
