"""What a record must have and may hold to be an event that every group can keep.

Invariant: what passes here is the same event at every reading, and PostgreSQL can store its data.
"""

import json
from collections.abc import Mapping
from typing import Any

from apps.events.errors import UnreadableRecord

MAX_DEPTH = 100


def check_headers(headers: Mapping[str, bytes]) -> None:
    """What the SDK would make up where it is missing: a new id at each reading is a new event each time."""
    names = {name.lower() for name in headers}
    if missing := [name for name in ("ce_specversion", "ce_id", "ce_time") if name not in names]:
        raise UnreadableRecord(f"The record has no header {missing[0]}.")


def check_storable(data: Mapping[str, Any]) -> None:
    """JSON that Python reads and PostgreSQL's jsonb refuses: NUL, lone surrogates, numbers without end; and
    nesting so deep that whoever writes it, further down the stack, fails.
    """
    text = json.dumps(data, allow_nan=False, ensure_ascii=False)
    text.encode()
    if "\\u0000" in text or text.count("{") + text.count("[") > MAX_DEPTH:
        _check_values(data, depth=1)


def _check_values(value: Any, *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise UnreadableRecord(f"The data is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str) and "\0" in value:
        raise UnreadableRecord("The data holds a NUL character.")
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for item in value:
            _check_values(item, depth=depth + 1)
