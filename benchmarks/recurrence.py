"""Repeating tasks through the platform: how many next occurrences a second, and how long after the completion each is
there. Both ends are commits as PostgreSQL noted them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from apps.accounts.models import User
from apps.events import handling
from apps.events.models import Event
from apps.events.outbox import envelope_of
from apps.events.subscriptions import group_named
from apps.tasks import services
from benchmarks import pipeline
from benchmarks.figures import Latency
from benchmarks.ground import Ground

_GROUP = "recurrence"
# Of each completion, in milliseconds since 1970: its commit, and that of the next occurrence and its task.
_COMMITS = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(c.xmin)) * 1000,
       extract(epoch FROM pg_xact_commit_timestamp(g.xmin)) * 1000
FROM events_event c JOIN events_event g
  ON g.type = 'recurrence.generated.v1' AND g.data -> 'after' ->> 'task_id' = c.subject_id::text
WHERE c.type = 'task.completed.v1' AND c.subject_id = ANY(%s) ORDER BY 2
"""


@dataclass(frozen=True)
class Generated:
    """Next occurrences a second, how long each took from commit to commit, and what was spent on each."""

    per_second: float
    latency: Latency
    others: float


class Repeated:
    """A person whose tasks repeat every week; each is completed once."""

    def __init__(self) -> None:
        self.person = User.objects.create_user("repeats", "repeats@example.org")

    def open(self, count: int) -> list[UUID]:
        """Tasks whose series are open."""
        now = datetime.now(UTC)
        asked: dict[str, Any] = {"due_on": now.date(), "recurrence": {"rule": "FREQ=WEEKLY"}, "priority": "high"}
        made = [
            services.create_task(owner=self.person, actor=self.person, title=f"Weekly {number}", now=now, **asked).pk
            for number in range(count)
        ]
        pipeline.wait_until_quiet(patience=180)
        return made

    def complete(self, task_ids: Sequence[UUID], *, rate: float = 0) -> float:
        """At this rate, or as fast as it goes; how many a second it came to."""
        began = time.monotonic()
        for number, task_id in enumerate(task_ids, start=1):
            services.complete_task(task_id=task_id, actor=self.person, now=datetime.now(UTC))
            if rate:
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
        return len(task_ids) / (time.monotonic() - began)


def backlog(ground: Ground, tasks: Repeated, *, count: int) -> Generated:
    """All are completed while the relay stands; then it, Kafka and the group have them."""
    waiting = tasks.open(count)
    ground.stack.stop_roles("relay")
    tasks.complete(waiting)
    ground.start_role("relay")
    return _generated(ground, waiting)


def paced(ground: Ground, tasks: Repeated, *, count: int, rate: float) -> tuple[Generated, float]:
    """Completed at a steady rate; also the rate that was reached."""
    waiting = tasks.open(count)
    reached = tasks.complete(waiting, rate=rate)
    return _generated(ground, waiting), reached


def group_alone(ground: Ground, tasks: Repeated, *, count: int) -> float:
    """Next occurrences a second, made by the group's handling in this process, with nothing beside it."""
    waiting = tasks.open(count)
    ground.stack.stop_roles("relay")
    tasks.complete(waiting)
    rows = Event.objects.filter(type="task.completed.v1", subject_id__in=waiting).order_by("position")
    events, began = [envelope_of(row) for row in rows], time.monotonic()
    handling.handle(group_named(_GROUP), events)
    took = time.monotonic() - began
    ground.start_role("relay")
    pipeline.wait_until_quiet(patience=180)
    return count / took


def _generated(ground: Ground, completed: Sequence[UUID]) -> Generated:
    watch = ground.watch()
    pipeline.wait_until_quiet(patience=300)
    others = watch.spent().others
    with connection.cursor() as cursor:
        cursor.execute(_COMMITS, [list(completed)])
        commits = [(float(done), float(made)) for done, made in cursor.fetchall()]
    assert len(commits) == len(completed), f"{len(completed)} were completed, {len(commits)} have a next"
    seconds = (commits[-1][1] - commits[0][1]) / 1000
    return Generated(
        per_second=(len(commits) - 1) / seconds,
        latency=Latency.of([made - done for done, made in commits]),
        others=others,
    )
