"""What is done to the platform with every role running: a backlog, changes and reads by REST, waiting until quiet."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.audit import chain
from apps.audit import selectors as audit
from apps.events.models import OutboxEntry
from apps.events.subscriptions import groups
from benchmarks.figures import Latency
from benchmarks.ground import Ground

ADA = ("ada", "ada-example")
_BESIDE_AUDIT = [group for group in settings.CONSUMER_GROUPS if group != "audit"]
OTHERS = tuple(f"worker-{group}" for group in _BESIDE_AUDIT)
_HANDLED_SINCE = """
SELECT min((SELECT count(*) FROM events_handledevent h WHERE h."group" = g.name AND h.handled_at >= %s))
FROM unnest(%s::text[]) AS g (name)
"""
_BACKLOG = """
WITH e AS (
    INSERT INTO events_event (event_id, type, topic, key, source, subject_type, subject_id, subject_version, owner_id,
                              actor_id, occurred_at, correlation_id, traceparent, data)
    SELECT gen_random_uuid(), type, topic, s.id::text, source, subject_type, s.id, 1, owner_id, actor_id, now(),
           correlation_id, traceparent, data
    FROM (SELECT * FROM events_event WHERE type = 'task.created.v1' ORDER BY position DESC LIMIT 1) one,
         (SELECT gen_random_uuid() AS id FROM generate_series(1, %s::int)) s
    RETURNING position
)
INSERT INTO events_outboxentry (event_id) SELECT position FROM e
"""
_NOT_HANDLED = """
SELECT (SELECT count(*) FROM events_event WHERE type = ANY(%s))
     - (SELECT count(*) FROM events_handledevent WHERE "group" = %s)
"""


@dataclass(frozen=True)
class Load:
    """What a client was answered: requests a second, how many, how many refused, and how long they took."""

    per_second: float
    done: int
    refused: int
    latency: Latency


@dataclass(frozen=True)
class Passage:
    """How many events a second got through, and what each cost in seconds of a processor, by role and service."""

    per_second: float
    each: dict[str, float]
    others: float


# --- A backlog ----------------------------------------------------------------------------------------


def backlog(ground: Ground, *, count: int) -> Passage:
    """So many events wait for a stopped relay, then go through it, Kafka and every group."""
    ground.stack.stop_roles("relay")
    _append_backlog(count)
    before, since = recorded(), timezone.now()
    waiting = OutboxEntry.objects.count()
    ground.start_role("relay")
    _wait(lambda: OutboxEntry.objects.count() < waiting)  # it is still starting
    return _passage(ground, lambda: min(recorded() - before, _handled_by_others(since)), count=count)


def _handled_by_others(since: datetime) -> int:
    """The fewest that a group beside audit has handled since then."""
    with connection.cursor() as cursor:
        cursor.execute(_HANDLED_SINCE, [since, _BESIDE_AUDIT])
        return int(cursor.fetchone()[0])


def apart(ground: Ground, *, count: int) -> tuple[Passage, Passage]:
    """The same backlog one after the other: through the relay while the groups stand, and, when all of it is in
    Kafka, through the audit group while the relay has nothing to do and the others stand.
    """
    ground.stack.stop_roles("relay", "worker-audit", *OTHERS)
    _append_backlog(count)
    ground.start_role("relay")
    _wait(lambda: OutboxEntry.objects.count() < count)
    relayed = _passage(ground, lambda: count - OutboxEntry.objects.count(), count=count)
    handled, _ = through_group(ground, count=count)
    start_others(ground)
    return relayed, handled


def start_others(ground: Ground) -> None:
    """The groups that stood while audit's was measured; they catch up before anything else is."""
    for role in OTHERS:
        ground.start_role(role)
    wait_until_quiet(patience=300)


def through_group(ground: Ground, *, count: int, **variables: str) -> tuple[Passage, float]:
    """A group that is down is started, with variables of its own, on what waits in Kafka for it; also the seconds
    from the start of its process to the first event handled.
    """
    before, started = recorded(), time.monotonic()
    ground.start_role("worker-audit", **variables)
    _wait(lambda: recorded() > before)
    first = time.monotonic() - started
    return _passage(ground, lambda: recorded() - before, count=count), first


def into_kafka(ground: Ground, *, count: int) -> None:
    """End the groups, and let so many events wait for them in Kafka."""
    ground.stack.stop_roles("worker-audit", *OTHERS)
    _append_backlog(count)
    _wait(lambda: not OutboxEntry.objects.exists())


def _append_backlog(count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_BACKLOG, [count])


def _passage(ground: Ground, done: Callable[[], int], *, count: int) -> Passage:
    """From now, when the first are done, to the last."""
    first, watch = done(), ground.watch()
    _wait(lambda: done() >= count)
    spent = watch.spent()
    return Passage((count - first) / spent.took, spent.each(count - first), spent.others)


def _wait(true: Callable[[], bool], *, patience: float = 120) -> None:
    """Rarely asked and by cheap questions: what is measured shares the processors."""
    until = time.monotonic() + patience
    while not true():
        time.sleep(0.05)
        _refuse_for_ever(until)


def recorded() -> int:
    """Records in the trail, without counting them."""
    return sum(head.sequence for head in audit.heads(range(chain.CHAINS)).values())


# --- Callers over REST --------------------------------------------------------------------------------


class Caller:
    """A client on many connections, in a process of its own, from now on; `load` when it is done."""

    def __init__(
        self,
        ground: Ground,
        *path: str,
        person: tuple[str, str] = ADA,
        connections: int,
        seconds: float,
        rate: float = 0,
    ) -> None:
        command = [sys.executable, "-m", "benchmarks.load", str(ground.stack.port), *person]
        self.seconds = seconds
        self._process = subprocess.Popen(
            [*command, str(connections), str(seconds), str(rate), *path], stdout=subprocess.PIPE, text=True
        )

    def load(self) -> Load:
        """Waits for its end. Raises `CalledProcessError` when it could not do what was asked."""
        printed, _ = self._process.communicate()
        if self._process.returncode:
            raise subprocess.CalledProcessError(self._process.returncode, self._process.args)
        result = json.loads(printed)
        return Load(
            per_second=result["done"] / self.seconds,
            done=result["done"],
            refused=result["refused"],
            latency=Latency.of(result["milliseconds"]),
        )


def wait_until_quiet(*, patience: float = 60) -> None:
    """Until nothing is on its way and each group has handled every event that is for it."""
    wanted = {group.name: [event_type.name for event_type in group.types()] for group in groups()}

    def quiet() -> bool:
        with connection.cursor() as cursor:
            for group, types in sorted(wanted.items(), reverse=True):  # audit last: what others handle leads to more
                cursor.execute(_NOT_HANDLED, [types, group])
                if cursor.fetchone()[0] != 0:
                    return False
        return not OutboxEntry.objects.exists()

    _wait(quiet, patience=patience)


def _refuse_for_ever(until: float) -> None:
    if time.monotonic() > until:
        raise TimeoutError("The pipeline did not get through in time; its logs are in the stack's folder.")
