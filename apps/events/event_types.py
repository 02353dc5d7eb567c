"""Every type of event, where it travels and what its data must look like.

Invariant: a type is declared once, has a JSON Schema in `schemas/`, and never changes incompatibly: a new
shape is a new version. Producers are held to the schema exactly; consumers let unknown fields pass, so that
a newer producer may add optional ones.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from apps.events.errors import InvalidEvent

SNAPSHOT_MARK = ".snapshot.v"
# The one fact on which the core itself acts: nothing that this person wrote is kept any more.
ERASING_TYPE = "account.erased.v1"
SCHEMA_DIR = Path(__file__).parent / "schemas"


@dataclass(frozen=True, slots=True)
class EventType:
    """A versioned kind of fact. `snapshot` marks what is no fact but the state it led to: not audited.

    A snapshot's name says that it is one, `….snapshot.v…`: the database lets it go sooner by that.
    """

    name: str
    topic: str
    snapshot: bool = False

    def __str__(self) -> str:
        return self.name


_declared: dict[str, EventType] = {}


def declare(name: str, *, topic: str, snapshot: bool = False) -> EventType:
    """Make a type known. Raises `ValueError` when the name is taken, or says of a fact that it is a snapshot."""
    if snapshot != (SNAPSHOT_MARK in name):
        raise ValueError(f"Snapshots, and only they, have {SNAPSHOT_MARK!r} in their name, unlike {name}.")
    if name in _declared:
        raise ValueError(f"The event type {name} is declared twice.")
    _declared[name] = EventType(name, topic, snapshot)
    return _declared[name]


def find(name: str) -> EventType | None:
    return _declared.get(name)


def declared() -> list[EventType]:
    """All types, by name."""
    return sorted(_declared.values(), key=lambda event_type: event_type.name)


def topics() -> list[str]:
    """All topics that some declared type travels on."""
    return sorted({event_type.topic for event_type in _declared.values()})


@cache
def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a type's data. Raises `FileNotFoundError` when there is none."""
    loaded: dict[str, Any] = json.loads((SCHEMA_DIR / f"{name}.json").read_text())
    return loaded


def _open(node: Any) -> Any:
    """The same schema with unknown fields allowed, at every depth."""
    if isinstance(node, dict):
        return {
            key: _open(value) for key, value in node.items() if not (key == "additionalProperties" and value is False)
        }
    return [_open(item) for item in node] if isinstance(node, list) else node


@cache
def _validator(name: str, exact: bool) -> jsonschema_rs.Validator:
    rules = schema(name) if exact else _open(schema(name))
    return jsonschema_rs.validator_for(rules, validate_formats=True)


def check_data(name: str, data: Any, *, exact: bool) -> None:
    """Hold data to the schema of its type. Raises `InvalidEvent` naming the first field that is wrong."""
    validator = _validator(name, exact)
    if not validator.is_valid(data):
        error = next(validator.iter_errors(data))
        where = "/".join(str(part) for part in error.instance_path) or "data"
        raise InvalidEvent(name, f"{where}: {error.message[:300]}")
