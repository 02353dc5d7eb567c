"""The platform between two steps, and how a step is made: it lives, dies, fails or freezes.

Invariant: whatever the steps were, at the end all is healed, drained, and held against every promise.
"""

import os
import sys
from collections.abc import Callable
from functools import partial, wraps
from itertools import count
from typing import Any

from django.db import InterfaceError, OperationalError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from apps.events import dead_letters, erasure, reconcile
from apps.events.errors import DeadLetterNotParked, Transient
from apps.events.missing import Laps
from apps.events.models import DeadLetter, OutboxEntry
from apps.events.subscriptions import ConsumerGroup
from tests.events.machine import promises
from tests.events.machine.fates import LIVES, Ending, Fate, Frozen, ending_of
from tests.events.machine.promises import Seen
from tests.events.machine.steps import Member, new_relay, relay_step
from tests.events.machine.world import World

_leader_locks = count(9_500_000_000 + os.getpid() * 1_000_000)
AWAY = (OperationalError, InterfaceError, Transient)
# So many steps stand still at a time.
MOST_FROZEN = 3

# Which of the things there are; which of two.
which = st.integers(0, 7)
who = st.integers(0, 1)


def fate_at(points: tuple[str, ...], *actions: str) -> st.SearchStrategy[Fate]:
    """Most steps live."""
    meets = st.builds(
        Fate, st.sampled_from(points), st.sampled_from(actions or ("dies", "fails", "freezes", "freezes"))
    )
    return st.one_of(st.just(LIVES), st.just(LIVES), meets)


def happens(**arguments: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule after which the relays and groups may go on: most steps mean something only when others follow."""

    def decorate(step: Callable[..., None]) -> Any:
        @rule(**arguments, afterwards=st.sampled_from(["", "relay", "consume", "thaw", "all", "all"]))
        @wraps(step)
        def both(self: "Platform", *given: Any, afterwards: str = "", **named: Any) -> None:
            step(self, *given, **named)
            if afterwards:
                self.promises_hold()
                self.go_on(afterwards)

        return both

    return decorate


class Platform(RuleBasedStateMachine):
    """`relays` and `members` are the processes there are; `frozen` the steps that stand still in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.lock = next(_leader_locks)
        self.relays = [new_relay(self.world.broker, key=self.lock) for _ in range(2)]
        self.members: list[list[Member]] = [[], [], []]
        self.laps = Laps()
        self.frozen: list[tuple[object, Frozen, Callable[[Ending], None]]] = []

    def go_on(self, what: str) -> None:
        """Let the relays relay, the groups consume, what stands still go on; or all of it, with Kafka there."""
        raise NotImplementedError

    def _act(self, step: Callable[[], Any], fate: Fate, then: Callable[[Ending], None], *, busy: object = None) -> None:
        if fate.action != "freezes" or len(self.frozen) == MOST_FROZEN:
            then(ending_of(step, fate if fate.action != "freezes" else LIVES))
            return
        frozen = Frozen(step, fate)
        if frozen.start():
            self.frozen.append((busy, frozen, then))
        else:
            assert frozen.ending is not None
            then(frozen.ending)

    def _expect(self, ending: Ending, *errors: type[BaseException]) -> None:
        if ending.error is not None and not isinstance(ending.error, errors):
            raise ending.error

    def _is_frozen(self, thing: object) -> bool:
        return any(busy is thing for busy, _, _ in self.frozen)

    @invariant()
    def promises_hold(self) -> None:
        self.seen = promises.hold(self.world, promises.AFTER_EACH_STEP)

    # -- the end

    def teardown(self) -> None:
        """When all went well: heal everything, drain it, and hold it against all promises."""
        failed = sys.exc_info()[0] is not None
        try:
            if not failed:
                self.heal()
                promises.hold(self.world, promises.WHEN_HEALED)
        finally:
            for _, step, _ in self.frozen:
                step.die()
            for relay in self.relays:
                relay.close()
            self.world.close()

    def heal(self) -> None:
        while self.frozen:
            _, step, then = self.frozen.pop(0)
            then(step.go_on())
        self.world.heal()
        for member in [member for members in self.members for member in members]:
            member.consumer.close()
        for _ in range(20):
            if not self._moves():
                return
        raise promises.Broken("healed, and yet it does not come to rest")

    def _moves(self) -> bool:
        """Everybody does what there is to do; whether there was anything."""
        before = self._state()
        for letter in DeadLetter.objects.filter(status="parked").order_by("pk"):
            self._expect(ending_of(partial(dead_letters.replay, letter.pk), LIVES), DeadLetterNotParked)
        while OutboxEntry.objects.exists():
            for relay in self.relays:
                relay_step(relay)
        for group in self.world.groups:
            self._drain(group)
            repair = reconcile.run(group, broker=self.world.broker)
            if not repair.settled:
                raise promises.Broken(f"{group.name} does not settle: {repair.reason}")
        erasure.erase_unfinished()
        return self._state() != before

    def _drain(self, group: ConsumerGroup) -> None:
        member = Member(group, self.world.broker)
        while member.step(100, patience=1000) or member.runner.doubts_cluster:
            if member.consumer.stop.is_set():
                raise promises.Broken(f"{group.name} is healed and cannot handle")
        member.consumer.close()

    def _state(self) -> tuple[object, ...]:
        seen = Seen(self.world)
        counts = {group: len(handled) for group, handled in seen.handled.items()}
        letters = [(letter.pk, letter.status) for letter in seen.letters]
        return counts, letters, len(seen.log), dict(self.world.broker.stored)
