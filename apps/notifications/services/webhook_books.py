"""What becomes of a webhook by its successes and failures, and what is held for it.

Invariants: failures are counted in a row, by attempts. Who has failed for days and many attempts, or says that nothing
more is wanted, is switched off once; what is for one that is off is held, not lost. Tellers hold the endpoints that
they tell (`FOR KEY SHARE`), whoever switches one off waits for them, so nothing slips between.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from apps.notifications.models import Delivery, WebhookEndpoint
from apps.notifications.selectors.clock import database_now
from apps.notifications.transports.base import NotSent, Receipt, Refused

log = structlog.get_logger(__name__)

TRANSPORT = "webhook"
# Of one that receives little, few failures say little.
FAILING_AFTER_FAILURES = 20
HELD_BECAUSE = "endpoint_off"
DROPPED_BECAUSE = "endpoint_removed"
TOO_OLD_BECAUSE = "held_too_long"
# What was held for longer is news to nobody; it can still be asked for again.
HELD_DAYS = 7

Status = WebhookEndpoint.Status


@transaction.atomic
def keep(delivery: Delivery, *, outcome: Receipt | NotSent, now: datetime) -> None:
    """Count the outcome of an attempt, inside the transaction that keeps it."""
    row = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=delivery.destination).first()
    if row is None:
        drop_open(UUID(delivery.destination), now=now)
    elif isinstance(outcome, Receipt):
        row.failures, row.failing_since, row.succeeded_at = 0, None, now
        row.save(update_fields=["failures", "failing_since", "succeeded_at"])
    elif row.status == Status.ENABLED:
        _count_failure(row, outcome, now=now)
    else:
        hold_open(row.pk)


def _count_failure(row: WebhookEndpoint, outcome: NotSent, *, now: datetime) -> None:
    row.failures += 1
    row.failing_since = row.failing_since or now
    row.save(update_fields=["failures", "failing_since"])
    days = settings.WEBHOOK_FAILING_DAYS
    if isinstance(outcome, Refused) and outcome.gone:
        switch_off(row.pk, status=Status.FAILING, because=outcome.reason, now=now)
    elif row.failures >= FAILING_AFTER_FAILURES and now - row.failing_since >= timedelta(days=days):
        because = f"It has failed for {days} days, {row.failures} times in a row. The last time: {outcome.reason}"
        switch_off(row.pk, status=Status.FAILING, because=because, now=now)


def switch_off(endpoint_id: UUID, *, status: Status, because: str, now: datetime) -> WebhookEndpoint:
    """Inside a transaction: wait for whoever is just telling it something, then hold what is for it."""
    row = WebhookEndpoint.objects.select_for_update().get(pk=endpoint_id)
    row.status, row.disabled_at, row.disabled_because = status, now, because
    row.version += 1
    row.updated_at = now
    row.save(update_fields=["status", "disabled_at", "disabled_because", "version", "updated_at"])
    held = hold_open(row.pk)
    log.info("webhook_switched_off", endpoint_id=str(row.pk), status=str(status), held=held)
    return row


def is_off(delivery: Delivery) -> bool:
    """Whether what is for it is held; inside a transaction, until whose end that stays so."""
    if delivery.kind == Delivery.Kinds.TEST:
        return False
    rows = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=delivery.destination)
    return any(row.status != Status.ENABLED for row in rows)


def hold_open(endpoint_id: UUID) -> int:
    """Hold what is to come for one that is off; not a test, which goes to one that is off, too."""
    waiting = _to(endpoint_id).filter(status__in=Delivery.TO_COME).exclude(kind=Delivery.Kinds.TEST)
    return _locked(waiting).update(status=Delivery.Status.HELD, because=HELD_BECAUSE)


def drop_open(endpoint_id: UUID, *, now: datetime) -> int:
    """Drop what was still to go to one that is no more."""
    waiting = _to(endpoint_id).filter(status__in=(*Delivery.TO_COME, Delivery.Status.HELD))
    return _locked(waiting).update(status=Delivery.Status.DROPPED, because=DROPPED_BECAUSE, finished_at=now)


def release_held(endpoint_id: UUID, *, now: datetime) -> int:
    """Let out what was held for one that is on again, in the order in which it was made; how many."""
    held = _to(endpoint_id).filter(status=Delivery.Status.HELD)
    drop_too_old(held, now=now)
    rows = list(held.select_for_update().order_by("pk"))
    for place, row in enumerate(rows):
        row.status, row.because, row.send_at = Delivery.Status.WAITING, "", now + timedelta(microseconds=place)
        row.attempts = 0
    Delivery.objects.bulk_update(rows, ["status", "because", "send_at", "attempts"], batch_size=500)
    return len(rows)


def drop_too_old(held: QuerySet[Delivery], *, now: datetime, most: int | None = None) -> int:
    """Inside a transaction, of those that are held drop what has been for too long; how many."""
    old = held.filter(status=Delivery.Status.HELD, created_at__lt=now - timedelta(days=HELD_DAYS))
    return _locked(old, most=most).update(status=Delivery.Status.DROPPED, because=TOO_OLD_BECAUSE, finished_at=now)


@transaction.atomic
def drop_some_too_old(*, most: int) -> int:
    """Of everybody, up to `most`; how many."""
    return drop_too_old(Delivery.objects.all(), now=database_now(), most=most)


def _locked(rows: QuerySet[Delivery], *, most: int | None = None) -> QuerySet[Delivery]:
    """These, locked in the order in which everybody locks them."""
    ids = list(rows.order_by("pk").select_for_update().values_list("pk", flat=True)[:most])
    return Delivery.objects.filter(pk__in=ids)


def _to(endpoint_id: UUID) -> QuerySet[Delivery]:
    return Delivery.objects.filter(transport=TRANSPORT, destination=str(endpoint_id))
