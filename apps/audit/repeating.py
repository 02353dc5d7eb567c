"""What happened to a series of repeating tasks, as parts of a sentence, from the data of its events alone. Pure.

Raises what values of a shape that is not known raise; `words.sentence` makes a plain clause of that.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from apps.audit import times
from apps.audit.times import Setting
from apps.calendar import rules
from apps.calendar.rules import Frequency, Rule
from apps.calendar.sentences import day_in_words, joined
from apps.calendar.sentences.plain import ordinal

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
    """`skipped 11 May and 18 May, as they were missed`; of more, `skipped 19 dates, from 2 May to 20 May`."""
    count, walls = data["count"], [_wall(text) for text in data["skipped"]]
    because = (_BECAUSE_SKIPPED if count == 1 else _BECAUSE_MANY_SKIPPED).get(data["because"], "")
    if 0 < count == len(walls) <= _SHOWN:
        return f"skipped {joined([_told(wall, setting) for wall in walls])}{because}"
    reach = f", from {_told(walls[0], setting)}" if walls else ""
    reach += f" to {_told(walls[-1], setting)}" if count == len(walls) else " on" if walls else ""
    return f"skipped {count:,} dates{reach}{because}"


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
    start, asked = changes.get("start"), changes.get("recurrence")
    moved = _moved(start, rules.parse(data["series"]["recurrence"]["rule"])) if start else ""
    otherwise = asked is not None and _apart_from_moves(asked["before"]) != _apart_from_moves(asked["after"])
    told = []
    if asked is not None and (otherwise or not moved):
        words = times.changed_recurrence(asked["before"], asked["after"], setting)
        told.append(words.replace("changed how it repeats", "changed how the series repeats", 1))
    elif start:
        told.append(moved or f"had the series count from {_told(_wall(start['after']), setting)}")
    if "time_zone" in changes:
        told.append(_time_zone(data, setting))
    if "ended_at" in changes and changes["ended_at"]["after"] is None:
        told.append("opened the series again")
    return joined(told) or "changed the series"


def _apart_from_moves(recurrence: Mapping[str, Any]) -> dict[str, Any]:
    """Where a series is moved, its rule has as many as are left, and dates left out or put in move along."""
    kept = {name: value for name, value in recurrence.items() if name not in {"exdates", "rdates"}}
    return {**kept, "rule": replace(rules.parse(recurrence["rule"]), count=None).text}


def _moved(start: Mapping[str, str], rule: Rule) -> str:
    """`moved the series from Mondays at 09:00 to Tuesdays at 11:00`; empty where it takes nothing of that from it."""
    before, after = _wall(start["before"]), _wall(start["after"])
    days, clocks = (_day_of(before, rule), _day_of(after, rule)), (_clock(before), _clock(after))
    if days[0] == days[1]:
        days = ("", "")
    if clocks[0] == clocks[1]:
        clocks = ("", "")
    at = "at " if any(days) else ""
    had, has = (f"{day} {f'{at}{clock}' if clock else ''}".strip() for day, clock in zip(days, clocks, strict=True))
    if not (had or has):
        return ""
    return f"moved the series{f' from {had}' if had else ''} to {has or 'days without a time'}"


def _day_of(wall: date, rule: Rule) -> str:
    """The day that a rule takes from its start; empty where it names days itself or has all of them."""
    if rule.by_day or rule.by_month_day or rule.by_year_day or rule.by_week_no:
        return ""
    match rule.frequency:
        case Frequency.WEEKLY:
            return f"{wall:%A}s"
        case Frequency.MONTHLY:
            return f"the {ordinal(wall.day)}"
        case Frequency.YEARLY:
            return day_in_words(wall, today=wall)
    return ""


def _time_zone(data: Mapping[str, Any], setting: Setting) -> str:
    change = data["changes"]["time_zone"]
    return f"moved the series from the clocks of {change['before']} to those of {change['after']}"


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


def _wall(text: str) -> date:
    """What a calendar and a clock on the wall show, of an occurrence's id."""
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def _told(wall: date, setting: Setting) -> str:
    day, clock = day_in_words(wall, today=setting.today), _clock(wall)
    return f"{day} at {clock}" if clock else day


def _clock(wall: date) -> str:
    if not isinstance(wall, datetime):
        return ""
    return f"{wall:%H:%M:%S}" if wall.second else f"{wall:%H:%M}"
