"""Tasks that repeat, completed again and again at a steady rate, from outside the system under test, all journaled.

`python -m tests.faults.repeater JOURNAL SEED RATE SERIES` opens so many series and completes whatever occurrence is
open, until SIGTERM or an hour; now and then one that was done is reopened and completed again, which adds nothing.
"""

import os
import random
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as StopSignal
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, close_old_connections

from tests.faults.generator import LONGEST_SECONDS

# Dates far enough apart and rules that end, by the schedule and from completion, under every policy that waits.
RECURRENCES: tuple[Any, ...] = (
    {"rule": "FREQ=DAILY"},
    {"rule": "FREQ=WEEKLY;BYDAY=MO,TH", "catch_up": "wait"},
    {"rule": "FREQ=MONTHLY;BYMONTHDAY=31", "month_end": "clamp"},
    {"rule": "FREQ=DAILY;INTERVAL=3", "from": "completion"},
    {"rule": "FREQ=DAILY;COUNT=4", "catch_up": "skip"},
    {"rule": "FREQ=WEEKLY;COUNT=200", "catch_up": "all"},
)
_AGAIN_SHARE = 0.1


class Repeater:
    def __init__(self, path: Path, *, seed: str) -> None:
        from tests.faults import journal

        self.person = journal.owner()
        self.journal = journal.Journal(path)
        self.seed = seed
        self.chance = random.Random(seed)
        self.done: list[UUID] = []
        self.asked = 0

    def open(self, recurrence: Any) -> None:
        """A task that repeats, due today, every third with a part."""
        from apps.tasks import services

        now = datetime.now(UTC)
        asked: dict[str, Any] = {"owner": self.person, "actor": self.person, "now": now}
        with self._operation("create"):
            title = f"{self.seed} {self.asked}"
            task = services.create_task(title=title, due_on=now.date(), recurrence=recurrence, **asked)
        if self.asked % 3 == 0:
            with self._operation("create"):
                services.create_task(title="a part", parent=task.pk, **asked)

    def complete_one(self) -> None:
        """An open occurrence, if there is one; or one that was done, once more."""
        from apps.tasks import selectors, services

        asked: dict[str, Any] = {"actor": self.person}
        if self.done and self.chance.random() < _AGAIN_SHARE:
            task_id = self.chance.choice(self.done)
            with self._operation("reopen"):
                services.reopen_task(task_id=task_id, now=datetime.now(UTC), **asked)
        else:
            waiting = selectors.open_tasks(owner=self.person).exclude(recurrence=None).order_by("pk")
            chosen = list(waiting.values_list("pk", flat=True)[:50])
            if not chosen:
                return
            task_id = self.chance.choice(chosen)
        with self._operation("complete"):
            services.complete_task(task_id=task_id, now=datetime.now(UTC), **asked)
        self.done.append(task_id)

    def _operation(self, verb: str) -> Any:
        self.asked += 1
        return self.journal.operation(f"{self.seed}.{self.asked}", verb=verb)


def repeat(path: Path, *, seed: str, rate: float, series: int, stop: StopSignal) -> None:
    from apps.tasks.exceptions import TaskRefused

    repeater, began = Repeater(path, seed=seed), time.monotonic()
    for number in range(series):
        repeater.open(RECURRENCES[number % len(RECURRENCES)])
    while not stop.is_set() and time.monotonic() - began < LONGEST_SECONDS:
        started = time.monotonic()
        close_old_connections()
        try:
            repeater.complete_one()
        except TaskRefused as reason:
            print(f"refused: {reason}", file=sys.stderr)
        except (OSError, DatabaseError, InterfaceError) as reason:
            print(f"{type(reason).__name__} {str(reason)[:200]}", file=sys.stderr)
        stop.wait(max(0.0, started + 1 / rate - time.monotonic()))
    repeater.journal.close()


def main(words: list[str]) -> None:
    import django

    from apps.events import leaving

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings.base")
    django.setup()
    stop = StopSignal()
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    leaving.when_told(then=stop.set)
    path, seed, rate, series = words
    repeat(Path(path), seed=seed, rate=float(rate), series=int(series), stop=stop)


if __name__ == "__main__":
    main(sys.argv[1:])
