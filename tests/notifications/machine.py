"""People, their tasks and what they are told, in any order, with a group, sweeps and senders that are late, die, or are
told twice.

Each rule is one thing that somebody does or that befalls a process; `promises_hold` is asked after every one of them,
and `teardown` lets everything come to rest first. Time moves only by a rule, the database's with the processes'.
"""

import itertools
import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import time_machine
from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from apps.accounts import services as accounts
from apps.events import crash
from apps.events.models import DeadLetter, Event, OutboxEntry
from apps.events.subscriptions import group_named
from apps.notifications.exceptions import NotificationsRefused
from apps.notifications.models import Delivery, Notification, Preferences
from apps.notifications.sending.fairness import Room
from apps.notifications.services import (
    deliveries,
    digests,
    inbox,
    overdue,
    plans,
    preferences,
    sending,
    snoozing,
    triggering,
    webhooks,
)
from apps.notifications.services.sending import Finished
from apps.notifications.transports import transport_named
from apps.notifications.transports.base import Receipt, Refused, TryAgain
from apps.tasks import services as tasks
from apps.tasks.exceptions import TaskRefused
from apps.tasks.models import Task
from tests.support import database_clock, in_vain, told_once
from tests.support.append_only import guards_off
from tests.support.factories import person
from tests.support.pump import fresh_pump
from tests.support.receiving import Given
from tests.support.told_once import Told
from tests.support.wishes import Defaults

START = datetime(2027, 3, 27, 9, 0, tzinfo=UTC)
TRANSPORTS = ("email", "webhook")
ROOM = Room(all=10, risky=10, person=10)
HOOK = "https://receiver.example/hook"
CRASHES = ["outbox.after_event", "outbox.before_event", "handling.before_commit"]
REMINDERS = st.one_of(
    st.none(),
    st.lists(st.sampled_from(["PT10M", "PT1H", "P1D", "in 20", "in 90"]), max_size=2, unique=True),
)
DUE = st.sampled_from([None, 5, 35, 90, 600, "today", "tomorrow"])
WHICH = st.integers(0, 9)
ZONES = ["Europe/London", "America/New_York", "Australia/Lord_Howe"]
OUTCOMES = ["taken", "not now", "refused", "taken, and no word of it"]
MOST_ROUNDS, MOST_EVENTS = 40, 600
EMPTIED = [
    *("events_outboxentry", "events_event", "events_handledevent", "events_deadletter", "events_groupprogress"),
    *("events_groupmark", "audit_auditcontent", "audit_auditrecord", "recurrence_occurrence", "recurrence_series"),
    *("tasks_task", "tasks_tasklist", "tasks_tag"),
    *("notifications_deliveryattempt", "notifications_deliveryitem", "notifications_delivery"),
    *("notifications_notification", "notifications_reminder", "notifications_remindedtask"),
    *("notifications_preferences", "notifications_webhookendpoint", "notifications_watermark", "accounts_user"),
]


class Died(BaseException):
    """In place of the power that fails: nothing catches it."""


class Reminding(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ended = ExitStack()
        _empty()
        self.clock = self.ended.enter_context(time_machine.travel(START, tick=False))
        self.ended.enter_context(database_clock.database_clock(START))
        self.pump = self.ended.enter_context(fresh_pump())
        self.group = group_named("notifications")
        self.owners = [person(time_zone="Europe/London"), person(time_zone="America/New_York")]
        self.defaults: dict[UUID, list[tuple[int, Defaults]]] = {one.pk: [(0, Defaults())] for one in self.owners}
        self.hooks: dict[UUID, UUID] = {}
        self.changed_at: dict[UUID, datetime] = {}
        self.claimed: list[Any] = []
        self.given: list[Given] = []

    def now(self) -> datetime:
        return datetime.now(UTC)

    @initialize(due=DUE, reminders=REMINDERS)
    def begin(self, due: Any, reminders: list[str] | None) -> None:
        for owner in self.owners:
            self.hooks[owner.pk] = webhooks.create(owner=owner, url=HOOK, now=self.now()).endpoint.pk
        self.create(due, reminders, 0, "none")

    @rule(due=DUE, reminders=REMINDERS, whose=st.integers(0, 1), priority=st.sampled_from(["none", "urgent"]))
    def create(self, due: Any, reminders: list[str] | None, whose: int, priority: str) -> None:
        owner = self.owners[whose]
        asked = {"title": "Buy milk", "priority": priority, "reminders": self._asked(reminders), **self._due(due)}
        self._try(lambda: tasks.create_task(owner=owner, actor=owner, now=self.now(), **asked))

    @rule(which=WHICH, due=DUE)
    def move(self, which: int, due: Any) -> None:
        self._change(tasks.update_task, which, changes=self._due(due) or {"due_at": None, "due_on": None})

    @rule(which=WHICH, reminders=REMINDERS)
    def remind_otherwise(self, which: int, reminders: list[str] | None) -> None:
        self._change(tasks.update_task, which, changes={"reminders": self._asked(reminders)})

    @rule(which=WHICH, title=st.sampled_from(["Buy milk", "Buy bread"]))
    def rename(self, which: int, title: str) -> None:
        self._change(tasks.update_task, which, changes={"title": title})

    @rule(which=WHICH, verb=st.sampled_from(["complete", "reopen", "delete", "restore"]))
    def do(self, which: int, verb: str) -> None:
        self._change(getattr(tasks, f"{verb}_task"), which)

    @rule(whose=st.integers(0, 1), zone=st.sampled_from(ZONES))
    def move_house(self, whose: int, zone: str) -> None:
        owner = self.owners[whose]
        accounts.change_time_zone(user_id=owner.pk, actor=owner, time_zone=zone, now=self.now())
        owner.refresh_from_db()

    @rule(whose=st.integers(0, 1), before_due=st.sampled_from([None, "PT10M", "PT30M", "PT2H"]), hour=st.integers(7, 9))
    def change_defaults(self, whose: int, before_due: str | None, hour: int) -> None:
        owner = self.owners[whose]
        position = Event.objects.order_by("-position").values_list("position", flat=True).first() or 0
        wanted = {"default_before_due": before_due, "default_on_day": time(hour)}
        preferences.change(owner=owner, changes=wanted, now=self.now())
        self.defaults[owner.pk].append((position + 1, Defaults(before_due, time(hour))))
        self.changed_at[owner.pk] = self.now()

    @rule(whose=st.integers(0, 1), hours=st.sampled_from([None, (9, 17), (22, 7)]))
    def change_quiet_hours(self, whose: int, hours: tuple[int, int] | None) -> None:
        owner = self.owners[whose]
        quiet_from, quiet_until = (time(hours[0]), time(hours[1])) if hours else (None, None)
        wanted = {"quiet_from": quiet_from, "quiet_until": quiet_until}
        preferences.change(owner=owner, changes=wanted, now=self.now())

    @rule(minutes=st.sampled_from([1, 1, 5, 10, 30, 120, 1600]))
    def time_passes(self, minutes: int) -> None:
        self._wait(timedelta(minutes=minutes))

    @rule()
    def relay(self) -> None:
        self.pump.relay_once()

    @rule()
    def handle(self) -> None:
        self.pump.consume(self.group)

    @rule(where=st.sampled_from(CRASHES), passes=st.integers(1, 3))
    def die_while_handling(self, where: str, passes: int) -> None:
        self._dying(lambda: self.pump.consume(self.group), where, passes)

    @rule()
    def be_told_everything_again(self) -> None:
        for place in list(self.pump.broker.stored):
            self.pump.broker.stored[place] = 0

    @rule()
    def sweep(self) -> None:
        triggering.trigger_due()

    @rule(where=st.sampled_from(["outbox.after_event", "reminders.triggering"]))
    def die_while_sweeping(self, where: str) -> None:
        self._dying(triggering.trigger_due, where, 1)

    @rule(whose=st.integers(0, 1), hour=st.sampled_from([None, 8, 23]))
    def change_digest(self, whose: int, hour: int | None) -> None:
        wanted = {"digest_at": time(hour) if hour else None}
        preferences.change(owner=self.owners[whose], changes=wanted, now=self.now())

    @rule()
    def send_digests(self) -> None:
        digests.send_digests()

    @rule()
    def nudge(self) -> None:
        _nudge_all()

    @rule(whose=st.integers(0, 1), verb=st.sampled_from(["disable", "enable"]))
    def switch_webhook(self, whose: int, verb: str) -> None:
        owner = self.owners[whose]
        self._try(lambda: getattr(webhooks, verb)(endpoint_id=self.hooks[owner.pk], actor=owner, now=self.now()))

    @rule(whose=st.integers(0, 1))
    def follow_up(self, whose: int) -> None:
        plans.follow_up(owner_id=self.owners[whose].pk, now=self.now())

    @rule(which=WHICH, until=st.sampled_from(["PT15M", "PT2H", "tomorrow"]))
    def snooze(self, which: int, until: str) -> None:
        one = self._notification(which)
        if one is not None:
            how: dict[str, Any] = {"notification_id": one.pk, "actor": one.owner, "until": until, "now": self.now()}
            self._try(lambda: snoozing.snooze_notification(**how))

    @rule(which=WHICH, verb=st.sampled_from(["mark_read", "mark_unread"]))
    def read(self, which: int, verb: str) -> None:
        one = self._notification(which)
        if one is not None:
            self._try(lambda: getattr(inbox, verb)(notification_id=one.pk, actor=one.owner, now=self.now()))

    @rule()
    def claim(self) -> None:
        """As a sender begins: what others left behind, then what is due, composed once."""
        for name in TRANSPORTS:
            transport = transport_named(name)
            sending.bury(transport)
            due = [sending.claim(transport=transport, room=ROOM, deadly=deadly) for deadly in (True, False)]
            for one in itertools.chain(*due):
                ((_, to),) = sending.prepare([one])
                if isinstance(to, Exception):
                    sending.finish([Finished(one, to)])
                else:
                    self.claimed.append(one)

    @rule()
    def die_while_claiming(self) -> None:
        for name in TRANSPORTS:
            sending.claim(transport=transport_named(name), room=ROOM)

    @rule(which=WHICH, outcome=st.sampled_from(OUTCOMES))
    def settle(self, which: int, outcome: str) -> None:
        """Also by a sender whose lease ran out long ago."""
        if self.claimed:
            self._send(self.claimed.pop(which % len(self.claimed)), outcome)

    @rule(which=WHICH)
    def retry(self, which: int) -> None:
        failed = list(Delivery.objects.select_related("owner").filter(status=Delivery.Status.FAILED).order_by("-pk"))
        if failed:
            one = failed[which % len(failed)]
            self._try(lambda: deliveries.retry(delivery_id=one.pk, actor=one.owner, now=self.now()))

    @rule()
    def senders_die(self) -> None:
        self.claimed.clear()

    @invariant()
    def promises_hold(self) -> None:
        told = self._told()
        found = [*told.early(), *told.twice(), *told.versions(), *told.too_late_to_hold()]
        found += [*told_once.deliveries(self.given), *in_vain.lost_snoozes(told), *in_vain.nudged_in_vain(told)]
        found += [*in_vain.sent_in_vain(told), *in_vain.sent_early(self.given)]
        assert not found, "; ".join(found)
        assert not DeadLetter.objects.exists(), "an event was given up"

    def come_to_rest(self) -> None:
        """Handle all there is and what that leads to, trigger what is due, and send what may go out."""
        before = Event.objects.count()
        for _ in range(MOST_ROUNDS):
            assert Event.objects.count() - before < MOST_EVENTS, "events do not come to rest"
            while self.pump.relay_once():
                pass
            self.pump.consume(self.group)
            left = [owner.pk for owner in self.owners if plans.follow_up(owner_id=owner.pk, now=self.now())]
            told = [digests.send_digests(), _nudge_all(), len(triggering.trigger_due())]
            if not left and not any(told) and not OutboxEntry.objects.exists():
                return
        raise AssertionError("events do not come to rest")

    def send_everything(self) -> None:
        """Until nothing is on its way; the hours that a delivery may wait for pass."""
        self.claimed.clear()
        for _ in range(MOST_ROUNDS):
            self.come_to_rest()
            if not told_once.undelivered():
                return
            self._wait(timedelta(minutes=40))
            self.claim()
            while self.claimed:
                self._send(self.claimed.pop(), "taken")
        raise AssertionError(f"deliveries do not come to rest: {told_once.undelivered()[:5]}")

    def teardown(self) -> None:
        try:
            self.come_to_rest()
            self.promises_hold()
            self._promises_hold_at_rest()
            self.send_everything()
            self.promises_hold()
            self._promises_hold_at_rest()
            facts = Event.objects.count(), Notification.objects.count(), Delivery.objects.count()
            self.be_told_everything_again()
            self.come_to_rest()
            after = Event.objects.count(), Notification.objects.count(), Delivery.objects.count()
            assert after == facts, "told again, it did more"
        finally:
            self.ended.close()

    def _promises_hold_at_rest(self) -> None:
        told = self._told()
        found = [*told.untold(now=self.now()), *told.unannounced(), *in_vain.left_in_the_inbox(told, now=self.now())]
        found += self._digests_left_out()
        assert not found, "; ".join(found)

    def _digests_left_out(self) -> list[str]:
        late = Preferences.objects.filter(next_digest_at__lte=self.now())
        return [f"digest of {one.pk}: due since {one.next_digest_at}, and nobody was told" for one in late]

    def _told(self) -> Told:
        return Told(clock="occurred_at", defaults=self._defaults_of, changed_at=self.changed_at)

    def _defaults_of(self, owner_id: UUID, position: int) -> Defaults:
        return [one for at, one in self.defaults[owner_id] if at <= position][-1]

    def _wait(self, long: timedelta) -> None:
        self.clock.shift(long)
        database_clock.set_to(self.now())

    def _due(self, due: Any) -> dict[str, Any]:
        today = self.now().date()
        days = {"today": today, "tomorrow": today + timedelta(days=1)}
        if due in days:
            return {"due_on": days[due]}
        return {"due_at": self.now() + timedelta(minutes=due)} if due is not None else {}

    def _asked(self, reminders: list[str] | None) -> list[dict[str, Any]] | None:
        if reminders is None:
            return None
        instants = {f"in {minutes}": self.now() + timedelta(minutes=minutes) for minutes in (20, 90)}
        return [{"trigger_at": instants[one]} if one in instants else {"before_due": one} for one in reminders]

    def _notification(self, which: int) -> Notification | None:
        there = list(Notification.objects.select_related("owner").order_by("-pk")[:10])
        return there[which % len(there)] if there else None

    def _send(self, one: Any, outcome: str) -> None:
        """What a sender does with what it claimed: the receiver is outside, and keeps a journal."""
        answered = {"taken": 201, "not now": 503, "refused": 410, "taken, and no word of it": 201}[outcome]
        body = json.dumps(one.delivery.content, sort_keys=True)
        self.given.append(Given(self.now().timestamp(), str(one.key), "", {}, body, answered))
        outcomes: dict[str, Callable[[], Any]] = {
            "taken": Receipt,
            "not now": lambda: TryAgain("answered 503"),
            "refused": lambda: Refused("answered 410"),
        }
        if outcome in outcomes:
            sending.finish([Finished(one, outcomes[outcome]())])

    def _dying(self, do: Callable[[], Any], where: str, passes: int) -> None:
        left = [passes]

        def at(point: str) -> None:
            left[0] -= point == where
            if left[0] == 0:
                raise Died

        crash_at = crash.at
        crash.at = at
        try:
            with suppress(Died):
                do()
        finally:
            crash.at = crash_at

    def _change(self, command: Callable[..., Any], which: int, **how: Any) -> None:
        ids = list(Task.objects.order_by("-pk").values_list("pk", flat=True)[:10])
        if ids:
            task = Task.objects.select_related("owner").get(pk=ids[which % len(ids)])
            self._try(lambda: command(task_id=task.pk, actor=task.owner, now=self.now(), **how))

    def _try(self, do: Callable[[], Any]) -> Any:
        """What people do may be refused; then nothing has happened."""
        with suppress(TaskRefused, NotificationsRefused):
            return do()
        return None


def _nudge_all() -> int:
    """A sweep to its end; how many were nudged."""
    done = overdue.nudge_overdue()
    nudged = done.nudged
    while not done.over:
        done = overdue.nudge_overdue(done)
        nudged += done.nudged
    return nudged


def _empty() -> None:
    with guards_off(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(EMPTIED)} CASCADE")
