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
from apps.events.models import GroupProgress
from apps.notifications.models import Notification, Reminder
from apps.tasks import services
from tests.faults.journal import Journal
from tests.faults.pipeline import Pipeline, wait_until
from tests.faults.verdict import Verdict
from tests.support import told_once
from tests.support.factories import person
from tests.support.receiving import Given
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


def judge(verdict: Verdict, given: Sequence[Given] = (), *, due: bool = True) -> Told:
    """C6. `due`: also that all that was due has been told and sent, which takes a beat and somebody who handles."""
    seen = Told()
    verdict.other += [*seen.early(), *seen.too_late_to_hold(), *seen.versions()]
    verdict.duplicated += seen.twice()
    verdict.other += told_once.deliveries(given)
    if due:
        verdict.lost += seen.untold(now=datetime.now(UTC), grace=timedelta(seconds=1))
        verdict.lost += [*seen.unannounced(), *told_once.undelivered()]
    return seen


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
