"""What fault tests of reminders stand on: somebody to tell, reminders to tell them of, and C6, what must hold of both
once all is quiet.
"""

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from apps.accounts.models import User
from apps.events import handling
from apps.events.models import GroupProgress, HandledEvent
from apps.events.outbox import envelope_of
from apps.events.subscriptions import group_named
from apps.notifications.models import Notification, Reminder
from apps.notifications.services import triggering
from apps.tasks import services
from tests.faults.journal import Journal
from tests.faults.pipeline import Pipeline, wait_until
from tests.faults.verdict import Verdict
from tests.support import in_vain, told_once
from tests.support.factories import facts, person
from tests.support.receiving import Given
from tests.support.reminding import Clock
from tests.support.sinks import HOST, Sink, smtp_sink
from tests.support.told_once import Told

if TYPE_CHECKING:
    from tests.faults.evidence import Evidence

GROUP = "notifications"
SWEEP_SECONDS = 5
PATIENCE_SECONDS = 180


@contextmanager
def mailbox(folder: Path) -> Iterator[tuple[Sink, dict[str, str]]]:
    """An SMTP server, and how a role is told of it."""
    with smtp_sink(folder) as sink:
        yield (
            sink,
            {
                "EMAIL_HOST": HOST,
                "EMAIL_PORT": str(sink.port),
                "EMAIL_USE_TLS": "false",
                "DELIVERY_BACKOFF_SECONDS": "1",
                "DELIVERY_BATCH_SECONDS": "1",
            },
        )


def somebody(name: str = "ada") -> User:
    """With an address for mails, in a zone without quiet hours."""
    return person(name, time_zone="UTC")


def ask(owner: User, path: Path, *, count: int, at: datetime, title: str = "Buy milk") -> list[UUID]:
    """So many tasks with a reminder at this instant each, due an hour later, all journaled; the tasks."""
    journal, made, named = Journal(path), [], f"{title.replace(' ', '-')}-{owner.pk.hex[-6:]}-{at.timestamp():.0f}"
    for number in range(count):
        with journal.operation(f"{named}-{number}", verb="create"):
            task = services.create_task(
                owner=owner,
                actor=owner,
                title=f"{title} {number}",
                due_at=at + timedelta(hours=1),
                reminders=[{"trigger_at": at}],
                now=datetime.now(UTC),
            )
        made.append(task.pk)
    journal.close()
    return made


def a_mail_is_due(clock: Clock, journal: Path, *, title: str = "Buy milk") -> None:
    """Told of a task, without any process; the clock stands at when it goes out."""
    ask(somebody(), journal, count=1, at=clock.now + timedelta(minutes=1), title=title)
    hear_all()
    clock.advance(minutes=1)
    triggering.trigger_due()
    hear_all()
    clock.advance(minutes=2)


def complete(task_ids: Sequence[UUID], path: Path, *, actor: User) -> None:
    journal = Journal(path)
    for task_id in task_ids:
        with journal.operation(f"complete-{task_id}", verb="complete"):
            services.complete_task(task_id=task_id, actor=actor, now=datetime.now(UTC))
    journal.close()


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def planned(count: int) -> None:
    """Wait until the group has planned so many."""
    wait_until(lambda: Reminder.objects.count() == count, f"{count} are planned", seconds=PATIENCE_SECONDS)


def told() -> int:
    return Notification.objects.filter(kind="reminder").count()


def all_told(count: int, *, seconds: float = PATIENCE_SECONDS) -> float:
    return wait_until(lambda: told() >= count, f"{count} are told", seconds=seconds)


def all_sent() -> float:
    """Wait until nothing is on its way out any more."""
    return wait_until(lambda: not told_once.undelivered(), "everything is sent", seconds=PATIENCE_SECONDS)


def judge(verdict: Verdict, given: Sequence[Given] = (), *, due: bool = True, clock: str = "recorded_at") -> Told:
    """C6. `due`: also that all that was due has been told and sent, which takes a beat and somebody who handles."""
    seen, now = Told(clock=clock), datetime.now(UTC)
    verdict.other += [*seen.early(), *seen.too_late_to_hold(), *seen.versions()]
    verdict.other += [*in_vain.sent_early(given), *in_vain.nudged_in_vain(seen)]
    verdict.other += in_vain.sent_in_vain(seen, grace=timedelta(seconds=1))
    verdict.duplicated += seen.twice()
    verdict.lost += in_vain.lost_snoozes(seen)
    verdict.other += told_once.deliveries(given)
    if due:
        verdict.lost += seen.untold(now=now, grace=timedelta(seconds=1))
        verdict.lost += [*seen.unannounced(), *told_once.undelivered()]
        verdict.other += in_vain.left_in_the_inbox(seen, now=now - timedelta(seconds=1))
    return seen


def hear_all() -> None:
    """What the group would take from the log, without any process."""
    group = group_named(GROUP)
    heard = HandledEvent.objects.filter(group=GROUP).values("event_id")
    while new := [envelope_of(row) for row in facts().exclude(event_id__in=heard) if group.wants(row.type)]:
        handling.handle(group, new)


def without_processes(journal: Path, *, at: datetime, count: int = 3) -> None:
    """So many of one person, planned."""
    ask(somebody(), journal, count=count, at=at)
    hear_all()


def note_lateness(evidence: "Evidence", seen: Told) -> float:
    """Tell it in the table; the worst, in seconds."""
    late = sorted(seen.lateness())
    p50, p99 = statistics.median(late), late[min(len(late) - 1, int(len(late) * 0.99))]
    evidence.notes.append(f"{len(late)} told, late p50 {p50:.2f} s, p99 {p99:.2f} s, most {late[-1]:.2f} s")
    return late[-1]


def start(pipeline: Pipeline, environment: dict[str, str], *, beat: bool = True, name: str = "teller") -> None:
    """What it takes to tell reminders."""
    for role in ("relay", "worker-audit"):
        pipeline.start(role, **environment)
    pipeline.start(f"worker-{GROUP}", name=name, **environment)
    if beat:
        pipeline.start("beat", **environment)
    at_work()


def at_work() -> None:
    """Wait until the group has met Kafka: what is asked for from here on is planned within seconds."""
    begun = GroupProgress.objects.filter(group=GROUP)
    wait_until(begun.exists, "the group is at work", seconds=PATIENCE_SECONDS)
