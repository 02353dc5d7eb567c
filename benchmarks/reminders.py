"""Reminders through the platform: how late people are told when thousands are due at one instant, whether any is told
early or twice, how fast their mails go out, and what the sweep costs while nothing is due.

Lateness is from the instant asked for to the commit of the notification, both by PostgreSQL's clock.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from django.db import connection, connections

from apps.accounts.models import User
from apps.notifications.models import Delivery, Notification, Reminder
from apps.notifications.services import triggering
from apps.tasks import services
from benchmarks import pipeline
from benchmarks.figures import Latency
from benchmarks.ground import Ground
from tests.support.sinks import smtp_sink

ROLE = "worker-notifications"
# From the first task to the instant all are due: beside the time that making and planning them takes.
_AHEAD_SECONDS = 30.0
_MADE_PER_SECOND = 40
_PATIENCE_SECONDS = 300.0
_OPEN = [Delivery.Status.COLLECTING, Delivery.Status.WAITING, Delivery.Status.SENDING]
_NOW = "SELECT clock_timestamp()"
# Of each notification of these people: its reminder, and how many milliseconds after the instant it was committed.
_TOLD = """
SELECT data -> 'notification' ->> 'reminder_id',
       extract(epoch FROM pg_xact_commit_timestamp(xmin) - %s::timestamptz) * 1000
FROM events_event WHERE type = 'notification.created.v1' AND owner_id = ANY(%s::uuid[])
"""
_TASKS_HEARD_OF = """
INSERT INTO notifications_remindedtask (task_id, owner_id, version, title, status, priority, due_time_zone)
SELECT gen_random_uuid(), %s, 1, 'Some day ' || n, 'pending', 'none', '' FROM generate_series(1, %s::int) n
"""
_PLANNED = """
INSERT INTO notifications_reminder (id, owner_id, task_id, version, origin, before_due, planned_for, trigger_at, status,
                                    because, triggers, created_at, updated_at)
SELECT gen_random_uuid(), owner_id, task_id, 1, 'asked', '', at, at, 'planned', '', 0, now(), now()
FROM (SELECT owner_id, task_id, now() + interval '1 day' + random() * interval '90 days' AS at
      FROM notifications_remindedtask WHERE owner_id = %s) t
"""


@dataclass(frozen=True)
class Told:
    """How late people were told; how many reminders were told early, and how many more than once; mails a second, how
    many, and how long after the instant the last one was out.
    """

    lateness: Latency
    early: int
    twice: int
    mails: int
    mails_per_second: float
    last_mail_seconds: float
    others: float


@contextmanager
def mails_taken(ground: Ground) -> Iterator[None]:
    """The worker sends to a mail server on this machine, which takes everything and keeps it in a file."""
    with TemporaryDirectory() as folder, smtp_sink(Path(folder)) as sink:
        ground.stack.stop_roles(ROLE)
        ground.start_role(ROLE, EMAIL_HOST="127.0.0.1", EMAIL_PORT=str(sink.port), EMAIL_USE_TLS="false")
        yield
        ground.stack.stop_roles(ROLE)
        ground.start_role(ROLE)
    pipeline.wait_until_quiet(patience=_PATIENCE_SECONDS)


def people(count: int, *, prefix: str) -> list[User]:
    made = [User(username=f"{prefix}{number}", email=f"{prefix}{number}@example.org") for number in range(count)]
    return list(User.objects.bulk_create(made))


def due_together(ground: Ground, owners: Sequence[User], *, count: int) -> Told:
    """So many reminders, by turns of these people, all due at one instant; through relay, Kafka and the group."""
    at = _planned(owners, count=count)
    ids = [owner.pk for owner in owners]
    told = Notification.objects.filter(owner_id__in=ids)
    _sleep_until(at - timedelta(seconds=2))
    watch = ground.watch()
    _wait(lambda: told.count() >= count)
    _wait(lambda: not Delivery.objects.filter(owner_id__in=ids, status__in=_OPEN).exists())
    pipeline.wait_until_quiet(patience=_PATIENCE_SECONDS)
    return _told(ids, at=at, count=count, others=watch.spent().others)


def triggering_alone(ground: Ground, owners: Sequence[User], *, count: int) -> float:
    """Reminders a second, triggered by the service alone in this process: nobody hears of them meanwhile."""
    at = _planned(owners, count=count)
    ground.stack.stop_roles("beat", "relay", ROLE)
    _sleep_until(at + timedelta(milliseconds=10))
    triggered, began = 0, time.monotonic()
    while len(done := triggering.trigger_due()):
        triggered += done.triggered
    took = time.monotonic() - began
    for role in ("relay", ROLE, "beat"):
        ground.start_role(role)
    pipeline.wait_until_quiet(patience=_PATIENCE_SECONDS)
    assert triggered == count, f"{count} were due, {triggered} were triggered"
    return count / took


def sweep_of_none(owner: User, *, planned: int, looks: int) -> Latency:
    """One look for what is due, with so many planned for other days."""
    _plan_by_sql(owner, count=planned)
    taken = []
    for _ in range(looks):
        began = time.perf_counter()
        done = triggering.trigger_due()
        taken.append((time.perf_counter() - began) * 1000)
        assert len(done) == 0, f"{len(done)} were due"
    return Latency.of(taken)


def _planned(owners: Sequence[User], *, count: int) -> datetime:
    """Ask for them, one a task, and wait until the group has planned all; the instant at which they are due."""
    now = _now()
    at = (now + timedelta(seconds=_AHEAD_SECONDS + count / _MADE_PER_SECOND)).replace(microsecond=0)
    ids = [owner.pk for owner in owners]
    waiting = Reminder.objects.filter(owner_id__in=ids, trigger_at=at, status=Reminder.Status.PLANNED)
    for number in range(count):
        owner = owners[number % len(owners)]
        asked = [{"trigger_at": at.isoformat()}]
        services.create_task(owner=owner, actor=owner, title=f"Due together {number}", reminders=asked, now=now)
    _wait(lambda: waiting.count() == count)
    assert _now() < at - timedelta(seconds=5), "They were not planned in time: give _AHEAD_SECONDS more."
    return at


def _told(ids: Sequence[UUID], *, at: datetime, count: int, others: float) -> Told:
    with connection.cursor() as cursor:
        cursor.execute(_TOLD, [at, list(ids)])
        rows = [(str(reminder), float(late)) for reminder, late in cursor.fetchall()]
    times = Counter(reminder for reminder, _ in rows)
    assert len(times) == count, f"{count} were due, {len(times)} were told"
    mails = Delivery.objects.filter(owner_id__in=ids, transport="email", status=Delivery.Status.DELIVERED)
    out = sorted(finished for finished in mails.values_list("finished_at", flat=True) if finished)
    seconds = (out[-1] - out[0]).total_seconds() if len(out) > 1 else 0.0
    return Told(
        lateness=Latency.of([late for _, late in rows]),
        early=sum(late < 0 for _, late in rows),
        twice=sum(number > 1 for number in times.values()),
        mails=len(out),
        mails_per_second=(len(out) - 1) / seconds if seconds else 0.0,
        last_mail_seconds=(out[-1] - at).total_seconds() if out else 0.0,
        others=others,
    )


def _plan_by_sql(owner: User, *, count: int) -> None:
    """Without tasks and events: what is looked through here nobody is told of."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE notifications_reminder DISABLE TRIGGER reminder_has_event")
        cursor.execute(_TASKS_HEARD_OF, [owner.pk, count])
        cursor.execute(_PLANNED, [owner.pk])
        cursor.execute("ALTER TABLE notifications_reminder ENABLE TRIGGER reminder_has_event")
        cursor.execute("ANALYZE notifications_reminder, notifications_remindedtask")


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(_NOW)
        now: datetime = cursor.fetchone()[0]
    return now


def _sleep_until(instant: datetime) -> None:
    time.sleep(max(0.0, (instant - _now()).total_seconds()))


def _wait(true: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not true():
        if time.monotonic() > until:
            raise TimeoutError("The pipeline did not get through in time; its logs are in the stack's folder.")
        time.sleep(0.2)
