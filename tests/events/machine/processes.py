"""What the relays and the groups' members do, and what becomes of them."""

from functools import partial
from uuid import UUID

from django.db import connection
from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition

from apps.events import held, reconcile, replay
from apps.events.errors import BrokerFailed, GroupBehind, GroupStopped, LostLeadership, NotHeld, ReplayTooOld
from apps.events.models import Event, OutboxEntry
from tests.events.machine.fates import LIVES, Ending, Fate, Killed
from tests.events.machine.kafka import TAKES_ALL, Taking
from tests.events.machine.platform import AWAY, Platform, fate_at, happens, which, who
from tests.events.machine.steps import Member, new_relay, relay_step

REST = ("refused", "fatal")
RELAYING = ("relay.selected", "relay.produced", "relay.deleted")
HANDLING = (
    *("handling.before_commit", "handling.after_commit", "consumer.before_store", "machine.effect"),
    *("audit.heads_read", "machine.before_repair"),
)

group_number = st.integers(0, 2)
batch = st.sampled_from([1, 2, 3, 5, 100])


class Processes(Platform):
    @happens(number=who, size=batch, fate=fate_at(RELAYING))
    def relay(self, number: int, size: int = 100, fate: Fate = LIVES) -> None:
        relay = self.relays[number]
        if not self._is_frozen(relay):
            with override_settings(RELAY_BATCH_SIZE=size):
                self._act(partial(relay_step, relay), fate, partial(self._relayed, number), busy=relay)

    @happens(number=who, written=st.integers(0, 6), acknowledged=st.integers(0, 6), then=st.sampled_from(["", *REST]))
    def relay_to_a_kafka_that_takes_a_part(self, number: int, written: int, acknowledged: int, then: str) -> None:
        if not self._is_frozen(self.relays[number]):
            self.world.broker.taking = Taking(written, acknowledged, **dict.fromkeys([then] if then else [], True))
            self.relay(number)
            self.world.broker.taking = TAKES_ALL

    @precondition(lambda self: self.seen.held)
    @happens(fate=fate_at(("handling.before_commit", "handling.after_commit")))
    def give_up_what_is_held(self, fate: Fate = LIVES) -> None:
        """Whoever gives it up hands it to the groups from the log."""
        entry = OutboxEntry.objects.filter(held_at__isnull=False).order_by("pk").first()
        if entry is not None:
            step = partial(
                held.give_up, entry.pk, broker=self.world.broker, patience_seconds=0, report=lambda told: None
            )
            self._act(step, fate, partial(self._given_up, entry.event.event_id))

    def _given_up(self, event_id: UUID, ending: Ending) -> None:
        self._expect(ending, NotHeld, GroupBehind, GroupStopped, BrokerFailed, Killed, *AWAY)
        if ending.error is None:
            self.world.broker.ever.add(str(event_id))

    def _relayed(self, number: int, ending: Ending) -> None:
        self._expect(ending, LostLeadership, BrokerFailed, Killed, *AWAY)
        if ending.error is not None:
            self.relays[number].close()
            connection.close()
            self.relays[number] = new_relay(self.world.broker, key=self.lock)

    @precondition(lambda self: any(relay.leadership.session for relay in self.relays))
    @happens()
    def lose_leadership(self) -> None:
        """PostgreSQL ends the leader's session; the relay does not know."""
        for session in [relay.leadership.session for relay in self.relays]:
            if session is not None and not session.closed and not session.broken:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [session.info.backend_pid])

    @happens(group=group_number, number=who, size=batch, patience=st.integers(1, 3), first=who, fate=fate_at(HANDLING))
    def consume(
        self, group: int, number: int = 0, size: int = 100, patience: int = 1, first: int = 0, fate: Fate = LIVES
    ) -> None:
        member = self._member(group, number)
        if member is None or self._is_frozen(member):
            return
        member.consumer.first = first
        with override_settings(CONSUMER_BATCH_SIZE=size):
            step = partial(member.step, size, patience=patience)
            self._act(step, fate, partial(self._consumed, group, member), busy=member)

    def go_on(self, what: str) -> None:
        if what in {"thaw", "all"} and self.frozen:
            _, step, then = self.frozen.pop(0)
            then(step.go_on())
        self.world.broker.away = self.world.broker.away and what != "all"
        for number in (0, 1):
            if what in {"relay", "all"}:
                self.relay(number)
        for group in range(len(self.world.groups)):
            for _ in range(3):
                if what in {"consume", "all"}:
                    self.consume(group)

    @happens(what=st.sampled_from(["read", "fence", "leave"]), group=group_number, number=who)
    def change_a_member(self, what: str, group: int, number: int) -> None:
        getattr(self, what)(group, number)

    def read(self, group: int, number: int) -> None:
        """And have it in hand, while others do what they do."""
        member = self._member(group, number)
        if member is not None and not self._is_frozen(member):
            member.read(3)

    def fence(self, group: int, number: int) -> None:
        """The group gives a member up that it has not heard of; it goes on as if nothing was."""
        if number < len(self.members[group]):
            member = self.members[group][number]
            offsets = dict(member.consumer.offsets)
            member.consumer.close()
            member.consumer.fenced, member.consumer.offsets = True, offsets

    def leave(self, group: int, number: int) -> None:
        if number < len(self.members[group]) and not self._is_frozen(self.members[group][number]):
            self._remove(group, self.members[group][number])

    def _member(self, group: int, number: int) -> Member | None:
        members = self.members[group]
        if number >= len(members):
            try:
                members.append(Member(self.world.groups[group], self.world.broker))
            except GroupStopped:
                return None
        return members[min(number, len(members) - 1)]

    def _consumed(self, group: int, member: Member, ending: Ending) -> None:
        self._expect(ending, GroupStopped, BrokerFailed, Killed, *AWAY)
        if ending.error is not None or member.consumer.stop.is_set() or member.consumer.fenced:
            self._remove(group, member)

    def _remove(self, group: int, member: Member) -> None:
        member.consumer.close()
        if member in self.members[group]:
            self.members[group].remove(member)

    @happens(group=group_number, back=st.sampled_from([1, 2, 3, 1000]), partition=who)
    def deliver_again(self, group: int, back: int, partition: int) -> None:
        """As after a death before the offsets were made known; its members start where the group now stands."""
        for topic in self.world.groups[group].topics():
            place = (self.world.groups[group].name, topic, partition)
            self.world.broker.stored[place] = max(0, self.world.broker.stored[place] - back)
        for member in list(self.members[group]):
            if not self._is_frozen(member):
                self._remove(group, member)

    @happens(group=group_number, size=batch, fate=fate_at(HANDLING))
    def reconcile(self, group: int, size: int = 100, fate: Fate = LIVES) -> None:
        with override_settings(CONSUMER_BATCH_SIZE=size):
            step = partial(reconcile.run, self.world.groups[group], broker=self.world.broker, laps=self.laps)
            self._act(step, fate, lambda ending: self._expect(ending, GroupStopped, Killed, *AWAY))

    @happens(group=group_number, first=which, length=which, fate=fate_at(HANDLING))
    def replay_events(self, group: int, first: int, length: int = 7, fate: Fate = LIVES) -> None:
        positions = list(Event.objects.order_by("position").values_list("position", flat=True))
        if positions:
            begin = positions[-1 - first % len(positions)]
            step = partial(self._replay, group, begin, begin + length)
            self._act(step, fate, self._replayed)

    def _replay(self, group: int, first: int, last: int) -> None:
        chosen, broker = self.world.groups[group], self.world.broker
        events = replay.select(chosen, since=None, first=first, last=last)
        replay.wait_until_caught_up(chosen, broker=broker, patience_seconds=0, report=lambda told: None)
        replay.feed(chosen, events, report=lambda fed: None)

    def _replayed(self, ending: Ending) -> None:
        self._expect(ending, GroupStopped, GroupBehind, ReplayTooOld, BrokerFailed, Killed, *AWAY)
