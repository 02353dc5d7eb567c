"""What can go wrong in the event core, named by what happened."""

from uuid import UUID


class OutsideTransaction(RuntimeError):
    """An event was appended outside a transaction: it could be kept while its change is not."""

    def __init__(self, event_type: str) -> None:
        super().__init__(f"{event_type} must be appended inside the transaction of the change it tells of.")


class InvalidEvent(ValueError):
    """An event's data does not match the schema of its type."""

    def __init__(self, event_type: str, reason: str) -> None:
        super().__init__(f"{event_type}: {reason}")
        self.event_type = event_type
        self.reason = reason


class EventTooLarge(ValueError):
    """An event would not fit through Kafka. Sizes in bytes."""

    def __init__(self, event_type: str, *, size: int, limit: int) -> None:
        super().__init__(f"{event_type} would take {size:,} bytes; an event may have {limit:,}.")
        self.size = size
        self.limit = limit


class UnreadableRecord(ValueError):
    """A Kafka record is not one of our events: not a CloudEvent, not JSON, or not what its type promises."""


class PoisonEvent(Exception):
    """A handler says: this event can never be handled. It is parked at once, without another attempt."""


class Transient(Exception):
    """This may heal by itself: roll back, wait, try again."""


class GroupStopped(RuntimeError):
    """A group parked too many events in a row; the fault is in the group, so it stops taking more."""

    def __init__(self, group: str, *, parked: int) -> None:
        super().__init__(
            f"Group {group} parked {parked} events in a row without handling one, and stops. "
            f"Mend the cause, then replay them: `manage.py dead_letters replay --group {group}`, or discard one."
        )


class CouldNotLook(Exception):
    """What is needed to answer does not answer or is not set; nothing is known to be wrong because of it."""


class NoSuchEvent(LookupError):
    """An outbox entry points at no event."""

    def __init__(self, position: int) -> None:
        super().__init__(f"The log has no event at position {position}.")


class NotHeld(ValueError):
    """What was to be given up is not the first that is held of its key."""

    def __init__(self, position: int, *, why: str) -> None:
        super().__init__(f"The entry at position {position} cannot be given up: {why}.")


class LostLeadership(RuntimeError):
    """Another relay may be the active one now; this one must not produce or delete."""


class BrokerFailed(RuntimeError):
    """The Kafka client reports a failure it cannot recover from: the process must start afresh."""


class TopicMissing(BrokerFailed):
    """Kafka answers, and one of our topics is not there."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"Kafka has no topic {topic}")


class ReplayTooOld(ValueError):
    """A replay would reach events whose handling is no longer remembered, and so would repeat their effects."""


class GroupBehind(RuntimeError):
    """A replay would let events overtake older ones that the group has yet to handle."""

    def __init__(self, group: str, *, behind: str) -> None:
        super().__init__(
            f"Nothing was fed: {behind}, and an event fed now could overtake an older one. "
            f"See that the relay and the worker of {group} run (`manage.py status`), then try again."
        )


class EventErased(ValueError):
    """The event is hollow since its owner was erased: nobody is given it any more."""

    def __init__(self, event_id: UUID) -> None:
        super().__init__(f"Event {event_id} was erased with its owner.")


class DeadLetterNotParked(ValueError):
    """A dead letter was already replayed or discarded."""

    def __init__(self, letter_id: int, *, event_id: UUID, status: str) -> None:
        super().__init__(f"Dead letter {letter_id} (event {event_id}) is {status}, not parked.")
