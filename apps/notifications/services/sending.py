"""What became of a claimed delivery, kept; the door to the other steps of sending one.

Invariant: an outcome is kept by whoever still has the claim, by compare-and-set on the fence; of anybody else it
changes nothing at all. Row, attempt, the books of the destination and what is told of reminders share a transaction.
A claim whose lease ran out was given up: whether it arrived is unknown, and it is tried again with the same key.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from apps.notifications import metrics
from apps.notifications.models import Delivery, DeliveryAttempt, Notification, Reminder
from apps.notifications.selectors.clock import database_now
from apps.notifications.sending import backing_off, kept_notes
from apps.notifications.sending.kept_notes import fit
from apps.notifications.services import reminders
from apps.notifications.services.claiming import Claimed, claim, items_of, next_in_seconds
from apps.notifications.services.composing import DIED, Died, prepare
from apps.notifications.transports.base import NotSent, Receipt, Refused, Transport, TryAgain, Unreachable

__all__ = [
    "DIED",
    "MOST_DEATHS",
    "Claimed",
    "Died",
    "Finished",
    "TimedOut",
    "bury",
    "claim",
    "finish",
    "next_in_seconds",
    "prepare",
]

log = structlog.get_logger(__name__)

# So many senders may die of one delivery, however often it may be tried.
MOST_DEATHS = 8

Status = Delivery.Status
Outcome = DeliveryAttempt.Outcome


class TimedOut(TryAgain):
    """No answer within the transport's time."""


_WRITE = """
UPDATE notifications_delivery d
SET error = v.error, status = v.status, send_at = v.send_at, finished_at = v.finished_at, lease_until = NULL
FROM unnest(%s::uuid[], %s::integer[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS v(id, fence, error, status, send_at, finished_at)
WHERE d.id = v.id AND d.fence = v.fence AND d.status = 'sending'
"""
_WRITE_ATTEMPTS = """
UPDATE notifications_deliveryattempt a
SET error = v.error, outcome = v.outcome, seconds = v.seconds, request = v.request, response = v.response,
    finished_at = %s
FROM unnest(%s::uuid[], %s::integer[], %s::text[], %s::text[], %s::float8[], %s::jsonb[], %s::jsonb[])
    AS v(id, fence, error, outcome, seconds, request, response)
WHERE a.delivery_id = v.id AND a.fence = v.fence
"""


@dataclass(frozen=True, slots=True)
class Finished:
    """How an attempt ended: with a receipt, or with what was raised."""

    claimed: Claimed
    outcome: Receipt | BaseException
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What an outcome means for the delivery; `answer` is what the transport hears of it."""

    outcome: str
    status: str
    answer: Receipt | NotSent
    error: str = ""
    pause_seconds: float = 0.0


class _Moved(Exception):
    """Somebody else decided meanwhile."""


def finish(done: Sequence[Finished]) -> list[UUID]:
    """Keep outcomes, and say of which: of those whose claim was still ours. One that cannot be kept holds up no other,
    and may be given again.
    """
    try:
        kept = _kept(done)
    except Exception:  # noqa: BLE001 - which of them it was, and what, is found out one by one
        kept = {pk: verdict for each in done for pk, verdict in _kept_alone(each).items()}
    for each in done:
        if verdict := kept.get(each.claimed.delivery.pk):
            _tell_instruments(each, verdict)
    return list(kept)


def bury(transport: Transport, *, most: int = 100) -> int:
    """Give up the claims whose lease ran out, to be tried again, or for good; how many."""
    rows = Delivery.objects.select_related("owner").filter(
        transport=transport.name, status=Status.SENDING, lease_until__lt=Now()
    )
    dead = list(rows.order_by("lease_until")[:most])
    items = items_of(dead)
    found = [Finished(Claimed(row, row.owner, transport, items[row.pk]), Died(DIED)) for row in dead]
    return len(finish(found)) if found else 0


def _kept_alone(each: Finished) -> dict[UUID, _Verdict]:
    try:
        return _kept([each])
    except Exception:
        log.exception("delivery_not_kept", delivery_id=str(each.claimed.delivery.pk))
        return {}


def _kept(done: Sequence[Finished]) -> dict[UUID, _Verdict]:
    while True:
        try:
            return _keep(done)
        except _Moved:
            continue


@transaction.atomic
def _keep(done: Sequence[Finished]) -> dict[UUID, _Verdict]:
    """Reminders first: their turns come before the rows of deliveries, everywhere."""
    fences = {each.claimed.delivery.pk: each.claimed.delivery.fence for each in done}
    held = dict(Delivery.objects.filter(pk__in=fences, status=Status.SENDING).values_list("pk", "fence"))
    still = [each for each in done if held.get(each.claimed.delivery.pk) == fences[each.claimed.delivery.pk]]
    ours = [(each, _judged(each)) for each in sorted(still, key=lambda each: each.claimed.delivery.pk)]
    now = database_now()
    _tell_of_reminders(ours, now=now)
    _write(ours, now=now)
    for each, verdict in ours:
        _settle(each, verdict, now=now)
    return {each.claimed.delivery.pk: verdict for each, verdict in ours}


def _judged(each: Finished) -> _Verdict:
    reason, row = each.outcome, each.claimed.delivery
    match reason:
        case Receipt():
            return _Verdict(Outcome.DELIVERED, Status.DELIVERED, reason)
        case Unreachable():
            words = kept_notes.text(reason, most=kept_notes.MOST_ERROR_CHARACTERS)
            return _Verdict(Outcome.REFUSED, Status.FAILED, Refused(words), error=words)
        case NotSent():
            answer, error = reason, kept_notes.text(reason.reason, most=kept_notes.MOST_ERROR_CHARACTERS)
        case _:
            error = kept_notes.error(reason)
            answer = TryAgain(error)
    if isinstance(answer, Refused):
        return _Verdict(Outcome.REFUSED, Status.FAILED, answer, error=error)
    outcome = Outcome.DIED if isinstance(answer, Died) else Outcome.RETRY
    over = row.attempts >= each.claimed.transport.most_attempts or _kills(each.claimed, answer)
    # One that is off is not given up: it waits, and is held like all that is for it.
    if over and not each.claimed.transport.is_off(row):
        return _Verdict(outcome, Status.FAILED, answer, error=error)
    pause = backing_off.pause_seconds(
        row.attempts,
        first=settings.DELIVERY_BACKOFF_SECONDS,
        asked=getattr(answer, "after_seconds", None),
    )
    return _Verdict(outcome, Status.WAITING, answer, error=error, pause_seconds=pause)


def _kills(claimed: Claimed, answer: NotSent) -> bool:
    """Whether it has cost so many senders their lives that nobody is to try it again."""
    if not isinstance(answer, Died):
        return False
    row = claimed.delivery
    tries = DeliveryAttempt.objects.filter(delivery_id=row.pk, number__gt=row.fence - row.attempts)
    return tries.filter(outcome=Outcome.DIED).count() + 1 >= MOST_DEATHS


def _write(ours: Sequence[tuple[Finished, _Verdict]], *, now: datetime) -> None:
    """Rows and attempts, in two statements. Raises `_Moved` where one is not ours any more."""
    if not ours:
        return
    for each, verdict in ours:
        row, over = each.claimed.delivery, verdict.status != Status.WAITING
        row.status, row.error, row.lease_until = verdict.status, verdict.error, None
        row.send_at = row.send_at if over else now + timedelta(seconds=verdict.pause_seconds)
        row.finished_at = now if over else None
    rows = [each.claimed.delivery for each, _ in ours]
    notes = [(fit(verdict.answer.request), fit(verdict.answer.response)) for _, verdict in ours]
    which: list[Any] = [[row.pk for row in rows], [row.fence for row in rows], [row.error for row in rows]]
    with connection.cursor() as cursor:
        columns: list[list[Any]] = [
            [row.status for row in rows],
            [row.send_at for row in rows],
            [row.finished_at for row in rows],
        ]
        cursor.execute(_WRITE, [*which, *columns])
        if cursor.rowcount != len(rows):
            raise _Moved
        columns = [
            [verdict.outcome for _, verdict in ours],
            [each.seconds for each, _ in ours],
            [json.dumps(request) for request, _ in notes],
            [json.dumps(response) for _, response in notes],
        ]
        cursor.execute(_WRITE_ATTEMPTS, [now, *which, *columns])


def _settle(each: Finished, verdict: _Verdict, *, now: datetime) -> None:
    """A destination's books are the transport's; an error in them undoes no delivery."""
    if isinstance(verdict.answer, Died) or type(each.claimed.transport).settled is Transport.settled:
        return
    try:
        with transaction.atomic():
            each.claimed.transport.settled(each.claimed.delivery, outcome=verdict.answer, now=now)
    except Exception:
        log.exception("destination_not_settled", delivery_id=str(each.claimed.delivery.pk))


def _tell_of_reminders(ours: Sequence[tuple[Finished, _Verdict]], *, now: datetime) -> None:
    """Of what goes out anew only that a reminder came after all: the rest was told when it went out first."""
    told = [(each.claimed, verdict) for each, verdict in ours if verdict.status != Status.WAITING]
    # All turns at once, in one order: two senders that keep what became of tasks of both wait in no circle.
    reminders.take_turns({one.task_id for claimed, _ in told for one in claimed.items if one.task_id})
    for claimed, verdict in told:
        row, items = claimed.delivery, claimed.items
        facts: dict[str, Any] = {"transport": row.transport, "delivery_id": row.pk, "attempts": row.attempts}
        if row.redelivery_of_id is not None:
            items = _of_failed_reminders(items) if verdict.status == Status.DELIVERED else []
        if verdict.status == Status.DELIVERED:
            reminders.delivered(items, now=now, **facts)
        else:
            reminders.failed(items, error=verdict.error, now=now, **facts)


def _of_failed_reminders(items: Sequence[Notification]) -> list[Notification]:
    ids = [one.reminder_id for one in items if one.reminder_id]
    failed = set(Reminder.objects.filter(pk__in=ids, status=Reminder.Status.FAILED).values_list("pk", flat=True))
    return [one for one in items if one.reminder_id in failed]


def _tell_instruments(each: Finished, verdict: _Verdict) -> None:
    row = each.claimed.delivery
    metrics.count_attempt(row.transport, verdict.outcome, seconds=each.seconds)
    told = {"delivery_id": str(row.pk), "transport": row.transport, "attempt": row.attempts}
    log.info("delivery_attempted", outcome=str(verdict.outcome), seconds=each.seconds, error=verdict.error, **told)
    if verdict.status != Status.WAITING:
        metrics.count_delivery(row.transport, verdict.status)
    if verdict.status == Status.DELIVERED:
        log.info("delivery_delivered", **told)
    elif verdict.status == Status.FAILED:
        log.warning("delivery_failed", error=verdict.error, **told)
