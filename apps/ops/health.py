"""How each thing the platform stands on is doing, asked of all of them at once.

Invariants: the same things are told each time, "unknown" where nothing can be; an answer comes within
`DEADLINE_SECONDS`, whatever hangs, and at once while it goes on hanging.
PostgreSQL alone decides whether the platform is up: without Redis or Kafka, changes are accepted and the rest
catches up.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.events.brokers import current_broker
from apps.ops import pipeline
from apps.ops.asking import Away, Question
from apps.ops.pipeline import Condition, Conditions, Status

DEADLINE_SECONDS = pipeline.DEADLINE_SECONDS
READY_DEADLINE_SECONDS = 2.0
READY_FRESH_SECONDS = 1.0
REDIS_TIMEOUT_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Health:
    status: Status
    conditions: Conditions


def look() -> Health:
    """Ask everything, in parallel, or tell what was found a second or two ago."""
    for question, _, _ in _QUESTIONS:
        question.begin()
    conditions: Conditions = {}
    for question, tell, tell_away in _QUESTIONS:
        answer = question.answer()
        conditions |= tell_away(answer.reason) if isinstance(answer, Away) else tell(answer)
    return Health(status=_overall(conditions), conditions=conditions)


def is_ready() -> bool:
    """Whether PostgreSQL answers: all that a change needs."""
    _READY.begin()
    return not isinstance(_READY.answer(), Away)


def forget() -> None:
    """Have everything asked anew."""
    for question, _, _ in _QUESTIONS:
        question.forget()
    _READY.forget()


def _away(name: str, reason: str) -> Conditions:
    return {name: Condition(Status.DOWN, {"reason": reason})}


def _overall(conditions: Conditions) -> Status:
    if conditions["postgresql"].status is Status.DOWN:
        return Status.DOWN
    well = all(condition.status is Status.OK for condition in conditions.values())
    return Status.OK if well else Status.DEGRADED


# --- Each of them answers with how many milliseconds it took ---------------------------------------------


def _postgresql() -> float:
    started_at = time.perf_counter()
    with transaction.atomic():
        pipeline.limit_statements()
    return _milliseconds_since(started_at)


def _redis(url: Callable[[], str]) -> float:
    started_at = time.perf_counter()
    with Redis.from_url(
        url(),
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    ) as client:
        client.ping()
    return _milliseconds_since(started_at)


def _of_jobs() -> str:
    return settings.CELERY_BROKER_URL


def _of_sockets() -> str:
    channels: Any = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    return str(channels["hosts"][0])


def _kafka() -> float:
    started_at = time.perf_counter()
    current_broker().state(timeout=pipeline.KAFKA_TIMEOUT_SECONDS)
    return _milliseconds_since(started_at)


def _milliseconds_since(started_at: float) -> float:
    return round((time.perf_counter() - started_at) * 1000, 1)


def _answers(name: str, milliseconds: float) -> Conditions:
    return {name: Condition(Status.OK, {"milliseconds": milliseconds})}


_DEPENDENCIES: dict[str, Callable[[], float]] = {
    "postgresql": _postgresql,
    "kafka": _kafka,
    "redis_jobs": partial(_redis, _of_jobs),
    "redis_sockets": partial(_redis, _of_sockets),
}
# Each with how its answer is told, and that there is none.
_QUESTIONS: list[tuple[Question[Any], Callable[[Any], Conditions], Callable[[str], Conditions]]] = [
    *(
        (Question(ask, deadline_seconds=DEADLINE_SECONDS), partial(_answers, name), partial(_away, name))
        for name, ask in _DEPENDENCIES.items()
    ),
    (pipeline.STATE, pipeline.conditions_of, pipeline.conditions_without_state),
    (pipeline.LAGS, pipeline.conditions_of_lags, pipeline.conditions_without_lags),
]
# Of its own, so that what health asks for cannot make PostgreSQL look away.
_READY = Question(_postgresql, deadline_seconds=READY_DEADLINE_SECONDS, fresh_seconds=READY_FRESH_SECONDS)
