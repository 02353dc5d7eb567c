"""A transport of the tests, whole in this one module. What its receivers do is told per destination."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.accounts.models import User
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, Notification
from apps.notifications.transports.base import Destination, NotSent, Receipt, Transport


class Post:
    """Who does what with a letter, and what came of it."""

    def __init__(self) -> None:
        self.doing: dict[str, Callable[[], Any]] = {}
        self.composed: list[UUID] = []
        self.settled: list[tuple[str, str]] = []
        self.came: list[tuple[float, str, UUID, int, Any]] = []
        self.at_once: defaultdict[str, int] = defaultdict(int)
        self.most_at_once: defaultdict[str, int] = defaultdict(int)
        self.lock = threading.Lock()
        self.addresses: list[Destination] = [Destination()]

    def keys(self) -> list[UUID]:
        return [key for _, _, key, _, _ in self.came]

    def when(self, destination: str) -> list[float]:
        return [instant for instant, to, *_ in self.came if to == destination]


post = Post()


class Letters(Transport):
    name = "letters"
    label = "by letter"
    on_by_default = frozenset({Kind.REMINDER, Kind.OVERDUE})
    seconds = 1.0
    most_attempts = 3

    def destinations(self, owners: Collection[User]) -> dict[UUID, list[Destination]]:
        return {owner.pk: list(post.addresses) for owner in owners if post.addresses}

    def nowhere(self) -> str:
        return "You have no letter box."

    def compose(
        self, delivery: Delivery, *, owner: User, items: Sequence[Notification], now: datetime
    ) -> dict[str, Any]:
        post.composed.append(delivery.pk)
        return {"dear": owner.username, "titles": [item.title for item in items]}

    def reach(self, delivery: Delivery, *, owner: User) -> str:
        return delivery.destination

    def send(self, content: Mapping[str, Any], *, to: str, key: UUID, attempt: int) -> Receipt:
        with post.lock:
            post.at_once[to] += 1
            post.most_at_once[to] = max(post.most_at_once[to], post.at_once[to])
            post.came.append((time.monotonic(), to, key, attempt, content))
        try:
            answer = post.doing.get(to, dict)()
        finally:
            with post.lock:
                post.at_once[to] -= 1
        return Receipt(request={"to": to, "authorization": "Bearer x"}, response={"said": answer or "thanks"})

    def settled(self, delivery: Delivery, *, outcome: Receipt | NotSent, now: datetime) -> None:
        post.settled.append((delivery.destination, type(outcome).__name__))
