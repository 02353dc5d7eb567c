"""The transports there are: one module each in this folder."""

import pkgutil
from functools import cache
from importlib import import_module

from apps.notifications.transports.base import MOST_SECONDS, Transport

_NOT_TRANSPORTS = {"base"}


@cache
def transports() -> dict[str, Transport]:
    """By name, those told at once first. Raises `ValueError` for one that asks for more time than there is."""
    found = [cls() for module in pkgutil.iter_modules(__path__) for cls in _of(module.name)]
    for one in found:
        if not 0 < one.seconds <= MOST_SECONDS:
            raise ValueError(f"An attempt of {one.name} may take {MOST_SECONDS:g} s, not {one.seconds:g}.")
    return {one.name: one for one in sorted(found, key=lambda one: (not one.at_once, one.name))}


def _of(name: str) -> list[type[Transport]]:
    if name in _NOT_TRANSPORTS:
        return []
    module = import_module(f"{__name__}.{name}")
    classes = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Transport)]
    return [cls for cls in classes if cls.__module__ == module.__name__]


def transport_named(name: str) -> Transport:
    """Raises `LookupError` naming those there are."""
    if name not in transports():
        raise LookupError(f"There is no transport {name!r}; there are: {', '.join(transports())}.")
    return transports()[name]
