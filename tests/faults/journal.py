"""What was asked for and what came of it, noted outside the system under test, before and after each operation.

Invariant: the id of an operation is the correlation id of its events, so that what became of it can be told from
the log alone. A `begin` with nothing after it is an operation whose outcome is unknown: killed, or no answer.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from apps.accounts.models import User
from apps.events.context import Cause, caused_by, new_traceparent
from apps.tasks import services
from apps.tasks.exceptions import TaskRefused

OWNER = "journal"


@dataclass(frozen=True)
class Operation:
    """`outcome` is `ok` (acknowledged), `failed` (refused) or `unknown`."""

    id: str
    verb: str
    outcome: str


def read(path: Path) -> list[Operation]:
    verbs: dict[str, str] = {}
    outcomes: dict[str, str] = {}
    for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else []:
        note = json.loads(line)
        verbs.setdefault(note["id"], note.get("verb", ""))
        outcomes[note["id"]] = {"begin": "unknown"}.get(note["is"], note["is"])
    return [Operation(each, verbs[each], outcome) for each, outcome in outcomes.items()]


class Journal:
    """Appends to `path`; each note is one write, so a killed writer leaves whole lines and at most one cut short."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, operation: str, outcome: str, **also: str) -> None:
        os.write(self._file, json.dumps({"id": operation, "is": outcome, **also}).encode() + b"\n")

    @contextmanager
    def operation(self, name: str, *, verb: str) -> Iterator[None]:
        """One operation, the cause of the events inside. A refusal is noted and raised, what is unknown is raised."""
        self.note(name, "begin", verb=verb)
        try:
            with caused_by(Cause(name, new_traceparent())):
                yield
        except TaskRefused as reason:
            self.note(name, "failed", why=type(reason).__name__)
            raise
        self.note(name, "ok")

    def close(self) -> None:
        os.close(self._file)


def owner() -> User:
    return User.objects.get_or_create(username=OWNER)[0]


# What happens to a task after it was created, in the order of its versions.
LIFE = ("create", "update", "complete", "reopen", "delete", "restore")


def write(path: Path, *, prefix: str, count: int) -> None:
    """Create `count` tasks, each taken through the six versions of a life; only a fault cuts the last one short."""
    person, journal = owner(), Journal(path)
    try:
        for number in range(count):
            with journal.operation(f"{prefix}-{number}-create", verb="create"):
                title = f"{prefix}-{number}"
                task = services.create_task(owner=person, actor=person, title=title, now=datetime.now(UTC))
            for verb in LIFE[1:]:
                asked = {"changes": {"priority": "high"}} if verb == "update" else {}
                with journal.operation(f"{prefix}-{number}-{verb}", verb=verb):
                    command = getattr(services, f"{verb}_task")
                    command(task_id=task.pk, actor=person, now=datetime.now(UTC), **asked)
    finally:
        journal.close()
