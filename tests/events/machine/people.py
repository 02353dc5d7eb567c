"""What people do to the platform, also who would rather go past it."""

from functools import partial
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition

from apps.accounts.exceptions import AccountErased
from apps.accounts.models import User
from apps.ops import erasure
from apps.tasks.exceptions import TaskRefused
from apps.tasks.models import Task
from tests.events.machine.commands import COMMANDS
from tests.events.machine.fates import LIVES, Ending, Fate, Killed
from tests.events.machine.platform import AWAY, Platform, fate_at, happens, which, who
from tests.events.machine.steps import Member
from tests.events.machine.world import Undone
from tests.support import factories

WRITING = ("outbox.before_event", "outbox.after_event", "machine.before_commit")
ERASING = ("erasure.deactivated", "erasure.purged", "erasure.erased")
PAST_THE_SERVICES = {
    "change": "UPDATE tasks_task SET title = 'raw' WHERE id = %(task)s",
    "count": "UPDATE tasks_task SET title = 'raw', version = version + 1 WHERE id = %(task)s",
    "remove": "DELETE FROM tasks_task WHERE id = %(task)s"
    " AND NOT EXISTS (SELECT FROM tasks_task part WHERE part.parent_id = %(task)s)",
}


class People(Platform):
    @initialize(tasks=st.integers(1, 3))
    def begin(self, tasks: int) -> None:
        """Every group has met its Kafka, and both people have something to do."""
        for group in self.world.groups:
            member = Member(group, self.world.broker)
            member.step(1, patience=1)
            member.consumer.close()
        for person in (0, 1):
            self.write([("create", number) for number in range(tasks)], person)

    @happens(
        commands=st.lists(st.tuples(st.sampled_from(sorted(COMMANDS)), which), min_size=1, max_size=3),
        person=who,
        fate=fate_at(WRITING),
        undone=st.sampled_from([False, False, False, True]),
    )
    def write(self, commands: Any, person: int, fate: Fate = LIVES, undone: bool = False) -> None:
        """One transaction of one or several commands. Frozen, it stays open while others commit."""
        owner = self.world.people[person]
        todo = [partial(COMMANDS[name], owner, number) for name, number in commands]
        self._act(partial(self.world.write, todo, undone=undone), fate, self._written)

    def _written(self, ending: Ending) -> None:
        self._expect(ending, TaskRefused, Undone, Killed, *AWAY)

    @happens(name=st.sampled_from(["update", "update", "complete", "reopen", "delete"]), number=who)
    def change(self, name: str, number: int) -> None:
        """What happens most: one of few things, changed again and again."""
        self.write([(name, number)], 0)

    @precondition(lambda self: not self.frozen)
    @happens(statement=st.sampled_from(sorted(PAST_THE_SERVICES)), number=which)
    def write_past_the_services(self, statement: str, number: int) -> None:
        """As somebody with psql would. The database refuses it at commit."""
        ids = list(Task.objects.order_by("created_at", "pk").values_list("pk", flat=True))
        if not ids:
            return
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(PAST_THE_SERVICES[statement], {"task": ids[number % len(ids)]})
                changed = cursor.rowcount
        except DatabaseError:
            return
        assert not changed, "a write without an event was committed"

    @precondition(lambda self: bool(self.seen.rows))
    @happens(person=who, fate=fate_at(ERASING, "dies", "freezes"))
    def erase(self, person: int, fate: Fate = LIVES) -> None:
        """Or go on with it; afterwards somebody else comes in in their place."""
        user = User.objects.get(pk=self.world.people[person].pk)

        def all_of_it() -> None:
            with self.world.several_transactions():
                erasure.erase(user, actor=None, now=timezone.now(), report=lambda gone: None)

        self._act(all_of_it, fate, partial(self._erased, person))

    def _erased(self, person: int, ending: Ending) -> None:
        self._expect(ending, erasure.ThingsLeft, AccountErased, Killed, *AWAY)
        if User.objects.get(pk=self.world.people[person].pk).erased_at:
            self.world.people[person] = factories.person()
        else:
            self.world.people[person].refresh_from_db()
