"""Which consumer group applies which types of event, and by what function.

Invariant: every group and subscription is declared at import, in `<app>/subscribers.py`; `manage.py
list_subscriptions` prints them all and a test pins the list.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload
from uuid import UUID

from apps.events import event_types
from apps.events.brokers.base import Record
from apps.events.envelope import Envelope
from apps.events.event_types import EventType

Subscriber = Callable[[Envelope], None]
Condition = Callable[[Envelope], bool]
BatchSubscriber = Callable[[Sequence[Envelope]], None]

EVERY_FACT = "*"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that is no event of ours: the id that stands for its place and content, and why it cannot be read."""

    stands_for: UUID
    record: Record
    reason: str


UnreadableSubscriber = Callable[[Sequence[Unreadable]], None]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A function of a group, and the types it wants; none named means every fact, also of unknown types.

    A snapshot is no fact: a group of every fact may name it besides, for another function. Of an event that does not
    meet the condition `when` the function has nothing to do, and is not called.
    """

    types: tuple[EventType, ...]
    function: Subscriber | BatchSubscriber
    batch: bool
    when: Condition | None = None

    def wants(self, event_type: str) -> bool:
        if self.types:
            return any(wanted.name == event_type for wanted in self.types)
        known = event_types.find(event_type)
        return not (known and known.snapshot)

    def acts_on(self, event: Envelope) -> bool:
        return self.wants(event.type) and (self.when is None or self.when(event))


class ConsumerGroup:
    """A named reader of the log; its name is an app's label.

    `parks`: events that fail for good are set aside as dead letters; a group that may not leave one out
    (audit) tries for ever instead. `one_by_one`: a transaction per event that has an effect, for a group whose effects
    lock rows that people wait for.
    """

    def __init__(self, name: str, *, parks: bool = True, one_by_one: bool = False) -> None:
        if name in _groups:
            raise ValueError(f"The consumer group {name} is declared twice.")
        self.name = name
        self.parks = parks
        self.one_by_one = one_by_one
        self.subscriptions: list[Subscription] = []
        self.unreadable: UnreadableSubscriber | None = None
        _groups[name] = self

    def on(self, *types: EventType, when: Condition | None = None) -> Callable[[Subscriber], Subscriber]:
        """Subscribe a function of one event, called when it meets the condition.

        The condition is asked of the event alone, and must always say the same of it. Raises `ValueError` when no type
        is named.
        """
        if not types:
            raise ValueError("Name the event types to subscribe to.")

        def subscribe(function: Subscriber) -> Subscriber:
            self.subscriptions.append(Subscription(types, function, batch=False, when=when))
            return function

        return subscribe

    @overload
    def on_batch(self, every_fact: str, /) -> Callable[[BatchSubscriber], BatchSubscriber]: ...
    @overload
    def on_batch(self, *types: EventType) -> Callable[[BatchSubscriber], BatchSubscriber]: ...
    def on_batch(self, *types: EventType | str) -> Callable[[BatchSubscriber], BatchSubscriber]:
        """Subscribe a function of a batch of events, in order; `"*"` for every fact there is and will be."""
        named = tuple(each for each in types if isinstance(each, EventType))
        if len(named) != len(types) and types != (EVERY_FACT,):
            raise ValueError(f"{types} are no event types; name declared ones, or {EVERY_FACT!r} alone.")
        if not types:
            raise ValueError("Name the event types to subscribe to.")

        def subscribe(function: BatchSubscriber) -> BatchSubscriber:
            self.subscriptions.append(Subscription(named, function, batch=True))
            return function

        return subscribe

    def on_unreadable(self, function: UnreadableSubscriber) -> UnreadableSubscriber:
        """Give records that are no event of ours to a function, instead of counting and skipping them."""
        self.unreadable = function
        return function

    def wants(self, event_type: str) -> bool:
        return any(subscription.wants(event_type) for subscription in self.subscriptions)

    def acts_on(self, event: Envelope) -> bool:
        """Whether the event has an effect, as far as can be told from it alone."""
        return any(subscription.acts_on(event) for subscription in self.subscriptions)

    @property
    def takes_every_fact(self) -> bool:
        return any(not subscription.types for subscription in self.subscriptions)

    def types(self) -> list[EventType]:
        """The declared types this group handles, by name."""
        return [event_type for event_type in event_types.declared() if self.wants(event_type.name)]

    def topics(self) -> list[str]:
        return sorted({event_type.topic for event_type in self.types()})


_groups: dict[str, ConsumerGroup] = {}


def groups() -> list[ConsumerGroup]:
    return sorted(_groups.values(), key=lambda group: group.name)


def group_named(name: str) -> ConsumerGroup:
    """Raises `LookupError` naming the groups there are."""
    if name not in _groups:
        raise LookupError(f"There is no consumer group {name!r}; there are: {', '.join(sorted(_groups))}.")
    return _groups[name]
