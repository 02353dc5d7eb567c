"""The platform at a steady pace: what waits where, sampled each second, and how long each event took to be handled.

Both ends of the way are the commits of transactions as PostgreSQL noted them: one clock, and nothing counted that
was not yet visible.
"""

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from django.db import connection

from apps.events.brokers import get_broker
from apps.events.brokers.base import Broker
from apps.events.envelope import header
from apps.events.subscriptions import group_named
from benchmarks import pipeline
from benchmarks.figures import Latency, Trend
from benchmarks.ground import Ground
from benchmarks.pipeline import Caller, Load
from benchmarks.processors import Held, Spent

# Clients, connections and caches come up in the first seconds; after them things are steady or are not.
_SETTLING_SHARE = 0.08
# As many as the web has threads: a slow answer keeps the next waiting, and its latency tells.
_CONNECTIONS = 8
_READING_SECONDS = 30.0
# Of each event, in milliseconds since 1970: the commit of its change, and of the group that handled it.
_COMMITS = """
SELECT e.event_id::text, extract(epoch FROM pg_xact_commit_timestamp(e.xmin)) * 1000,
       extract(epoch FROM pg_xact_commit_timestamp(h.xmin)) * 1000
FROM events_event e JOIN events_handledevent h ON h."group" = 'audit' AND h.event_id = e.event_id
WHERE e.position > %s
"""
_COMMITTED = "SELECT count(*) FROM events_event WHERE position > %s AND topic = ANY(%s)"
_LAST = "SELECT coalesce(max(position), 0) FROM events_event"
_DEPTH = "SELECT count(*) FROM events_outboxentry"


@dataclass
class Pace:
    """What came of it: what the caller met; the way from commit to commit, and the part of it until the relay handed
    the event to its Kafka client; what waited; what was spent and held.
    """

    load: Load
    handled: Latency
    relayed: Latency
    spent: Spent
    memory: dict[str, Held]
    waiting: dict[str, Trend]


def keep(ground: Ground, *, rate: float, seconds: float) -> Pace:
    """Changes by REST at this rate for so long."""
    start, before = _asked(_LAST), pipeline.recorded()
    group = group_named("audit")
    broker, topics = get_broker(), group.topics()
    questions: dict[str, Callable[[], int]] = {
        "outbox depth": lambda: _asked(_DEPTH),
        "committed, not yet handled by audit": lambda: before - pipeline.recorded() + _asked(_COMMITTED, start, topics),
        "audit's lag as Kafka knows it": lambda: broker.lag(group.name, topics),
    }
    watch = ground.watch()
    caller = Caller(ground, connections=_CONNECTIONS, seconds=seconds, rate=rate)
    samples = _sampled(questions, seconds=seconds)
    memory = ground.memory()
    load = caller.load()
    spent = watch.spent()
    pipeline.wait_until_quiet()
    waiting = {what: Trend.of(values[int(len(values) * _SETTLING_SHARE) :]) for what, values in samples.items()}
    commits = _commits(since=start)
    stored = _stored_at(broker, topics, commits)
    return Pace(
        load=load,
        handled=Latency.of([handled - committed for committed, handled in commits.values()]),
        relayed=Latency.of([stored[event_id] - commits[event_id][0] for event_id in stored]),
        spent=spent,
        memory=memory,
        waiting=waiting,
    )


def _sampled(questions: dict[str, Callable[[], int]], *, seconds: float) -> dict[str, list[tuple[float, float]]]:
    """The answers, with the seconds since the start: each asked once a second, at no certain moment of it, because
    offsets are committed each second.
    """
    samples: dict[str, list[tuple[float, float]]] = {what: [] for what in questions}
    started = time.monotonic()
    for second in range(int(seconds)):
        time.sleep(max(0.0, started + second + random.random() - time.monotonic()))
        for what, ask in questions.items():
            samples[what].append((time.monotonic() - started, ask()))
    return samples


def _asked(question: str, *values: int | list[str]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(question, values)
        return int(cursor.fetchone()[0])


def _commits(*, since: int) -> dict[str, tuple[float, float]]:
    with connection.cursor() as cursor:
        cursor.execute(_COMMITS, [since])
        return {event_id: (float(committed), float(handled)) for event_id, committed, handled in cursor.fetchall()}


def _stored_at(broker: Broker, topics: Sequence[str], wanted: Collection[str]) -> dict[str, float]:
    """The time that Kafka has for each event: by the clock of its producer, this machine's; in milliseconds."""
    found: dict[str, float] = {}
    until = time.monotonic() + _READING_SECONDS
    for record in broker.tail(topics, from_beginning=True):
        if record is not None and (event_id := header(record.headers, "ce_id")) in wanted:
            found.setdefault(event_id, record.stored_at)
        if len(found) == len(wanted) or time.monotonic() > until:
            break
    return found
