"""Which kinds of notification are told by which transports, for one person. Pure.

Invariant: what is kept is only what differs from what the transport does by itself, so that a default may change for
everybody who has not chosen.
"""

from collections.abc import Mapping
from typing import Any

from apps.notifications.exceptions import InvalidPreferences
from apps.notifications.kinds import Kind
from apps.notifications.transports import transports
from apps.notifications.transports.base import Transport

Switches = Mapping[str, Mapping[str, bool]]


def is_on(switches: Switches, *, kind: Kind | str, transport: Transport) -> bool:
    if kind in transport.always:
        return True
    default = kind in transport.on_by_default
    return bool(switches.get(str(kind), {}).get(transport.name, default))


def is_on_anywhere(switches: Switches, *, kind: Kind | str) -> bool:
    """Whether any transport tells of it."""
    return any(is_on(switches, kind=kind, transport=one) for one in transports().values())


def table(switches: Switches) -> dict[str, dict[str, bool]]:
    """Every kind with every transport there is."""
    return {
        kind.value: {name: is_on(switches, kind=kind, transport=one) for name, one in transports().items()}
        for kind in Kind
    }


def changed(switches: Switches, asked: Any) -> dict[str, dict[str, bool]]:
    """What is to be kept once `asked`, kinds and transports with true or false, is set on top of what there was.

    Raises `InvalidPreferences` naming the switch.
    """
    wanted = table(switches)
    for kind, by_transport in _mapping(asked, field="switches", example='{"overdue": {"email": true}}').items():
        _check_known(kind, wanted, field=f"switches.{kind}", what="kind of notification")
        field = f"switches.{kind}"
        for name, on in _mapping(by_transport, field=field, example='{"email": true}').items():
            _check_known(name, transports(), field=f"{field}.{name}", what="transport")
            _check_switch(on, kind=kind, transport=transports()[name])
            wanted[kind][name] = on
    return _only_differences(wanted)


def _only_differences(wanted: Mapping[str, Mapping[str, bool]]) -> dict[str, dict[str, bool]]:
    default = table({})
    differing = {
        kind: {name: on for name, on in by_transport.items() if on != default[kind][name]}
        for kind, by_transport in wanted.items()
    }
    return {kind: by_transport for kind, by_transport in differing.items() if by_transport}


def _mapping(given: Any, *, field: str, example: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidPreferences(field=field, reason=f"Write switches as {example}.")
    return given


def _check_known(name: str, known: Mapping[str, Any], *, field: str, what: str) -> None:
    if name not in known:
        raise InvalidPreferences(field=field, reason=f"There is no such {what}; there are: {', '.join(known)}.")


def _check_switch(on: Any, *, kind: str, transport: Transport) -> None:
    field = f"switches.{kind}.{transport.name}"
    if not isinstance(on, bool):
        raise InvalidPreferences(field=field, reason="A switch is true or false.")
    if not on and kind in transport.always:
        reason = f"What the platform has to tell you of its own ({kind}) always comes {transport.label}."
        raise InvalidPreferences(field=field, reason=reason)
