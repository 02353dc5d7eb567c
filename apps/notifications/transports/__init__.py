"""The transports there are: one module each in this folder."""

import pkgutil
from functools import cache
from importlib import import_module

from apps.notifications.transports.base import Transport

_NOT_TRANSPORTS = {"base"}


@cache
def transports() -> dict[str, Transport]:
    """By name, those told at once first."""
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _NOT_TRANSPORTS:
            import_module(f"{__name__}.{module.name}")
    found = [cls() for cls in Transport.__subclasses__()]
    return {one.name: one for one in sorted(found, key=lambda one: (not one.at_once, one.name))}


def transport_named(name: str) -> Transport:
    """Raises `LookupError` naming those there are."""
    if name not in transports():
        raise LookupError(f"There is no transport {name!r}; there are: {', '.join(transports())}.")
    return transports()[name]
