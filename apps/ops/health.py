"""How each thing the platform stands on is doing, asked of all of them at once.

Invariant: an answer comes within `DEADLINE_SECONDS`, whatever hangs. PostgreSQL alone decides whether the
platform is up: without Redis or Kafka, changes are accepted and the rest catches up.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.events import selectors
from apps.events.brokers import get_broker

DEADLINE_SECONDS = 3.0
READY_DEADLINE_SECONDS = 2.0
REDIS_TIMEOUT_SECONDS = 1
KAFKA_TIMEOUT_SECONDS = 2
STATEMENT_TIMEOUT_MILLISECONDS = 1500

# Beyond these the pipeline is late: the relay polls every few ms, the reconcile runs every minute.
OUTBOX_LATE_SECONDS = 30
RECONCILE_LATE_SECONDS = 180

# Bounded, so that asking again and again while something hangs costs no more than this many threads.
_askers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="health")
# Readiness has its own, so that a Kafka that hangs cannot make PostgreSQL look away.
_ready_askers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="ready")


class Status(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Finding:
    """`details` are for staff: they may name hosts."""

    status: Status
    details: dict[str, Any] = field(default_factory=dict)


Findings = dict[str, Finding]


@dataclass(frozen=True, slots=True)
class Health:
    status: Status
    findings: Findings


def look() -> Health:
    """Ask everything, in parallel."""
    channels: Any = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    findings = _asked(
        {
            "postgresql": _postgresql,
            "kafka": _kafka,
            "redis_jobs": partial(_redis, "redis_jobs", settings.CELERY_BROKER_URL),
            "redis_sockets": partial(_redis, "redis_sockets", channels["hosts"][0]),
            "pipeline": _pipeline,
        },
        deadline_seconds=DEADLINE_SECONDS,
    )
    return Health(status=_overall(findings), findings=findings)


def is_ready() -> bool:
    """Whether PostgreSQL answers: all that a change needs."""
    findings = _asked({"postgresql": _postgresql}, deadline_seconds=READY_DEADLINE_SECONDS, askers=_ready_askers)
    return findings["postgresql"].status is Status.OK


def _overall(findings: Findings) -> Status:
    if findings["postgresql"].status is Status.DOWN:
        return Status.DOWN
    well = all(finding.status is Status.OK for finding in findings.values())
    return Status.OK if well else Status.DEGRADED


def _asked(
    questions: dict[str, Callable[[], Findings]],
    *,
    deadline_seconds: float,
    askers: ThreadPoolExecutor = _askers,
) -> Findings:
    asked = {name: askers.submit(question) for name, question in questions.items()}
    wait(asked.values(), timeout=deadline_seconds)
    findings: Findings = {}
    for name, future in asked.items():
        findings |= _outcome(name, future, deadline_seconds)
    return findings


def _outcome(name: str, future: Future[Findings], deadline_seconds: float) -> Findings:
    if not future.done():
        future.cancel()
        return {name: Finding(Status.DOWN, {"reason": f"no answer within {deadline_seconds:g} s"})}
    if failure := future.exception():
        return {name: Finding(Status.DOWN, {"reason": f"{type(failure).__name__}: {failure}".strip()})}
    return future.result()


def _postgresql() -> Findings:
    started_at = time.perf_counter()
    _in_short_transaction(lambda: None)
    return {"postgresql": Finding(Status.OK, {"milliseconds": _milliseconds_since(started_at)})}


def _pipeline() -> Findings:
    findings: Findings = {}
    _in_short_transaction(lambda: findings.update(_outbox() | _dead_letters() | _groups()))
    return findings


def _in_short_transaction(ask: Callable[[], None]) -> None:
    """Run `ask` on a connection of this thread, which is given back at once."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MILLISECONDS:d}")
            ask()
    finally:
        connection.close()


def _outbox() -> Findings:
    outbox = selectors.outbox_status()
    late = outbox.oldest_age_seconds > OUTBOX_LATE_SECONDS
    details = {"depth": outbox.depth, "oldest_age_seconds": round(outbox.oldest_age_seconds, 3)}
    return {"outbox": Finding(Status.DEGRADED if late else Status.OK, details)}


def _dead_letters() -> Findings:
    parked = selectors.parked_count()
    return {"dead_letters": Finding(Status.DEGRADED if parked else Status.OK, {"parked": parked})}


def _groups() -> Findings:
    progress = {row.group: row for row in selectors.group_progress()}
    return {f"group_{group}": _group(progress.get(group)) for group in settings.CONSUMER_GROUPS}


def _group(progress: selectors.GroupStatus | None) -> Finding:
    if progress is None or progress.checked_at is None:
        return Finding(Status.DEGRADED, {"reason": "its worker has not reconciled yet"})
    age_seconds = (timezone.now() - progress.checked_at).total_seconds()
    details = {
        "reconciled_seconds_ago": round(age_seconds, 1),
        "repaired": progress.repaired,
        "caught_up": progress.caught_up,
        "parked": progress.parked,
    }
    return Finding(Status.DEGRADED if age_seconds > RECONCILE_LATE_SECONDS else Status.OK, details)


def _redis(name: str, url: str) -> Findings:
    started_at = time.perf_counter()
    with Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    ) as client:
        client.ping()
    return {name: Finding(Status.OK, {"milliseconds": _milliseconds_since(started_at)})}


def _kafka() -> Findings:
    started_at = time.perf_counter()
    get_broker().state(timeout=KAFKA_TIMEOUT_SECONDS)
    return {"kafka": Finding(Status.OK, {"milliseconds": _milliseconds_since(started_at)})}


def _milliseconds_since(started_at: float) -> float:
    return round((time.perf_counter() - started_at) * 1000, 1)
