"""What is counted of reminders, notifications and deliveries, for `/metrics`, each when its transaction was committed.

Invariant: labels are bounded: declared facts, kinds, transports and outcomes.
"""

import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import receiver

from apps.events import metrics
from apps.notifications import signals
from apps.notifications.events import NotificationEvent
from apps.notifications.kinds import Kind
from apps.notifications.signals import Change

reminders = metrics.counter("reminders_total", "What happened to reminders, by the event that tells it.", ["event"])
notifications = metrics.counter("notifications_total", "What people were told.", ["kind"])
left_out = metrics.counter("sweep_left_out_total", "What a sweep left out, since an error came of it.", ["sweep"])
# There from the start, so that the first one is an increase.
for _sweep in ("digests", "overdue"):
    left_out.labels(_sweep)
lateness = metrics.histogram(
    "reminder_lateness_seconds",
    "From the instant a reminder was for to the commit of what its owner is told.",
    buckets=(0, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600, 86_400),
)
delivery_attempts = metrics.counter(
    "delivery_attempts_total", "Attempts at a delivery that came to an end.", ["transport", "outcome"]
)
delivery_attempt_seconds = metrics.histogram(
    "delivery_attempt_seconds",
    "How long an attempt took, to the receiver's answer or the end of its time.",
    ["transport"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
deliveries_finished = metrics.counter(
    "deliveries_finished_total", "Deliveries that came to an end: delivered, failed.", ["transport", "outcome"]
)


@receiver(signals.reminders_changed)
def count_reminders(changes: Sequence[Change], **_: Any) -> None:
    transaction.on_commit(partial(_count_reminders, Counter(change.fact.name for change in changes)))


@receiver(signals.notifications_changed)
def count_notifications(changes: Sequence[Change], **_: Any) -> None:
    told = [change.row for change in changes if change.fact == NotificationEvent.CREATED]
    kinds = Counter(str(row.kind) for row in told)
    # By the clock that they were made by, the database's, and what the transaction takes from here on.
    late = [(row.created_at - row.about_at).total_seconds() for row in told if row.kind == Kind.REMINDER]
    transaction.on_commit(partial(_count_told, kinds, late, since=time.monotonic()))


def _count_reminders(facts: Counter[str]) -> None:
    for name, number in facts.items():
        reminders.labels(name.split(".")[1]).inc(number)


def _count_told(kinds: Counter[str], late: Sequence[float], *, since: float) -> None:
    took = time.monotonic() - since
    for kind, number in kinds.items():
        notifications.labels(kind).inc(number)
    for seconds in late:
        lateness.observe(seconds + took)


def count_attempt(transport: str, outcome: str, *, seconds: float | None) -> None:
    """One try at a delivery; of one whose sender died nobody knows how long it took."""
    delivery_attempts.labels(transport, outcome).inc()
    if seconds is not None:
        delivery_attempt_seconds.labels(transport).observe(seconds)


def count_delivery(transport: str, outcome: str) -> None:
    deliveries_finished.labels(transport, outcome).inc()
