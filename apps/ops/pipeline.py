"""Where the pipeline stands, from the outbox to each group, and what of it is late.

The one place with the limits: health, metrics and the commands tell the same of the same state.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.audit import checkpoint_writer
from apps.audit.checkpoint_writer import WriterStatus
from apps.audit.selectors import VerificationStatus, verification_status
from apps.events import schedules, selectors
from apps.events.brokers import current_broker
from apps.events.selectors import GroupStatus, OutboxStatus, RoleLife, Sweep
from apps.events.subscriptions import group_named
from apps.notifications.selectors.instruments import DeliveriesStatus, RemindersStatus, reminders_status
from apps.ops.asking import Question

DEADLINE_SECONDS = 3.0
# Asking for a lag takes a consumer of its own.
LAG_FRESH_SECONDS = 5.0
STATEMENT_TIMEOUT_MILLISECONDS = 1500
KAFKA_TIMEOUT_SECONDS = 2

# The relay polls every few ms.
OUTBOX_LATE_SECONDS = 30
# A few seconds of work for a group; beyond that it falls behind what is written.
LAG_LATE_RECORDS = 10_000
# The reconcile runs every minute.
RECONCILE_LATE_SECONDS = 180
# What is new is verified every minute, everything piece by piece beside it.
VERIFICATION_LATE_SECONDS = 300
WHOLE_VERIFICATION_LATE_SECONDS = 24 * 3600
# A checkpoint is signed within a minute; beyond this a cut of the trail's end could not be proved.
CHECKPOINT_LATE_SECONDS = 900
# The sweep for reminders looks every few seconds; a doorbell rings for what is due before.
REMINDERS_LATE_SECONDS = 30
# What is due to go out begins within a second or two while there is a place for it.
DELIVERIES_LATE_SECONDS = 120
# A ring may be missed once; beyond so many periods nobody rings.
SWEEP_LATE_PERIODS = 3


class Status(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """How one part does. `details` are for staff: they may name hosts; `reason` among them is in words."""

    status: Status
    details: dict[str, Any] = field(default_factory=dict)


Conditions = dict[str, Condition]


@dataclass(frozen=True, slots=True)
class PipelineState:
    """What PostgreSQL knows. Of a group that has never reconciled there is no status, of every role a life."""

    outbox: OutboxStatus
    parked: dict[str, int]
    groups: dict[str, GroupStatus | None]
    roles: list[RoleLife]
    verification: VerificationStatus
    checkpoint: WriterStatus
    sweeps: list[Sweep]
    reminders: RemindersStatus


def state() -> PipelineState:
    """Read it, quickly or not at all: raises `OperationalError` beyond the statement limit."""
    with transaction.atomic():
        limit_statements()
        progress = {row.group: row for row in selectors.group_progress()}
        return PipelineState(
            outbox=selectors.outbox_status(),
            parked=selectors.parked_by_group(),
            groups={group: progress.get(group) for group in settings.CONSUMER_GROUPS},
            roles=selectors.role_lives(),
            verification=verification_status(),
            checkpoint=checkpoint_writer.status(),
            sweeps=selectors.sweeps(),
            reminders=reminders_status(),
        )


def limit_statements() -> None:
    """For the transaction at hand."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MILLISECONDS:d}")


def lags() -> dict[str, int]:
    """How many records each group has yet to handle. Raises `BrokerFailed` when Kafka does not answer."""
    broker = current_broker()
    return {
        group: broker.lag(group, group_named(group).topics(), timeout=KAFKA_TIMEOUT_SECONDS)
        for group in settings.CONSUMER_GROUPS
    }


# Each is read once for all who ask within a moment.
STATE = Question(state, deadline_seconds=DEADLINE_SECONDS)
LAGS = Question(lags, deadline_seconds=DEADLINE_SECONDS, fresh_seconds=LAG_FRESH_SECONDS)


# --- What is late ---------------------------------------------------------------------------------------


def conditions_of(found: PipelineState) -> Conditions:
    """Each part by its name: degraded beyond its limit."""
    return {
        "outbox": _outbox(found.outbox),
        "dead_letters": _dead_letters(sum(found.parked.values())),
        "audit_trail": _audit_trail(found.verification),
        "audit_checkpoint": _audit_checkpoint(found.checkpoint),
        "reminders": _reminders(found.reminders),
        "deliveries": _deliveries(found.reminders.deliveries),
        **{f"group_{group}": _group(status) for group, status in found.groups.items()},
        **{f"role_{life.role}": _role(life) for life in found.roles},
        **{name_of(sweep): _sweep(sweep) for sweep in found.sweeps},
    }


def name_of(sweep: Sweep) -> str:
    """The name of its condition."""
    return _name_of_sweep(sweep.name)


def _name_of_sweep(name: str) -> str:
    return f"sweep_{name.lower().replace(' ', '_')}"


def conditions_without_state(reason: str) -> Conditions:
    """The same names as `conditions_of`, when there is nothing to tell them of."""
    names = [
        *("outbox", "dead_letters", "audit_trail", "audit_checkpoint", "reminders", "deliveries"),
        *(f"group_{group}" for group in settings.CONSUMER_GROUPS),
        *(f"role_{role}" for role in settings.ROLES),
        *map(_name_of_sweep, schedules.declared()),
    ]
    return _unknown(names, reason)


def conditions_without_lags(reason: str) -> Conditions:
    """The same names as `conditions_of_lags`."""
    return _unknown([f"lag_{group}" for group in settings.CONSUMER_GROUPS], reason)


def _unknown(names: list[str], reason: str) -> Conditions:
    return {name: Condition(Status.UNKNOWN, {"reason": reason}) for name in names}


def conditions_of_lags(found: dict[str, int]) -> Conditions:
    return {f"lag_{group}": _condition(late=lag > LAG_LATE_RECORDS, records=lag) for group, lag in found.items()}


def _condition(*, late: bool, **details: object) -> Condition:
    return Condition(Status.DEGRADED if late else Status.OK, details)


def _outbox(outbox: OutboxStatus) -> Condition:
    return _condition(
        late=outbox.oldest_age_seconds > OUTBOX_LATE_SECONDS or outbox.held > 0,
        depth=outbox.depth,
        oldest_age_seconds=round(outbox.oldest_age_seconds, 3),
        held=outbox.held,
    )


def _dead_letters(parked: int) -> Condition:
    return _condition(late=parked > 0, parked=parked)


def _audit_trail(found: VerificationStatus) -> Condition:
    if found.age_seconds is None:
        return Condition(Status.DEGRADED, {"reason": "it has not been verified yet"})
    whole_age_seconds = found.whole_age_seconds
    late = found.age_seconds > VERIFICATION_LATE_SECONDS
    whole_is_late = whole_age_seconds is not None and whole_age_seconds > WHOLE_VERIFICATION_LATE_SECONDS
    return _condition(
        late=late or whole_is_late or not found.sound,
        sound=found.sound,
        findings=found.findings,
        verified_seconds_ago=_rounded(found.age_seconds),
        whole_verified_seconds_ago=_rounded(whole_age_seconds),
    )


def _audit_checkpoint(found: WriterStatus) -> Condition:
    """By what its writer noted in the database: an instrument, which whoever writes facts could deceive."""
    if found.tried_age_seconds is None:
        return Condition(Status.DEGRADED, {"reason": "no round of its writer has been noted yet"})
    silent = found.tried_age_seconds > CHECKPOINT_LATE_SECONDS
    unsigned = found.unsigned_age_seconds > CHECKPOINT_LATE_SECONDS
    told = {"reason": f"{found.trouble}: {found.because}"} if found.trouble else {}
    return _condition(
        late=silent or unsigned or bool(found.trouble),
        **told,
        number=found.number,
        taken_seconds_ago=_rounded(found.age_seconds),
        tried_seconds_ago=_rounded(found.tried_age_seconds),
        unsigned_for_seconds=_rounded(found.unsigned_age_seconds),
    )


def _reminders(found: RemindersStatus) -> Condition:
    if found.swept_seconds is None:
        return Condition(Status.DEGRADED, {"reason": "nobody has looked for reminders that are due yet"})
    return _condition(
        late=max(found.oldest_due_seconds, found.swept_seconds) > REMINDERS_LATE_SECONDS,
        waiting=found.waiting,
        due=found.due,
        oldest_due_seconds=_rounded(found.oldest_due_seconds),
        looked_seconds_ago=_rounded(found.swept_seconds),
    )


def _deliveries(found: DeliveriesStatus) -> Condition:
    """Those that failed for good are no fault of the platform's, mostly: they are told, and alarm nobody here."""
    return _condition(
        late=found.oldest_due_seconds > DELIVERIES_LATE_SECONDS,
        waiting=found.waiting,
        sending=found.sending,
        held=found.held,
        failed=found.failed,
        oldest_due_seconds=_rounded(found.oldest_due_seconds),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _sweep(sweep: Sweep) -> Condition:
    if not sweep.is_there:
        return Condition(Status.DEGRADED, {"reason": "its schedule is not there"})
    return _condition(
        # One that somebody switched off is not late.
        late=sweep.enabled and sweep.silent_seconds > SWEEP_LATE_PERIODS * sweep.every_seconds,
        enabled=sweep.enabled,
        every_seconds=sweep.every_seconds,
        rang_seconds_ago=_rounded(sweep.age_seconds),
        silent_for_seconds=_rounded(sweep.silent_seconds),
    )


def _group(status: GroupStatus | None) -> Condition:
    if status is None or status.checked_at is None:
        return Condition(Status.DEGRADED, {"reason": "its worker has not reconciled yet"})
    age_seconds = (timezone.now() - status.checked_at).total_seconds()
    return _condition(
        late=age_seconds > RECONCILE_LATE_SECONDS,
        reconciled_seconds_ago=round(age_seconds, 1),
        repaired=status.repaired,
        caught_up=status.caught_up,
        parked=status.parked,
    )


def _role(life: RoleLife) -> Condition:
    if life.youngest_age_seconds is None:
        return Condition(Status.DEGRADED, {"processes": 0, "reason": "no process of it has beaten within a day"})
    return _condition(
        late=not life.lives,
        processes=life.processes,
        beat_seconds_ago=round(life.youngest_age_seconds, 1),
        limit_seconds=life.limit_seconds,
    )
