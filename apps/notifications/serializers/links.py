"""How addresses beside a thing are described in the API's documentation."""

from typing import Any

ADDRESS = {"type": "string", "format": "uri"}
ADDRESS_OR_NULL = {"type": ["string", "null"], "format": "uri"}


def links(*names: str, maybe: tuple[str, ...] = ()) -> dict[str, Any]:
    """The schema of an object of addresses; those of `maybe` may be null."""
    properties: dict[str, Any] = dict.fromkeys(names, ADDRESS) | dict.fromkeys(maybe, ADDRESS_OR_NULL)
    return {"type": "object", "required": list(properties), "properties": properties}
