"""Celery work of reminders and notifications: sweeps, each harmless to run twice, late or at once with another."""

import time
from datetime import UTC, datetime
from uuid import UUID

import structlog
from celery import shared_task
from django.conf import settings

from apps.events import doorbells
from apps.notifications.selectors import reminders as selectors
from apps.notifications.sending import sender
from apps.notifications.services import digests, overdue, plans, retention, triggering, watermarks, webhook_notices

log = structlog.get_logger(__name__)

# So long in one run; the next ring goes on.
BUDGET_SECONDS = 20.0
# What another held just now is looked at again after so long.
AGAIN_SECONDS = 0.5
OWNERS_AT_ONCE = 50


@shared_task(name="notifications.trigger_due")
def trigger_due() -> None:
    """Trigger what is due, round after round, and ring for each second of the next ones in which something is.

    Beat rings it as a sweep; the rings ahead make it punctual in between.
    """
    until = time.monotonic() + BUDGET_SECONDS
    aside = _Aside()
    while time.monotonic() < until:
        done = triggering.trigger_due(but=aside.now)
        aside.put(done)
        if len(done) < triggering.AT_ONCE:
            break
    watermarks.note(watermarks.REMINDERS)
    if selectors.is_any_due(but=aside.stuck):
        doorbells.ring("notifications.trigger_due", seconds=AGAIN_SECONDS)
    for seconds in selectors.seconds_ahead(within=2 * settings.REMINDERS_SWEEP_SECONDS):
        doorbells.ring("notifications.trigger_due", seconds=seconds)


class _Aside:
    """What a run leaves out: what others hold just now, and what is stuck: it failed, or is settled again and again."""

    def __init__(self) -> None:
        self.left: set[UUID] = set()
        self.settled: set[UUID] = set()
        self.stuck: set[UUID] = set()

    @property
    def now(self) -> set[UUID]:
        return self.left | self.stuck

    def put(self, done: triggering.Triggered) -> None:
        again = done.settled & self.settled
        if again:
            log.error("reminders_stuck", each=sorted(map(str, again))[:20], count=len(again))
        self.left |= done.left
        self.settled |= done.settled
        self.stuck |= done.failed | again


@shared_task(name="notifications.follow_up")
def follow_up() -> None:
    """Go on with those whose tasks have still to follow a change of defaults or time zone, a step each.

    One whose tasks cannot holds up nobody else: it is told in the log, and tried again by the next sweep.
    """
    until = time.monotonic() + BUDGET_SECONDS
    failed: set[UUID] = set()
    while owners := selectors.owners_to_follow_up(most=OWNERS_AT_ONCE, but=failed):
        for owner_id in owners:
            if time.monotonic() > until:
                return
            try:
                plans.follow_up(owner_id=owner_id, now=datetime.now(UTC))
            except Exception:
                log.exception("follow_up_failed", owner_id=str(owner_id))
                failed.add(owner_id)


@shared_task(name="notifications.send")
def send() -> None:
    """Send what is due, unless another job of this worker is at it; ring for what comes before the next sweep."""
    seconds = sender.send_due()
    if seconds is not None and seconds < settings.REMINDERS_SWEEP_SECONDS:
        doorbells.ring("notifications.send", seconds=max(AGAIN_SECONDS, seconds))


@shared_task(name="notifications.prune")
def prune() -> None:
    retention.prune()


@shared_task(name="notifications.send_digests")
def send_digests() -> None:
    until = time.monotonic() + BUDGET_SECONDS
    while digests.send_digests() == digests.AT_ONCE and time.monotonic() < until:
        pass


@shared_task(name="notifications.nudge_overdue")
def nudge_overdue() -> None:
    """Round after round; what is left when the time is up, the next sweep goes on with."""
    until = time.monotonic() + BUDGET_SECONDS
    done = overdue.nudge_overdue()
    while not done.over and time.monotonic() < until:
        done = overdue.nudge_overdue(done)


@shared_task(name="notifications.tell_of_failing_webhooks")
def tell_of_failing_webhooks() -> None:
    webhook_notices.tell_of_failing(now=datetime.now(UTC))
