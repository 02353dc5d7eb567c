"""Random changes at a steady rate, from outside the system under test, every one journaled.

`python -m tests.faults.generator JOURNAL SEED RATE COUNT [URL TOKEN]` makes COUNT changes (0: until SIGTERM), RATE a
second (0: as fast as it goes), by the services, or by REST at URL. Invariant: the same seed asks for the same
changes in the same order, as far as faults let the same ones succeed; it stops by itself after COUNT or an hour.
"""

import http.client
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as StopSignal
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from django.db import DatabaseError, InterfaceError

LONGEST_SECONDS = 3600.0
# After an answer that did not come, so long before the next question.
_AFTER_A_FAULT_SECONDS = 0.2
# What may be asked of a task in each of its states, and what it then is.
_MOVES = {
    "pending": {"update": "pending", "complete": "completed", "delete": "deleted"},
    "completed": {"reopen": "pending", "delete": "deleted-completed"},
    "deleted": {"restore": "pending"},
    "deleted-completed": {"restore": "completed"},
}


class Refused(Exception):
    """The system said no, and for certain did nothing."""


class Door(Protocol):
    """How changes are asked for. Whatever is raised but `Refused` leaves open what happened."""

    def ask(self, verb: str, *, operation: str, task_id: UUID | None, fields: dict[str, Any]) -> UUID: ...


class Services:
    """The application's own services, in this process."""

    def __init__(self) -> None:
        from tests.faults import journal

        self.person = journal.owner()

    def ask(self, verb: str, *, operation: str, task_id: UUID | None, fields: dict[str, Any]) -> UUID:
        from django.db import close_old_connections

        from apps.events.context import Cause, caused_by, new_traceparent
        from apps.tasks import services
        from apps.tasks.exceptions import TaskRefused

        close_old_connections()
        asked: dict[str, Any] = {"actor": self.person, "now": datetime.now(UTC)}
        try:
            with caused_by(Cause(operation, new_traceparent())):
                if verb == "create":
                    made = services.create_task(owner=self.person, **asked, **fields)
                    return UUID(str(made.pk))
                asked |= {"changes": fields} if verb == "update" else {}
                getattr(services, f"{verb}_task")(task_id=task_id, **asked)
        except TaskRefused as reason:
            raise Refused(str(reason)) from reason
        assert task_id is not None
        return task_id


class Rest:
    """The REST API, over one connection that is made anew after a fault."""

    def __init__(self, url: str, token: str) -> None:
        self.place = urlsplit(url).netloc
        self.token = token
        self.connection = http.client.HTTPConnection(self.place, timeout=20)

    def ask(self, verb: str, *, operation: str, task_id: UUID | None, fields: dict[str, Any]) -> UUID:
        method = {"create": "POST", "update": "PATCH", "delete": "DELETE"}.get(verb, "POST")
        path = "/api/v1/tasks/" + (f"{task_id}/" if task_id else "")
        path += f"{verb}/" if verb in {"complete", "reopen", "restore"} else ""
        headers = {"Authorization": f"Bearer {self.token}", "X-Correlation-ID": operation}
        body = json.dumps(fields) if fields else None
        if body:
            headers["Content-Type"] = "application/json"
        try:
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise
        if answer.status >= 500:
            raise ConnectionError(f"{answer.status}")
        if answer.status >= 400:
            raise Refused(f"{answer.status} {content[:200]!r}")
        return UUID(json.loads(content)["id"]) if content else task_id or UUID(int=0)


def changes(chance: random.Random, states: dict[UUID, str]) -> Iterator[tuple[str, UUID | None, dict[str, Any]]]:
    """What is asked for next, given what is known of the tasks; forever."""
    for number in range(sys.maxsize):
        if not states or chance.random() < 0.3:
            # Every fifth repeats; the next occurrence is somebody else's to make, and not touched here.
            repeats = {"recurrence": {"rule": "FREQ=DAILY", "from": "completion"}} if number % 5 == 0 else {}
            yield "create", None, {"title": f"Task {number}"} | repeats
        else:
            task_id = chance.choice(list(states))
            verb = chance.choice(list(_MOVES[states[task_id]]))
            yield verb, task_id, {"title": f"Changed {number}"} if verb == "update" else {}


def generate(
    door: Door, path: Path, *, seed: str, rate: float, count: int, stop: StopSignal, now: Callable[[], float]
) -> int:
    """Ask for changes until `count`, `stop` or an hour; how many were asked for."""
    from tests.faults.journal import Journal

    journal, states, started = Journal(path), dict[UUID, str](), now()
    asking, asked = changes(random.Random(seed), states), 0
    while not stop.is_set() and (not count or asked < count) and now() - started < LONGEST_SECONDS:
        verb, task_id, fields = next(asking)
        operation, asked = f"{seed}.{asked}", asked + 1
        journal.note(operation, "begin", verb=verb)
        try:
            made = door.ask(verb, operation=operation, task_id=task_id, fields=fields)
        except Refused as reason:
            journal.note(operation, "failed", why=str(reason))
        except (OSError, http.client.HTTPException, DatabaseError, InterfaceError) as reason:
            # Nobody can say whether it was done: the journal leaves it open, and the task is not touched again.
            print(f"{operation} {verb}: {type(reason).__name__} {str(reason)[:200]}", file=sys.stderr)
            if task_id:
                states.pop(task_id, None)
            stop.wait(_AFTER_A_FAULT_SECONDS)
        else:
            journal.note(operation, "ok")
            states[made] = "pending" if task_id is None else _MOVES[states[task_id]][verb]
        if rate:
            stop.wait(max(0.0, started + asked / rate - now()))
    journal.close()
    return asked


def main(words: list[str]) -> None:
    import django

    from apps.events import leaving

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings.base")
    django.setup()
    stop = StopSignal()
    # In another thread: set by a handler in the middle of a wait for it, it would wait for itself.
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    leaving.when_told(then=stop.set)
    path, seed, rate, count, *rest = words
    door: Door = Rest(*rest) if rest else Services()
    generate(door, Path(path), seed=seed, rate=float(rate), count=int(count), stop=stop, now=time.monotonic)


if __name__ == "__main__":
    main(sys.argv[1:])
