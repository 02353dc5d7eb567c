"""By which transports people may be told of something, as things are now."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from apps.accounts.models import User
from apps.notifications.choices import switches
from apps.notifications.choices.choosing import Way
from apps.notifications.models import Preferences
from apps.notifications.selectors.preferences import of
from apps.notifications.transports import transports
from apps.notifications.transports.base import Destination


@dataclass(frozen=True, slots=True)
class Reach:
    """Some people with their preferences, and where each transport reaches them."""

    preferences: Mapping[UUID, Preferences]
    destinations: Mapping[str, Mapping[UUID, list[Destination]]]

    def ways(self, owner_id: UUID, *, kind: str) -> list[Way]:
        """Every transport, as it may tell this person of this kind."""
        kept = self.preferences[owner_id].switches
        return [
            Way(
                transport=name,
                label=transport.label,
                at_once=transport.at_once,
                switched_on=switches.is_on(kept, kind=kind, transport=transport),
                on_by_default=kind in transport.on_by_default,
                destinations=self.destinations[name].get(owner_id, []),
                nowhere=transport.nowhere(),
            )
            for name, transport in transports().items()
        ]


def reach_of(people: Collection[User]) -> Reach:
    """One query for preferences, and those of each transport."""
    return Reach(
        preferences=of([one.pk for one in people]),
        destinations={name: transport.destinations(people) for name, transport in transports().items()},
    )
