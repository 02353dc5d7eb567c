"""The whole platform at a glance, as `manage.py status` shows it: what is where, how old, and how fast.

Invariants: each part is asked by itself, within its own time, so that one that is away hides no other; no table that
grows is counted (the trail's length is the sum of its chains' last numbers, the inbox is read for one minute).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu import Connection
from kombu.exceptions import ChannelError

from apps.audit import selectors as trail
from apps.events import selectors
from apps.events.brokers import current_broker
from apps.events.brokers.base import BrokerState
from apps.events.selectors import ProcessLife, RecentHandling, RelayLeader
from apps.ops import pipeline
from apps.ops.asking import Away, Question, without_secrets
from apps.ops.pipeline import Conditions, PipelineState, Status

REDIS_TIMEOUT_SECONDS = 1.5
_FRESH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Work:
    """What PostgreSQL tells beside the state: the relay's leader, the last minute, processes."""

    leader: RelayLeader | None
    recent: dict[str, RecentHandling]
    processes: list[ProcessLife]


@dataclass(frozen=True, slots=True)
class Trail:
    records: int
    chains: int


# Which server each part is asked of.
ASKED_OF = {
    **dict.fromkeys(("state", "work", "trail"), "PostgreSQL"),
    **dict.fromkeys(("kafka", "lags"), "Kafka"),
    "queues": "Redis",
}


@dataclass(frozen=True, slots=True)
class Overview:
    taken_at: datetime
    state: PipelineState | Away
    work: Work | Away
    kafka: BrokerState | Away
    lags: dict[str, int] | Away
    queues: dict[str, int] | Away
    trail: Trail | Away

    def as_dict(self) -> dict[str, Any]:
        """For JSON; a part that is away is `{"away": reason}`."""
        return {**_plain(self), "troubles": troubles(self)}


def take() -> Overview:
    """Ask everything at once."""
    questions: dict[str, Question[Any]] = {
        "state": pipeline.STATE,
        "work": _WORK,
        "kafka": _KAFKA,
        "lags": pipeline.LAGS,
        "queues": _QUEUES,
        "trail": _TRAIL,
    }
    for question in questions.values():
        question.begin()
    answers = {name: question.answer() for name, question in questions.items()}
    return Overview(taken_at=timezone.now(), **answers)


def troubles(seen: Overview) -> list[str]:
    """What is away or late, in words; the limits are the pipeline's."""
    return [*_away(seen), *_late(seen)]


def _away(seen: Overview) -> Iterator[str]:
    """Each server once, however many parts are asked of it."""
    told = set()
    for part, server in ASKED_OF.items():
        if isinstance(found := getattr(seen, part), Away) and server not in told:
            told.add(server)
            yield f"{server}: {found.reason}"


def _late(seen: Overview) -> Iterator[str]:
    for name, condition in conditions(seen).items():
        if condition.status is not Status.OK:
            how = "not sound" if condition.details.get("sound") is False else condition.status
            because = f": {condition.details['reason']}" if "reason" in condition.details else ""
            yield f"{name.replace('_', ' ')} is {how}{without_secrets(because)}"
    if not isinstance(seen.work, Away) and seen.work.leader is None:
        yield "no relay leads"


def conditions(seen: Overview) -> Conditions:
    """Of every part that answered, by the pipeline's limits."""
    found = {} if isinstance(seen.state, Away) else pipeline.conditions_of(seen.state)
    return found if isinstance(seen.lags, Away) else found | pipeline.conditions_of_lags(seen.lags)


# --- Asking ---------------------------------------------------------------------------------------------


def _work() -> Work:
    with transaction.atomic():
        pipeline.limit_statements()
        return Work(
            leader=selectors.relay_leader(),
            recent=selectors.recently_handled(),
            processes=selectors.process_lives(),
        )


def _kafka() -> BrokerState:
    return current_broker().state(timeout=pipeline.KAFKA_TIMEOUT_SECONDS)


def _queues() -> dict[str, int]:
    """Jobs that no worker has taken yet, by queue."""
    limits = {"socket_timeout": REDIS_TIMEOUT_SECONDS, "socket_connect_timeout": REDIS_TIMEOUT_SECONDS}
    with Connection(settings.CELERY_BROKER_URL, transport_options=limits) as redis:
        channel = redis.channel()
        return {queue.name: _depth(channel, queue.name) for queue in settings.CELERY_TASK_QUEUES}


def _depth(channel: Any, queue: str) -> int:
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except ChannelError:  # Redis has no empty lists
        return 0


def _trail() -> Trail:
    with transaction.atomic():
        pipeline.limit_statements()
        heads = trail.heads()
        return Trail(records=sum(head.sequence for head in heads.values()), chains=len(heads))


_WORK = Question(_work, deadline_seconds=pipeline.DEADLINE_SECONDS, fresh_seconds=_FRESH_SECONDS)
_KAFKA = Question(_kafka, deadline_seconds=pipeline.DEADLINE_SECONDS)
_QUEUES = Question(_queues, deadline_seconds=pipeline.DEADLINE_SECONDS, fresh_seconds=_FRESH_SECONDS)
_TRAIL = Question(_trail, deadline_seconds=pipeline.DEADLINE_SECONDS, fresh_seconds=_FRESH_SECONDS)


# --- Telling --------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if isinstance(value, Away):
        return {"away": value.reason}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
