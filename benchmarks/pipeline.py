"""What the platform does with every role running: a backlog, and changes as they come."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass

from django.db import connection

from apps.dev.stack import Stack
from apps.events import event_types
from apps.events.models import OutboxEntry

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


def backlog(stack: Stack, *, count: int, patience: float = 120) -> float:
    """So many events wait for a stopped relay: how many a second go through it, Kafka and the audit group."""
    stack.stop_roles("relay")
    with connection.cursor() as cursor:
        cursor.execute(_BACKLOG, [count])
    last = OutboxEntry.objects.latest("event_id").pk
    before = _handled()
    stack.start_roles("relay")
    until = time.monotonic() + patience
    while OutboxEntry.objects.filter(pk__lte=last).count() == count:
        time.sleep(0.005)  # the relay is still starting
        _refuse_for_ever(until)
    started = time.monotonic()
    while _handled() - before < count:
        time.sleep(0.02)
        _refuse_for_ever(until)
    return count / (time.monotonic() - started)


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


def _handled() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM events_handledevent WHERE \"group\" = 'audit'")
        return int(cursor.fetchone()[0])


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _refuse_for_ever(until: float) -> None:
    if time.monotonic() > until:
        raise TimeoutError("The pipeline did not get through in time; its logs are in the stack's folder.")
