"""What an event changed, field by field, as a page shows it: before and after, lines of a text, items of a list. Pure.

Invariant: every value is told, whatever its shape; nothing here is markup, so nothing here can be unsafe.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import SequenceMatcher
from itertools import takewhile, zip_longest
from operator import eq
from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format

from apps.audit import words
from apps.audit.clauses import field_in_words, short

NOTHING = "—"
_SHORT = 40
# Beyond so many lines that differ a comparison costs more than it tells: they are shown whole.
_MAX_COMPARED = 400
_AROUND = 2


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a text. Of one that was changed in part, what differs stands between `before` and `after`."""

    sign: Literal["same", "removed", "added", "gap"]
    before: str
    differs: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: a text as `lines`, a list as items `removed` and `added`, anything else as `before` and `after`."""

    name: str
    told: str
    shape: Literal["plain", "lines", "items"]
    before: str = ""
    after: str = ""
    lines: list[Line] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    kept: int = 0


def differences(data: Mapping[str, Any] | None, *, zone: ZoneInfo) -> list[Difference]:
    return [_difference(one.field, one.before, one.after, zone) for one in words.changes(data)]


def told(name: str, value: Any, *, zone: ZoneInfo) -> str:
    """A value in words: an instant as clocks of the zone show it, with the zone; a thing by its name."""
    if value is None or value in ("", []):
        return NOTHING
    if isinstance(value, str):
        return _instant(value, zone) if name.endswith("_at") else _day(value) if name.endswith("_on") else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_item(one, zone) for one in value)
    return _item(value, zone)


def in_short(data: Mapping[str, Any] | None, *, zone: ZoneInfo, most: int = 3) -> list[tuple[str, str, str]]:
    """The first few changes, each with its field, the value before and the value after, cut to a few words."""
    found = list(differences(data, zone=zone))[:most]
    return [(one.told, *_in_short(one)) for one in found]


def _in_short(one: Difference) -> tuple[str, str]:
    match one.shape:
        case "items":
            minus = [f"- {short(item, most=_SHORT)}" for item in one.removed[:3]]
            plus = [f"+ {short(item, most=_SHORT)}" for item in one.added[:3]]
            more = len(one.removed) + len(one.added) - len(minus) - len(plus)
            return "", ", ".join([*minus, *plus, *([f"{more} more"] if more else [])]) or "another order"
        case "lines":
            return _around_what_differs(one.before, one.after)
    return short(one.before, most=_SHORT), short(one.after, most=_SHORT)


def _around_what_differs(before: str, after: str) -> tuple[str, str]:
    """Two long texts from shortly before where they part."""
    start = max(0, _alike(before, after) - 12)
    if start == 0:
        return short(before, most=_SHORT), short(after, most=_SHORT)
    return f"…{short(before[start:], most=_SHORT)}", f"…{short(after[start:], most=_SHORT)}"


def _difference(name: str, before: Any, after: Any, zone: ZoneInfo) -> Difference:
    if isinstance(before, list) or isinstance(after, list):
        return _items(name, before or [], after or [], zone)
    first, second = told(name, before, zone=zone), told(name, after, zone=zone)
    texts = isinstance(before, str) and isinstance(after, str)
    if texts and ("\n" in f"{before}{after}" or max(len(before), len(after)) > 2 * _SHORT):
        return Difference(name, field_in_words(name), "lines", first, second, lines=list(_lines(before, after)))
    return Difference(name, field_in_words(name), "plain", first, second)


def _items(name: str, before: Any, after: Any, zone: ZoneInfo) -> Difference:
    had = {_same(one): _item(one, zone) for one in before} if isinstance(before, list) else {}
    has = {_same(one): _item(one, zone) for one in after} if isinstance(after, list) else {}
    return Difference(
        name,
        field_in_words(name),
        "items",
        removed=[item for key, item in had.items() if key not in has],
        added=[item for key, item in has.items() if key not in had],
        kept=len(had.keys() & has.keys()),
    )


def _same(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


def _item(value: Any, zone: ZoneInfo) -> str:
    if not isinstance(value, Mapping):
        return str(value) if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)
    if isinstance(name := value.get("name") or value.get("title"), str):
        return name
    if isinstance(at := value.get("trigger_at"), str):
        return _instant(at, zone)
    if isinstance(ahead := value.get("before_due"), str):
        return f"{ahead} before due"
    parts = {key: one for key, one in value.items() if key != "id"}
    return ", ".join(f"{field_in_words(str(key))}: {_item(one, zone)}" for key, one in parts.items())


def _instant(text: str, zone: ZoneInfo) -> str:
    try:
        at = datetime.fromisoformat(text)
        shown = at.astimezone(zone) if at.tzinfo else None
    except (ValueError, OverflowError):
        return text
    return f"{date_format(shown.replace(tzinfo=None), 'j M Y, H:i:s')} {shown:%Z}" if shown else text


def _day(text: str) -> str:
    try:
        return date_format(date.fromisoformat(text), "j M Y")
    except ValueError:
        return text


def _lines(before: str, after: str) -> Iterator[Line]:
    """What differs, with the lines around it."""
    had, has = before.splitlines(), after.splitlines()
    head = _alike(had, has)
    tail = _alike(had[head:][::-1], has[head:][::-1])
    had_between, has_between = had[head : len(had) - tail], has[head : len(has) - tail]
    yield from _context(had[:head], last=True)
    if max(len(had_between), len(has_between)) > _MAX_COMPARED:
        yield from _replaced(had_between, has_between)
    else:
        for tag, i, j, k, m in SequenceMatcher(None, had_between, has_between, autojunk=False).get_opcodes():
            if tag == "equal":
                yield from _context(had_between[i:j], first=i > 0, last=True)
            else:
                yield from _replaced(had_between[i:j], has_between[k:m])
    yield from _context(had[len(had) - tail :] if tail else [], first=True)


def _context(same: list[str], *, first: bool = False, last: bool = False) -> Iterator[Line]:
    """Lines that are the same: those next to what differs."""
    head, tail = (_AROUND if first else 0), (_AROUND if last else 0)
    if len(same) <= head + tail:
        yield from (Line("same", line) for line in same)
        return
    yield from (Line("same", line) for line in same[:head])
    number = len(same) - head - tail
    yield Line("gap", f"{number} line{'' if number == 1 else 's'} the same")
    yield from (Line("same", line) for line in same[len(same) - tail :] if tail)


def _replaced(had: list[str], has: list[str]) -> Iterator[Line]:
    """Each line beside what it became, with what differs between their common beginning and end."""
    for old, new in zip_longest(had, has) if len(had) == len(has) else []:
        yield from (_marked("removed", old, new), _marked("added", new, old))
    if len(had) != len(has):
        yield from (Line("removed", "", line) for line in had)
        yield from (Line("added", "", line) for line in has)


def _marked(sign: Literal["removed", "added"], line: str, other: str) -> Line:
    head = _alike(line, other)
    tail = _alike(line[head:][::-1], other[head:][::-1])
    return Line(sign, line[:head], line[head : len(line) - tail], line[len(line) - tail :] if tail else "")


def _alike(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How far two texts, or two lists of lines, begin alike."""
    return sum(1 for _ in takewhile(bool, map(eq, one, other)))
