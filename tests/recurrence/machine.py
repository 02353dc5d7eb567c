"""People and their repeating tasks, in any order, with a recurrence group that is late, dies, or is told twice.

Each rule is one thing that somebody does or that befalls a process; `promises_hold` is asked after every one of them,
and `teardown` lets everything come to rest first. Time moves only by a rule.
"""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from apps.accounts import services as accounts
from apps.events import crash
from apps.events.models import Event
from apps.recurrence import jobs, services
from apps.recurrence.exceptions import RecurrenceRefused
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.subscribers import group
from apps.tasks import services as tasks
from apps.tasks.exceptions import TaskRefused
from apps.tasks.models import Task
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
        self.owner = person(time_zone="Europe/London")
        self.ever_done: set[Any] = set()

    def now(self) -> datetime:
        return datetime.now(UTC)

    @initialize(intent=INTENTS, timed=st.booleans())
    def begin(self, intent: dict[str, str], timed: bool) -> None:
        self.create(intent, timed)

    @rule(intent=INTENTS, timed=st.booleans())
    def create(self, intent: dict[str, str], timed: bool) -> None:
        due: dict[str, Any] = {"due_at": self.now()} if timed else {"due_on": self.now().date()}
        asked: dict[str, Any] = {"title": "Water the plants", "recurrence": intent, **due}
        self._try(lambda: tasks.create_task(owner=self.owner, actor=self.owner, now=self.now(), **asked))

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
        series = list(Series.objects.order_by("pk"))
        do: dict[str, Callable[..., Any]] = {
            "pause": services.pause_series,
            "resume": services.resume_series,
            "end": services.end_series,
            "skip": services.skip_occurrence,
        }
        if series:
            one = series[which % len(series)]
            self._try(lambda: do[what](series_id=one.pk, actor=self.owner, now=self.now()))

    @rule(zone=st.sampled_from(["Europe/London", "America/New_York", "Australia/Lord_Howe"]))
    def move_house(self, zone: str) -> None:
        accounts.change_time_zone(user_id=self.owner.pk, actor=self.owner, time_zone=zone, now=self.now())

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
        for task in Task.objects.filter(status__in=["completed", "deleted"]):
            self.ever_done.add(task.pk)
        for series in Series.objects.all():
            self._holds(series)
        told = Event.objects.filter(type="recurrence.generated.v1").count()
        assert told == Occurrence.objects.filter(number__gt=1).count(), (
            "an occurrence without its event, or the reverse"
        )

    def _holds(self, series: Series) -> None:
        made = list(series.occurrences.order_by("number"))
        assert [one.number for one in made] == list(range(1, len(made) + 1)), "numbers have a hole"
        last = made[-1]
        assert (series.last_number, series.last_recurrence_id, series.last_task_id) == (
            last.number,
            last.recurrence_id,
            last.task_id,
        )
        days = [one.recurrence_id[:8] for one in made]
        assert days == sorted(days), "a series went back"
        assert Task.objects.filter(pk__in=[one.task_id for one in made]).count() == len(made), (
            "an occurrence has no task"
        )
        if all(policy != "all" for policy in self._policies(series)):
            for one in made[:-1]:
                assert one.task_id in self.ever_done, "made although the one before was never done"

    def _policies(self, series: Series) -> list[str]:
        """All that it ever had."""
        told = Event.objects.filter(type__startswith="recurrence.", subject_id=series.pk)
        return [data["series"]["recurrence"]["catch_up"] for data in told.values_list("data", flat=True)]

    def teardown(self) -> None:
        try:
            self.pump.run()
            self.pump.redeliver_everything()
            self.promises_hold()
            for series in Series.objects.filter(ended_at=None, paused_at=None):
                task = Task.objects.get(pk=series.last_task_id)
                assert task.status in {"pending", "in_progress"}, "a series stands still"
        finally:
            self.ended.close()

    def _change(self, command: Callable[..., Any], which: int, **how: Any) -> None:
        ids = list(Task.objects.order_by("-pk").values_list("pk", flat=True)[:10])
        if ids:
            task_id = ids[which % len(ids)]
            self._try(lambda: command(task_id=task_id, actor=self.owner, now=self.now(), **how))

    def _try(self, do: Callable[[], Any]) -> None:
        """What people do may be refused; then nothing has happened."""
        with suppress(TaskRefused, RecurrenceRefused):
            do()


def _empty() -> None:
    with guards_off(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(EMPTIED)} CASCADE")
