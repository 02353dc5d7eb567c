"""What the audit group takes from the log: everything, and leaves nothing out."""

from collections.abc import Sequence

from apps.audit import erasing, services
from apps.events.envelope import Envelope
from apps.events.event_types import ERASING_TYPE
from apps.events.subscriptions import EVERY_FACT, ConsumerGroup, Unreadable

group = ConsumerGroup("audit", parks=False)


@group.on_batch(EVERY_FACT)
def record_entries(events: Sequence[Envelope]) -> None:
    services.append_records(events)
    # However much they wrote, the group goes on: the sweep lets go of the rest.
    erasing.erase_some_contents([event.subject_id for event in events if event.type == ERASING_TYPE])


@group.on_unreadable
def record_unreadable(found: Sequence[Unreadable]) -> None:
    services.append_unreadable(found)
