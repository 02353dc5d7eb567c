"""What the platform does with every role running: a backlog, and changes as they come."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection

from apps.audit import chain
from apps.audit import selectors as audit
from apps.dev.stack import Stack
from apps.events import event_types
from apps.events.models import OutboxEntry
from benchmarks import processors

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


# Snapshots are for screens: no group of today's handles them.
_NOT_HANDLED = """
SELECT (SELECT count(*) FROM events_event WHERE NOT type = ANY(%s))
     - (SELECT count(*) FROM events_handledevent WHERE "group" = 'audit')
"""


@dataclass(frozen=True)
class Load:
    """Requests answered per second, refusals, latencies and the client's processor time a request in milliseconds."""

    per_second: float
    done: int
    refused: int
    p50: float
    p99: float
    client: float


@dataclass(frozen=True)
class Passage:
    """How many events a second got through, what each cost in milliseconds of a processor, by role and service, and
    how many processors programs that are none of ours had meanwhile.
    """

    per_second: float
    spent: dict[str, float]
    others: float


def backlog(stack: Stack, *, count: int) -> Passage:
    """So many events wait for a stopped relay, then go through it, Kafka and the audit group."""
    stack.stop_roles("relay")
    _append_backlog(count)
    before = _recorded()
    waiting = OutboxEntry.objects.count()
    stack.start_roles("relay")
    _wait(lambda: OutboxEntry.objects.count() < waiting)  # it is still starting
    return _passage(stack, lambda: _recorded() - before, count=count)


def apart(stack: Stack, *, count: int) -> tuple[Passage, Passage]:
    """The same backlog one after the other: through the relay while the group stands, and, when all of it is in
    Kafka, through the group while the relay has nothing to do.
    """
    stack.stop_roles("relay", "worker-audit")
    _append_backlog(count)
    stack.start_roles("relay")
    _wait(lambda: OutboxEntry.objects.count() < count)
    relayed = _passage(stack, lambda: count - OutboxEntry.objects.count(), count=count)
    before = _recorded()
    stack.start_roles("worker-audit")
    _wait(lambda: _recorded() > before)
    return relayed, _passage(stack, lambda: _recorded() - before, count=count)


def _append_backlog(count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_BACKLOG, [count])


def _passage(stack: Stack, done: Callable[[], int], *, count: int) -> Passage:
    """From now, when the first are done, to the last."""
    first, before, started = done(), processors.seconds_by_part(stack), time.monotonic()
    busy, own = processors.busy_seconds(), time.process_time()
    _wait(lambda: done() >= count)
    took, after = time.monotonic() - started, processors.seconds_by_part(stack)
    own = time.process_time() - own
    ours = own + sum(after[part] - before.get(part, 0.0) for part in after)
    others = max(0.0, processors.busy_seconds() - busy - ours) / took
    return Passage((count - first) / took, processors.milliseconds_each(before, after, count - first), others)


def _wait(true: Callable[[], bool], *, patience: float = 120) -> None:
    """Rarely asked and by cheap questions: what is measured shares the processors."""
    until = time.monotonic() + patience
    while not true():
        time.sleep(0.05)
        _refuse_for_ever(until)


def _recorded() -> int:
    """Records in the trail, without counting them."""
    return sum(head.sequence for head in audit.heads(range(chain.CHAINS)).values())


def changes(stack: Stack, *, connections: int, seconds: float, rate: float = 0) -> Load:
    """Tasks created over REST by one person on many connections."""
    return _load(stack, "ada", "ada-example", connections=connections, seconds=seconds, rate=rate)


def reads(stack: Stack, path: str, *, username: str, password: str, connections: int, seconds: float) -> Load:
    """One address read over REST by one person on many connections."""
    return _load(stack, username, password, path, connections=connections, seconds=seconds, rate=0)


def _load(
    stack: Stack, username: str, password: str, *path: str, connections: int, seconds: float, rate: float
) -> Load:
    command = [sys.executable, "-m", "benchmarks.load", str(stack.port), username, password]
    finished = subprocess.run(
        [*command, str(connections), str(seconds), str(rate), *path], capture_output=True, text=True, check=True
    )
    result = json.loads(finished.stdout)
    latencies = sorted(result["milliseconds"])
    return Load(
        per_second=result["done"] / seconds,
        done=result["done"],
        refused=result["refused"],
        p50=_quantile(latencies, 0.5),
        p99=_quantile(latencies, 0.99),
        client=result["processor_milliseconds"] / max(1, result["done"]),
    )


def commit_to_handled(*, since_position: int) -> tuple[float, float]:
    """From the insert of an event to its handling by audit, in milliseconds: p50 and p99."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT percentile_cont(ARRAY[0.5, 0.99])"
            " WITHIN GROUP (ORDER BY extract(epoch FROM h.handled_at - e.recorded_at))"
            " FROM events_event e JOIN events_handledevent h ON h.\"group\" = 'audit' AND h.event_id = e.event_id"
            " WHERE e.position > %s",
            [since_position],
        )
        p50, p99 = cursor.fetchone()[0]
    return float(p50) * 1000, float(p99) * 1000


def last_position() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(position), 0) FROM events_event")
        return int(cursor.fetchone()[0])


def wait_until_quiet(*, patience: float = 60) -> None:
    until = time.monotonic() + patience
    snapshots = [event_type.name for event_type in event_types.declared() if event_type.snapshot]
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_NOT_HANDLED, [snapshots])
            if cursor.fetchone()[0] == 0:
                return
            time.sleep(0.05)
            _refuse_for_ever(until)


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _refuse_for_ever(until: float) -> None:
    if time.monotonic() > until:
        raise TimeoutError("The pipeline did not get through in time; its logs are in the stack's folder.")
