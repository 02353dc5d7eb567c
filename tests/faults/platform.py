"""Roles of the platform together, tended as any supervisor does: whoever ends or beats no more is started again.

Invariant: each start has a log, a port and a heartbeat of its role's own; `restarts` counts those that were needed.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.accounts import credentials
from apps.accounts.models import PersonalToken
from apps.dev import ports
from apps.dev.children import Child
from apps.events import liveness, schedules
from tests.faults import checker
from tests.faults import journal as journals
from tests.faults.pipeline import Pipeline, kill, wait_until

EVERY_ROLE = tuple(settings.ROLES)
# The generator asks faster than a person may.
_UNTHROTTLED = {"THROTTLE_PERSON_PER_MINUTE": "1000000", "WEB_THREADS": "4"}


class Platform:
    """`roles` are up and at work once it is made; `extra` is in the environment of each."""

    def __init__(self, pipeline: Pipeline, roles: Sequence[str] = EVERY_ROLE, **extra: str) -> None:
        self.pipeline = pipeline
        self.port = ports.free_pair()
        named = {"PORT": str(self.port), "WS_PORT": str(self.port + 1), "WEB_WORKERS": "1"}
        self.environment = _UNTHROTTLED | named | extra
        self.running: dict[str, Child] = {}
        self.restarts: Counter[str] = Counter()
        self._starts: Counter[str] = Counter()
        for role in roles:
            self.start(role)
        wait_until(self.lives, f"{', '.join(roles)} live", seconds=120)

    def start(self, role: str) -> Child:
        command = list(settings.ROLES[role])
        if "--port" in command:
            command[command.index("--port") + 1] = str(self.port + (role == "ws"))
        self._starts[role] += 1
        self._heartbeat(role).unlink(missing_ok=True)
        name = f"{role}-{self._starts[role]}"
        self.running[role] = self.pipeline.run(name, command, role=role, **self.environment)
        return self.running[role]

    def _heartbeat(self, role: str) -> Path:
        return self.pipeline.heartbeats / role

    def lives(self) -> bool:
        """Whether every role has beaten, and those that serve answer."""
        return all(self._heartbeat(role).exists() and self._answers(role) for role in self.running)

    def _answers(self, role: str) -> bool:
        if role not in {"web", "ws"}:
            return True
        port = self.port + (role == "ws")
        return liveness.unanswered(liveness.LOOPBACK, port, public_url=settings.PUBLIC_URL, seconds=2) is None

    def tend(self) -> None:
        for role, child in list(self.running.items()):
            if child.runs and self._hangs(role):
                print(f"{role} beats no more and is ended")
                kill(child)
            if not child.runs:
                print(f"{role} ended with {child.exit_code} and is started again")
                child.end(by=time.monotonic())
                self.restarts[role] += 1
                self.start(role)

    def _hangs(self, role: str) -> bool:
        with suppress(FileNotFoundError):
            return time.time() - self._heartbeat(role).stat().st_mtime > liveness.limit_seconds(role)
        return False

    def rests(self) -> bool:
        self.tend()
        return checker.quiet()

    @contextmanager
    def load(self, journal: Path, *, seed: str, rate: float = 50) -> Iterator[Child]:
        """Changes by REST from now on; at the end it is told to stop, and has."""
        url = f"http://{liveness.LOOPBACK}:{self.port}"
        child = self.pipeline.generate(journal, seed=seed, rate=rate, rest=(url, token()))
        with asked_steadily(child, journal):
            yield child


@contextmanager
def asked_steadily(generator: Child, journal: Path) -> Iterator[None]:
    """Changes come about by this generator before the block, and none is asked for after it."""
    wait_until(lambda: acknowledged(journal) > 10, "changes come", seconds=60)
    yield
    generator.ask_to_stop()
    wait_until(lambda: not generator.runs, "the generator has stopped", seconds=60)
    assert generator.exit_code == 0


def acknowledged(journal: Path) -> int:
    return sum(operation.outcome == "ok" for operation in journals.read(journal))


def token() -> str:
    """A key for the journal's owner, to come in with by REST."""
    scopes = [PersonalToken.Scope.READ, PersonalToken.Scope.WRITE]
    made = credentials.create_personal_token(
        user=journals.owner(), name="load", scopes=scopes, expires_at=None, now=timezone.now()
    )
    return made.secret


def ring_every(seconds: int) -> None:
    """Declare the schedules, and have beat ring each so often, as an administrator may."""
    schedules.synchronise()
    interval = IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)[0]
    PeriodicTask.objects.update(interval=interval, expire_seconds=10)


def without(cure: str, role: str) -> list[str]:
    """The command of a role with one of its cures switched off: see `tests.faults.without`."""
    _, *words = settings.ROLES[role]
    return [sys.executable, "-m", "tests.faults.without", cure, *words]
