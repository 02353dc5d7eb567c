"""Tells whether a schema may replace a published one: whoever could read the old events and wrote by the old
schema must not notice.

Accepted: new optional properties, new words of description. Refused: everything else.
"""

from collections.abc import Iterator
from typing import Any

_WORDS = {"title", "description", "$id", "$schema", "examples", "$comment"}
_CHECKED = {"properties", "required", "enum", "type"}


def differences(published: Any, now: Any, *, where: str = "data") -> Iterator[str]:
    """What breaks, in words; nothing when the change is compatible."""
    if not isinstance(published, dict) or not isinstance(now, dict):
        if published != now:
            yield f"{where}: was {published!r}, is {now!r}."
        return
    yield from _properties(published.get("properties", {}), now.get("properties", {}), where)
    yield from _required(published, now, where)
    for rule in ("enum", "type"):
        if _as_set(published.get(rule)) != _as_set(now.get(rule)):
            yield f"{where}: {rule} was {published.get(rule)!r}, is {now.get(rule)!r}."
    for rule in sorted((set(published) | set(now)) - _WORDS - _CHECKED):
        if rule not in published or rule not in now:
            yield f"{where}: the rule {rule} was {'added' if rule in now else 'removed'}."
        else:
            yield from differences(published[rule], now[rule], where=f"{where}/{rule}")


def _properties(published: dict[str, Any], now: dict[str, Any], where: str) -> Iterator[str]:
    for name, rules in published.items():
        if name not in now:
            yield f"{where}/{name}: was removed or renamed."
        else:
            yield from differences(rules, now[name], where=f"{where}/{name}")


def _required(published: dict[str, Any], now: dict[str, Any], where: str) -> Iterator[str]:
    before, after = set(published.get("required", [])), set(now.get("required", []))
    for name in sorted(after - before):
        yield f"{where}/{name}: is newly required."
    for name in sorted(before - after):
        yield f"{where}/{name}: is no longer required."


def _as_set(value: Any) -> Any:
    return frozenset(map(repr, value)) if isinstance(value, list) else value
