"""Reads of the event core for health, status, admin and commands. Changes nothing."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from apps.events.models import DeadLetter, GroupProgress


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """Committed events that Kafka has not acknowledged: how many, and the age of the oldest in seconds."""

    depth: int
    oldest_age_seconds: float


def outbox_status() -> OutboxStatus:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM events_outboxentry), coalesce(extract(epoch FROM clock_timestamp() - ("
            " SELECT e.recorded_at FROM events_outboxentry o JOIN events_event e ON e.position = o.event_id"
            " ORDER BY o.event_id LIMIT 1)), 0)"
        )
        depth, age = cursor.fetchone()
    return OutboxStatus(depth=depth, oldest_age_seconds=max(0.0, float(age)))


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """`checked_at` is when the reconcile last looked, `repaired` what it had to heal: 0 when all is well."""

    group: str
    checked_at: datetime | None
    repaired: int
    caught_up: int
    parked: int


def group_progress() -> list[GroupStatus]:
    parked = parked_by_group()
    return [
        GroupStatus(row.group, row.checked_at, row.repaired, row.caught_up, parked.get(row.group, 0))
        for row in GroupProgress.objects.order_by("group")
    ]


def parked_by_group() -> dict[str, int]:
    counts: dict[str, int] = {}
    for group in DeadLetter.objects.filter(status=DeadLetter.Status.PARKED).values_list("group", flat=True):
        counts[group] = counts.get(group, 0) + 1
    return counts


def parked_count() -> int:
    return DeadLetter.objects.filter(status=DeadLetter.Status.PARKED).count()
