"""Reads of deliveries, for people and for instruments."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.accounts.models import User
from apps.notifications.models import Delivery

# What waits and what has failed, by their indexes, counted no further than this.
MOST_COUNTED = 10_000

_STANDS = """
SELECT transport,
    (SELECT count(*) FROM (SELECT FROM notifications_delivery d WHERE d.transport = t.transport
        AND d.status IN ('collecting', 'waiting') LIMIT %(most)s) w),
    coalesce((SELECT greatest(0, extract(epoch FROM statement_timestamp() - d.send_at)::float8)
        FROM notifications_delivery d WHERE d.transport = t.transport AND d.status IN ('collecting', 'waiting')
        AND EXISTS (SELECT FROM accounts_user u WHERE u.id = d.owner_id AND u.is_active)
        ORDER BY d.send_at LIMIT 1), 0)
FROM unnest(%(transports)s::text[]) AS t(transport)
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How deliveries by one transport stand: how many wait, and for how long the oldest should have gone out."""

    transport: str
    waiting: int
    oldest_due_seconds: float


def deliveries_of(owner: User) -> Any:
    """All that went out to a person, or is to, the newest first."""
    return Delivery.objects.filter(owner=owner).order_by("-id")


def standings(transports: list[str]) -> list[Standing]:
    with connection.cursor() as cursor:
        cursor.execute(_STANDS, {"transports": transports, "most": MOST_COUNTED})
        return [Standing(*row) for row in cursor.fetchall()]


def count_failed() -> int:
    """Of all that has failed and was not asked for again."""
    return _count("failed")


def count_held() -> int:
    return _count("held")


def count_under_way() -> int:
    return _count("sending")


def _count(status: str) -> int:
    return len(Delivery.objects.filter(status=status).values_list("pk")[:MOST_COUNTED])
