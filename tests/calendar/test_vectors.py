"""What others published of recurrence rules and their dates, held against ours: tests/calendar/vectors/README.md."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from apps.calendar import expansion, rules, zones
from apps.calendar.errors import CalendarError
from apps.calendar.recurrences import Recurrence, parse_wall, wall_text

_SETS = Path(__file__).parent / "vectors"
_README = _SETS / "README.md"
_CHUNK = 40
_SKETCH = 50


@dataclass(frozen=True, kw_only=True)
class Vector:
    """`dates` are ours: all of them where it is `complete`, else the first ones (those after `after`, if given).

    `rule_alone` is what the rule names without the start, where it does not name the start. `refused` is the part
    for which there are no dates. `published` is what others have instead, where that differs and is asserted nowhere.
    """

    name: str
    start: str
    rule: str
    complete: bool
    dates: tuple[str, ...] = ()
    zone: str = "UTC"
    exdates: tuple[str, ...] = ()
    rdates: tuple[str, ...] = ()
    after: str = ""
    instants: tuple[str, ...] = ()
    rule_alone: tuple[str, ...] | None = None
    published: tuple[str, ...] = ()
    refused: str | None = None
    differs: str = ""


def _vector(fields: dict[str, Any]) -> Vector:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    return Vector(**values)


def _read(path: Path) -> list[Vector]:
    return [_vector(one) for one in json.loads(path.read_text())["vectors"]]


SETS = {path.stem: _read(path) for path in sorted(_SETS.glob("*.json"))}


def _chunks(*, having: str) -> list[Any]:
    """The vectors that have a field, some to a case: a case for each would be slow, and names stand in what fails."""
    return [
        pytest.param(found[at : at + _CHUNK], id=f"{name}-{at // _CHUNK + 1}")
        for name, vectors in SETS.items()
        if (found := [vector for vector in vectors if getattr(vector, having) not in ((), None)])
        for at in range(0, len(found), _CHUNK)
    ]


def _recurrence(vector: Vector) -> Recurrence:
    return Recurrence(
        rule=rules.parse(vector.rule),
        start=parse_wall(vector.start),
        zone=zones.zone(vector.zone),
        exdates=frozenset(map(parse_wall, vector.exdates)),
        rdates=tuple(map(parse_wall, vector.rdates)),
    )


def _first(walls: Iterator[expansion.Wall], most: int) -> list[str]:
    return [wall_text(wall) for wall in islice(walls, most)]


def _ours(vector: Vector) -> list[str]:
    after = parse_wall(vector.after) if vector.after else None
    return _first(_recurrence(vector).dates(after=after), len(vector.dates) + vector.complete)


def _of_the_rule_alone(vector: Vector) -> list[str]:
    rule = rules.parse(vector.rule)
    # An UNTIL in UTC is nothing that a rule by itself can be held to: it has no zone.
    ends = vector.complete and getattr(rule.until, "tzinfo", None) is None
    return _first(expansion.expand(rule, start=parse_wall(vector.start)), len(vector.rule_alone or ()) + ends)


def _instants(vector: Vector) -> list[str]:
    zone = zones.zone(vector.zone)
    return [f"{zones.attach(datetime.fromisoformat(date), zone):%Y%m%dT%H%M%SZ}" for date in vector.dates]


def _refused_part(vector: Vector) -> str:
    """The part that a refusal names; what it is not, where nothing refuses."""
    try:
        rule = rules.parse(vector.rule)
        rules.check_against_start(rule, start=parse_wall(vector.start))
    except rules.InvalidRule as reason:
        return reason.part
    return "nothing"


def _wrong(vectors: list[Vector], ours: Callable[[Vector], list[str]], field: str) -> dict[str, Any]:
    """What is not as it should be, by the names of vectors; an error stands for dates, so that others are told too."""
    wrong = {}
    for vector in vectors:
        expected = list(getattr(vector, field))
        try:
            got = ours(vector)
        except CalendarError as reason:
            got = [repr(reason)]
        if got != expected:
            wrong[f"{vector.name}: {vector.start} {vector.rule}"] = {"got": got, "expected": expected}
    return wrong


def _wrong_dates(vectors: list[Vector]) -> dict[str, Any]:
    return _wrong([one for one in vectors if one.refused is None], _ours, "dates")


@pytest.mark.parametrize("vectors", _chunks(having="rule"))
def test_dates_are_those_published_or_differ_for_a_reason_that_is_told(vectors: list[Vector]) -> None:
    assert _wrong_dates(vectors) == {}


@pytest.mark.parametrize("vectors", _chunks(having="rule_alone"))
def test_a_rule_that_does_not_name_its_start_has_by_itself_the_dates_published(vectors: list[Vector]) -> None:
    assert _wrong(vectors, _of_the_rule_alone, "rule_alone") == {}


@pytest.mark.parametrize("vectors", _chunks(having="instants"))
def test_dates_are_due_at_the_instants_published(vectors: list[Vector]) -> None:
    assert _wrong(vectors, _instants, "instants") == {}


def test_what_is_refused_is_refused_with_its_part() -> None:
    refused = {one.name: one for vectors in SETS.values() for one in vectors if one.refused is not None}

    parts = {name: _refused_part(one) for name, one in refused.items()}

    assert parts == {name: one.refused for name, one in refused.items()}


def test_what_differs_says_which_section_has_it_so_and_what_others_have_instead() -> None:
    differing = [one for vectors in SETS.values() for one in vectors if one.differs]

    assert [one.name for one in differing if not re.search(r"RFC \d{4} section \d", one.differs)] == []
    assert [one.name for one in differing if (one.rule_alone or one.published) == one.dates] == []


def _equivalent() -> list[Any]:
    groups = json.loads((_SETS / "lib_recur.json").read_text())["equivalent"]
    return [pytest.param(one["start"], one["rules"], id=one["name"]) for one in groups]


@pytest.mark.parametrize(("start", "texts"), _equivalent())
def test_rules_that_say_the_same_name_the_same_dates(start: str, texts: list[str]) -> None:
    wall = parse_wall(start)

    named = [_first(expansion.expand(rules.parse(text), start=wall), _SKETCH) for text in texts]

    assert len(named[0]) == _SKETCH
    assert named == [named[0]] * len(texts)


@pytest.mark.parametrize("vectors", _chunks(having="dates"))
def test_looking_from_any_date_on_finds_the_rest(vectors: list[Vector]) -> None:
    middles = [
        replace(one, after=one.dates[len(one.dates) // 2], dates=one.dates[len(one.dates) // 2 + 1 :])
        for one in vectors
    ]

    assert _wrong_dates(middles) == {}


def test_a_date_too_many_too_few_or_another_is_noticed() -> None:
    """The control: what is wrong by one date does not pass."""
    right = next(one for one in SETS["rfc5545"] if one.name == "Daily for 10 occurrences")
    wrong = {
        "too few": replace(right, name="too few", dates=right.dates[:-1]),
        "too many": replace(right, name="too many", dates=(*right.dates, "19970912T090000")),
        "another": replace(right, name="another", dates=(*right.dates[:-1], "19970912T090000")),
    }

    noticed = _wrong_dates([right, *wrong.values()])

    assert [name.partition(":")[0] for name in noticed] == ["too few", "too many", "another"]


def _counts(vectors: list[Vector]) -> tuple[str, ...]:
    alone = sum(one.rule_alone is not None for one in vectors)
    other = sum(bool(one.differs) and one.rule_alone is None and one.refused is None for one in vectors)
    refused = sum(one.refused is not None for one in vectors)
    return tuple(map(str, (len(vectors), alone, other, refused)))


def test_the_readme_counts_what_is_there() -> None:
    row = r"^\| `(\w+)\.json` .* \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$"

    rows = re.findall(row, _README.read_text(), re.MULTILINE)

    assert {name: tuple(counts) for name, *counts in rows} == {name: _counts(vectors) for name, vectors in SETS.items()}
