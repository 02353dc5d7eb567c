"""The whole platform at a glance, as `manage.py status` shows it: what is where, how old, and how fast.

Invariants: each part is asked by itself, within its own time, so that one that is away hides no other; no table that
grows is counted (the trail's length is the sum of its chains' last numbers, the inbox is read for one minute).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from kombu import Connection
from kombu.exceptions import ChannelError

from apps.audit import checkpoints
from apps.audit import selectors as trail
from apps.audit.checkpoint_store import CheckpointsAway
from apps.events import schedules, selectors
from apps.events.brokers import current_broker
from apps.events.brokers.base import BrokerState
from apps.events.selectors import ProcessLife, RecentHandling, RelayLeader
from apps.ops import pipeline
from apps.ops.asking import Away, Question
from apps.ops.pipeline import PipelineState, Status

REDIS_TIMEOUT_SECONDS = 1.5
# Checkpoints may lie in an object store, which is paid by the question.
_CHECKPOINT_FRESH_SECONDS = 30.0
_FRESH_SECONDS = 0.5
# A ring that is late by so much more than its pace was missed.
_SWEEP_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Sweep:
    """A schedule that is declared, as its row has it; `age_seconds` since it last rang, `None`: never."""

    name: str
    every_seconds: int
    age_seconds: float | None
    enabled: bool = True
    is_there: bool = True

    @property
    def is_late(self) -> bool:
        return self.enabled and (self.age_seconds or 0) > 2 * self.every_seconds + _SWEEP_PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Work:
    """What PostgreSQL tells beside the state: the relay's leader, the last minute, processes and sweeps."""

    leader: RelayLeader | None
    recent: dict[str, RecentHandling]
    processes: list[ProcessLife]
    sweeps: list[Sweep]


@dataclass(frozen=True, slots=True)
class Trail:
    records: int
    chains: int


@dataclass(frozen=True, slots=True)
class LastCheckpoint:
    """`number` 0: there is none yet."""

    number: int
    taken_at: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    taken_at: datetime
    state: PipelineState | Away
    work: Work | Away
    kafka: BrokerState | Away
    lags: dict[str, int] | Away
    queues: dict[str, int] | Away
    trail: Trail | Away
    checkpoint: LastCheckpoint | Away

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
        "checkpoint": _CHECKPOINT,
    }
    for question in questions.values():
        question.begin()
    answers = {name: question.answer() for name, question in questions.items()}
    return Overview(taken_at=timezone.now(), **answers)


def troubles(seen: Overview) -> list[str]:
    """What is away or late, in words; the limits are the pipeline's."""
    return [*_away(seen), *_late(seen)]


def _away(seen: Overview) -> Iterator[str]:
    for field in fields(Overview):
        if isinstance(part := getattr(seen, field.name), Away):
            yield f"{field.name} is not known: {part.reason}"


def _late(seen: Overview) -> Iterator[str]:
    findings = {} if isinstance(seen.state, Away) else pipeline.findings_of(seen.state)
    if not isinstance(seen.lags, Away):
        findings |= pipeline.findings_of_lags(seen.lags)
    for name, finding in findings.items():
        if finding.status is not Status.OK:
            how = "not sound" if finding.details.get("sound") is False else finding.status
            yield f"{name.replace('_', ' ')} is {how}"
    if not isinstance(seen.work, Away):
        if seen.work.leader is None:
            yield "no relay leads"
        yield from (f"{sweep.name} rings late" for sweep in seen.work.sweeps if sweep.is_late)
        yield from (f"{sweep.name} is not there" for sweep in seen.work.sweeps if not sweep.is_there)


# --- Asking ---------------------------------------------------------------------------------------------


def _work() -> Work:
    with transaction.atomic():
        pipeline.limit_statements()
        return Work(
            leader=selectors.relay_leader(),
            recent=selectors.recently_handled(),
            processes=selectors.process_lives(),
            sweeps=_sweeps(),
        )


def _sweeps() -> list[Sweep]:
    now = timezone.now()
    rows = {row.name: row for row in PeriodicTask.objects.filter(name__in=schedules.declared())}
    return [
        Sweep(
            name=name,
            every_seconds=schedule.every_seconds,
            age_seconds=(now - row.last_run_at).total_seconds()
            if (row := rows.get(name)) and row.last_run_at
            else None,
            enabled=row is not None and row.enabled,
            is_there=row is not None,
        )
        for name, schedule in schedules.declared().items()
    ]


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


def _checkpoint() -> LastCheckpoint | Away:
    try:
        newest = checkpoints.newest()
    except (CheckpointsAway, checkpoints.CheckpointRefused, ImproperlyConfigured) as reason:
        return Away(str(reason))
    return LastCheckpoint(newest.number, newest.taken_at) if newest else LastCheckpoint(0, None)


_WORK = Question(_work, deadline_seconds=pipeline.DEADLINE_SECONDS, fresh_seconds=_FRESH_SECONDS)
_KAFKA = Question(_kafka, deadline_seconds=pipeline.DEADLINE_SECONDS)
_QUEUES = Question(_queues, deadline_seconds=pipeline.DEADLINE_SECONDS, fresh_seconds=_FRESH_SECONDS)
_TRAIL = Question(_trail, deadline_seconds=pipeline.DEADLINE_SECONDS, fresh_seconds=_FRESH_SECONDS)
_CHECKPOINT = Question(_checkpoint, deadline_seconds=pipeline.DEADLINE_SECONDS, fresh_seconds=_CHECKPOINT_FRESH_SECONDS)


# --- Telling --------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if isinstance(value, Away):
        return {"away": value.reason}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
