"""People and their repeating tasks, in any order, with a recurrence group that is late, dies, or is told twice.

Each rule is one thing that somebody does or that befalls a process; `promises` is asked after every one of them, and
`teardown` lets everything come to rest first. Time moves only by a rule.
"""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import time_machine
from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from apps.accounts import services as accounts
from apps.calendar.expansion import Wall
from apps.calendar.recurrences import wall_text
from apps.events import crash
from apps.events.models import Event, OutboxEntry
from apps.recurrence import jobs, services
from apps.recurrence.exceptions import RecurrenceRefused
from apps.recurrence.models import Series
from apps.recurrence.subscribers import group
from apps.tasks import services as tasks
from apps.tasks.exceptions import TaskRefused
from apps.tasks.models import Task
from tests.recurrence.promises import OPEN, Promises
from tests.support.append_only import guards_off
from tests.support.factories import person
from tests.support.pump import fresh_pump

START = datetime(2027, 1, 29, 9, 0, tzinfo=UTC)
CRASHES = ["recurrence.before_task", "recurrence.after_task", "outbox.after_event", "handling.before_commit"]
RULES = ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY", "FREQ=DAILY;COUNT=3", "FREQ=DAILY;UNTIL=20270205"]
INTENTS = st.fixed_dictionaries(
    {
        "rule": st.sampled_from(RULES),
        "from": st.sampled_from(["schedule", "schedule", "completion"]),
        "month_end": st.sampled_from(["clamp", "skip", "roll"]),
        "catch_up": st.sampled_from(["latest", "wait", "skip", "all"]),
    }
)
# Beside how it repeats: in how many days a date is left out or put in, reminders, parts, a zone of its own.
BESIDE = st.fixed_dictionaries(
    {"timed": st.booleans(), "whose": st.integers(0, 1)},
    optional={
        "exdates": st.lists(st.integers(1, 9), min_size=1, max_size=2, unique=True),
        "rdates": st.lists(st.integers(1, 9), min_size=1, max_size=2, unique=True),
        "reminders": st.sampled_from([["before_due"], ["trigger_at"], ["before_due", "trigger_at"], []]),
        "parts": st.integers(1, 2),
        "due_time_zone": st.just("Asia/Kathmandu"),
    },
)
ZONES = ["Europe/London", "America/New_York", "Australia/Lord_Howe"]
# Events that lead to events in turn are at an end long before.
MOST_ROUNDS, MOST_EVENTS = 10, 300
EMPTIED = (
    *("events_outboxentry", "events_event", "events_handledevent", "events_deadletter", "events_groupprogress"),
    *("events_groupmark", "audit_auditcontent", "audit_auditrecord", "recurrence_occurrence", "recurrence_series"),
    *("tasks_task", "tasks_tasklist", "tasks_tag", "accounts_user"),
)


class Died(BaseException):
    """In place of the power that fails: nothing catches it."""


class Repeating(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ended = ExitStack()
        self.clock = self.ended.enter_context(time_machine.travel(START, tick=False))
        _empty()
        self.pump = self.ended.enter_context(fresh_pump())
        self.owners = [person(time_zone="Europe/London"), person(time_zone="America/New_York")]
        self.promises = Promises()

    def now(self) -> datetime:
        return datetime.now(UTC)

    @initialize(intent=INTENTS, beside=BESIDE)
    def begin(self, intent: dict[str, str], beside: dict[str, Any]) -> None:
        self.create(intent, beside)

    @rule(intent=INTENTS, beside=BESIDE)
    def create(self, intent: dict[str, Any], beside: dict[str, Any]) -> None:
        owner, due_at = self.owners[beside["whose"]], self.now() + timedelta(hours=2)
        zone = beside.get("due_time_zone", owner.time_zone)
        wall: Wall = due_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        due: dict[str, Any] = {"due_at": due_at, "due_time_zone": beside.get("due_time_zone")}
        if not beside["timed"]:
            wall = self.now().date() + timedelta(days=1)
            due = {"due_on": wall}
        dates = {
            name: sorted(wall_text(wall + timedelta(days=ahead)) for ahead in beside[name])
            for name in ("exdates", "rdates")
            if name in beside
        }
        asked = {"title": "Water the plants", "recurrence": intent | dates, **due}
        if "reminders" in beside:
            told = {"before_due": "PT30M", "trigger_at": self.now() + timedelta(hours=1)}
            asked["reminders"] = [{kind: told[kind]} for kind in beside["reminders"]]
        made = self._try(lambda: tasks.create_task(owner=owner, actor=owner, now=self.now(), **asked))
        for part in range(beside.get("parts", 0) if made else 0):
            tasks.create_task(owner=owner, actor=owner, now=self.now(), title=f"Part {part}", parent=made.pk)

    @rule(which=st.integers(0, 9))
    def complete(self, which: int) -> None:
        self._change(tasks.complete_task, which)

    @rule(which=st.integers(0, 9))
    def reopen(self, which: int) -> None:
        self._change(tasks.reopen_task, which)

    @rule(which=st.integers(0, 9), series=st.sampled_from(["ends", "continues"]))
    def delete(self, which: int, series: str) -> None:
        self._change(tasks.delete_task, which, series=series)

    @rule(which=st.integers(0, 9))
    def restore(self, which: int) -> None:
        self._change(tasks.restore_task, which)

    @rule(which=st.integers(0, 9), recurrence=st.one_of(st.none(), INTENTS))
    def repeat_otherwise(self, which: int, recurrence: dict[str, str] | None) -> None:
        self._change(tasks.update_task, which, changes={"recurrence": recurrence})

    @rule(which=st.integers(0, 9), days=st.integers(1, 40))
    def move(self, which: int, days: int) -> None:
        self._change(tasks.update_task, which, changes={"due_on": (self.now() + timedelta(days=days)).date()})

    @rule(which=st.integers(0, 9), scope=st.sampled_from(["this", "following", "all"]), hour=st.integers(0, 23))
    def change_occurrences(self, which: int, scope: str, hour: int) -> None:
        changes: dict[str, Any] = {"title": f"At {hour}"}
        if scope != "this":
            changes["due_at"] = self.now().replace(hour=hour)
        self._change(services.change_occurrences, which, scope=scope, changes=changes)

    @rule(which=st.integers(0, 9), what=st.sampled_from(["pause", "resume", "end", "skip"]))
    def by_hand(self, which: int, what: str) -> None:
        series = list(Series.objects.select_related("owner").order_by("pk"))
        do: dict[str, Callable[..., Any]] = {
            "pause": services.pause_series,
            "resume": services.resume_series,
            "end": services.end_series,
            "skip": services.skip_occurrence,
        }
        if series:
            one = series[which % len(series)]
            self._try(lambda: do[what](series_id=one.pk, actor=one.owner, now=self.now()))

    @rule(which=st.integers(0, 9))
    def skip_what_is_there(self, which: int) -> None:
        there = list(Task.objects.filter(status__in=OPEN).exclude(recurrence_id="").order_by("pk"))
        if there:
            task = there[which % len(there)]
            what = {"series_id": task.series_id, "recurrence_id": task.recurrence_id}
            self._try(lambda: services.skip_occurrence(actor=task.owner, now=self.now(), **what))

    @rule(whose=st.integers(0, 1), zone=st.sampled_from(ZONES))
    def move_house(self, whose: int, zone: str) -> None:
        owner = self.owners[whose]
        accounts.change_time_zone(user_id=owner.pk, actor=owner, time_zone=zone, now=self.now())
        owner.refresh_from_db()

    @rule(hours=st.sampled_from([1, 20, 24, 100, 800]))
    def time_passes(self, hours: int) -> None:
        self.clock.shift(timedelta(hours=hours))

    @rule()
    def relay(self) -> None:
        self.pump.relay_once()

    @rule()
    def handle(self) -> None:
        self.pump.consume(group)

    @rule(where=st.sampled_from(CRASHES), passes=st.integers(1, 3))
    def die_while_handling(self, where: str, passes: int) -> None:
        left = [passes]

        def at(point: str) -> None:
            left[0] -= point == where
            if left[0] == 0:
                raise Died

        crash_at = crash.at
        crash.at = at
        try:
            with suppress(Died):
                self.pump.consume(group)
        finally:
            crash.at = crash_at

    @rule()
    def be_told_everything_again(self) -> None:
        for place in list(self.pump.broker.stored):
            self.pump.broker.stored[place] = 0

    @rule()
    def sweep(self) -> None:
        jobs.make_due()
        jobs.repair()

    @invariant()
    def promises_hold(self) -> None:
        self.promises.hold()

    def come_to_rest(self) -> None:
        """Handle all there is, and what that leads to."""
        before = Event.objects.count()
        for _ in range(MOST_ROUNDS):
            assert Event.objects.count() - before < MOST_EVENTS, "events do not come to rest"
            while self.pump.relay_once():
                pass
            self.pump.consume(group)
            if not OutboxEntry.objects.exists():
                return
        raise AssertionError("events do not come to rest")

    def teardown(self) -> None:
        try:
            self.come_to_rest()
            self.promises.hold()
            self.promises.hold_at_rest()
            facts = Event.objects.count()
            self.be_told_everything_again()
            self.come_to_rest()
            assert Event.objects.count() == facts, "told again, it did more"
        finally:
            self.ended.close()

    def _change(self, command: Callable[..., Any], which: int, **how: Any) -> None:
        ids = list(Task.objects.order_by("-pk").values_list("pk", flat=True)[:10])
        if ids:
            task = Task.objects.select_related("owner").get(pk=ids[which % len(ids)])
            self._try(lambda: command(task_id=task.pk, actor=task.owner, now=self.now(), **how))

    def _try(self, do: Callable[[], Any]) -> Any:
        """What people do may be refused; then nothing has happened."""
        with suppress(TaskRefused, RecurrenceRefused):
            return do()
        return None


def _empty() -> None:
    with guards_off(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(EMPTIED)} CASCADE")
