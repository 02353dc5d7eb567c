"""What every transport is, and how it answers.

Invariant: a transport is one module in this folder with one subclass of `Transport`. What chooses, claims, sends and
explains asks it; only who keeps the addresses of one (webhooks, browsers, links in mails) names that one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from apps.accounts.models import User
from apps.notifications.kinds import Kind

if TYPE_CHECKING:
    from apps.notifications.models import Delivery, Notification


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a person is reached: `key` is empty for the person, else the id of an endpoint or subscription.

    `held`: what is for it is kept until it is there again.
    """

    key: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receiver has it. What was sent and answered is kept with the attempt, without secrets, in JSON."""

    request: Mapping[str, Any] = field(default_factory=dict)
    response: Mapping[str, Any] = field(default_factory=dict)


class NotSent(Exception):
    """What a sending ended with; `request` and `response` as in a receipt."""

    def __init__(
        self, reason: str, *, request: Mapping[str, Any] | None = None, response: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.request = dict(request or {})
        self.response = dict(response or {})


class TryAgain(NotSent):
    """It may work later: not before `after_seconds`, where the receiver said so."""

    def __init__(self, reason: str, *, after_seconds: float | None = None, **more: Any) -> None:
        super().__init__(reason, **more)
        self.after_seconds = after_seconds


class Refused(NotSent):
    """It will never work. `gone`: nor will anything else for this destination."""

    def __init__(self, reason: str, *, gone: bool = False, **more: Any) -> None:
        super().__init__(reason, **more)
        self.gone = gone


class Unreachable(Exception):
    """There is nowhere to send it, any more; the reason is told."""


MOST_SECONDS = 20.0


class Transport:
    """A way to tell people. One instance serves all; it keeps nothing of a delivery."""

    name: ClassVar[str]
    label: ClassVar[str]
    # The kinds it carries unless its owner switched that off.
    on_by_default: ClassVar[frozenset[Kind]] = frozenset()
    # Kinds that cannot be switched off.
    always: ClassVar[frozenset[Kind]] = frozenset()
    # The notification itself is the telling: no delivery goes out.
    at_once: ClassVar[bool] = False
    most_attempts: ClassVar[int] = 8
    # Of one attempt; at most `MOST_SECONDS`, since a job that sends ends in time.
    seconds: ClassVar[float] = 10.0
    # How many threads send at once.
    senders: ClassVar[int] = 8

    def destinations(self, owners: Collection[User]) -> dict[UUID, list[Destination]]:
        """Where each of these people is reached, in one query for all. Nobody named is reached nowhere."""
        raise NotImplementedError

    def nowhere(self) -> str:
        """What a person is told who is reached nowhere: why, and what to do."""
        raise NotImplementedError

    def held(self) -> str:
        """What a person is told all of whose destinations are held."""
        return "It is switched off: what is for it is kept until it is on again."

    def compose(
        self, delivery: "Delivery", *, owner: User, items: Sequence["Notification"], now: datetime
    ) -> dict[str, Any]:
        """What is sent, in JSON, the same in every attempt; `items` by the instants they are for."""
        raise NotImplementedError

    def reach(self, delivery: "Delivery", *, owner: User) -> Any:
        """What `send` needs to know beside the content: address, secrets. Raises `Unreachable`."""
        raise NotImplementedError

    def send(self, content: Mapping[str, Any], *, to: Any, key: UUID, attempt: int) -> Receipt:
        """One attempt, on a thread, without a database. Raises `TryAgain` and `Refused`; whatever else it raises is
        tried again.
        """
        raise NotImplementedError

    def is_off(self, delivery: "Delivery") -> bool:
        """Whether what is for its destination is kept until that is there again, asked of what would be given up."""
        return False

    def settled(self, delivery: "Delivery", *, outcome: Receipt | NotSent, now: datetime) -> None:
        """Keep books of the destination, inside the transaction that keeps the outcome."""
