"""What goes wrong around the platform: handlers, Kafka, garbage; and that time passes."""

from functools import partial
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from apps.events import dead_letters, erasure, retention
from apps.events.brokers.base import OutgoingRecord
from apps.events.envelope import encode
from apps.events.errors import DeadLetterNotParked, PoisonEvent
from apps.events.models import DeadLetter
from apps.tasks.models import Task
from tests.events.machine.fates import LIVES, Ending, Fate, Killed, ending_of
from tests.events.machine.platform import AWAY, Platform, fate_at, happens, which, who
from tests.events.machine.promises import Seen
from tests.events.machine.world import days_pass
from tests.support import factories


class Troubles(Platform):
    @happens(group=st.integers(1, 2), number=who, declared=st.booleans())
    def poison(self, group: int, number: int, declared: bool = False) -> None:
        """The group cannot handle what it is given next of one of the things that change most."""
        tasks = Task.objects.filter(owner=self.world.people[0]).order_by("created_at", "pk")[number : number + 1]
        name = self.world.groups[group].name
        self.world.poisonous[name] |= {task.pk for task in tasks}
        self.world.declared[name] = declared

    @happens(group=st.integers(1, 2), times=st.sampled_from([1, 2, 3, 1000]))
    def fail_for_a_while(self, group: int, times: int) -> None:
        """And then not any more; or with everything, for good, until it is mended."""
        name = self.world.groups[group].name
        self.world.broken[name] = times == 1000
        self.world.transient[name] = times % 1000

    @precondition(lambda self: self.world.is_ill)
    @happens(group=st.integers(1, 2))
    def mend_a_group(self, group: int) -> None:
        name = self.world.groups[group].name
        self.world.poisonous[name].clear()
        self.world.poisons[name].clear()
        self.world.broken[name] = False
        self.world.transient[name] = 0

    @precondition(lambda self: bool(self.seen.letters))
    @happens(number=which, discard=st.booleans(), fate=fate_at(("machine.effect", "machine.before_commit")))
    def decide_about_a_dead_letter(self, number: int, discard: bool, fate: Fate = LIVES) -> None:
        letters = sorted(DeadLetter.objects.all(), key=lambda letter: (letter.status != "parked", letter.pk))
        if letters:
            letter = letters[number % len(letters)]
            decide = dead_letters.discard if discard else dead_letters.replay
            self._act(partial(decide, letter.pk), fate, partial(self._decided, letter.group))

    def _decided(self, group: str, ending: Ending) -> None:
        if ending.error is not None:
            self.world.interrupted.add(group)
        self._expect(ending, DeadLetterNotParked, ValueError, PoisonEvent, Killed, *AWAY)

    @precondition(lambda self: bool(self.frozen))
    @happens(number=which, dies=st.booleans())
    def thaw(self, number: int, dies: bool = False) -> None:
        """What stands still in the middle goes on, or dies there."""
        if self.frozen:
            _, step, then = self.frozen.pop(number % len(self.frozen))
            then(step.die() if dies else step.go_on())

    @happens(what=st.sampled_from(["away", "there", "there", "another", "another", "task-events", "task-updates"]))
    def fail_kafka(self, what: str) -> None:
        """It is away, or another one stands in its place; or somebody makes a topic anew on the same cluster."""
        broker = self.world.broker
        if what in {"away", "there"}:
            broker.away = what == "away"
        elif what == "another":
            broker.start_anew()
        else:
            # What is in somebody's hands may yet be stored, by its place on the topic that was.
            holding = [group for group, members in zip(self.world.groups, self.members, strict=True) if members]
            self.world.misplaced |= {(group.name, what) for group in holding}
            broker.make_anew(what)
            self.world.lost_by_kafka = True

    @happens(kind=st.sampled_from(["no headers", "no json", "unknown type", "wrong data", "nul", "nothing"]), key=who)
    def garbage(self, kind: str, key: int) -> None:
        one = factories.event()
        good = encode(one)
        unknown = encode(factories.event(type="task.unheard.v9", data={"task": {}}))
        records = {
            "no headers": (b"\xff", b"\xfe", []),
            "no json": (good[0], b"{", [(n, v) for n, v in good[2] if n != "ce_id"]),
            "unknown type": unknown,
            "wrong data": (good[0], b'{"task": 1}', [(n, v) for n, v in good[2] if n != "ce_id"]),
            "nul": (good[0], b'{"task": "\\u0000"}', [(n, v) for n, v in good[2] if n != "ce_id"]),
            "nothing": (b"", b"", []),
        }
        chosen = records[kind]
        if kind == "unknown type":
            self.world.foreign.add(UUID(dict(chosen[2])["ce_id"].decode()))
        self.world.broker.append(OutgoingRecord("task-events", b"key-%d" % key, chosen[1], chosen[2]))

    @precondition(lambda self: not self.frozen)
    @happens(days=st.sampled_from([1, 6, 8, 8, 15, 60]))
    def days_pass(self, days: int) -> None:
        if self.frozen:
            return
        days_pass(days)
        broker = self.world.broker
        broker.today += days
        before = len(list(broker.records()))
        broker.expire(before_day=broker.today - 7)
        self.world.lost_by_kafka = self.world.lost_by_kafka or len(list(broker.records())) < before
        after = Seen(self.world)
        for group in self.world.groups:
            old = [one for one in after.missing(group) if not one.recent]
            self.world.let_go[group.name] |= {one.id for one in old}
            self.world.too_late[group.name] |= {one.subject for one in old}
        self.world.may_be_gone |= {one.id for one in after.log.values() if not one.recent}

    def prune(self) -> None:
        if not self.frozen:
            retention.prune_handled_events()
            retention.prune_events()

    @happens()
    def sweep(self) -> None:
        """What beat rings for."""
        self.prune()
        self._expect(ending_of(erasure.erase_unfinished, LIVES), *AWAY)
