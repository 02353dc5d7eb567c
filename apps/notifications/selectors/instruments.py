"""How reminders and deliveries do, for instruments, by the database's clock.

Invariant: every look is by an index and bounded, however many reminders are planned and deliveries have failed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet

from apps.notifications.models import WebhookEndpoint
from apps.notifications.transports import transports

# Beyond it only that there are more is told.
MOST_COUNTED = 10_001
# The name under which the sweep for what is due notes that it looked.
SWEEP = "reminders"

# What is due first, by the index of those that wait; whose it is only of these.
_STATE = """
WITH due AS MATERIALIZED (
    SELECT owner_id, trigger_at FROM notifications_reminder
    WHERE status IN ('planned', 'snoozed') AND trigger_at <= statement_timestamp()
    ORDER BY trigger_at, id LIMIT %(most)s
), of_people AS MATERIALIZED (
    SELECT trigger_at FROM due WHERE EXISTS (SELECT FROM accounts_user u WHERE u.id = owner_id AND u.is_active)
)
SELECT
    (SELECT count(*) FROM (SELECT FROM notifications_reminder
        WHERE status IN ('planned', 'snoozed') ORDER BY trigger_at LIMIT %(most)s) waiting),
    (SELECT count(*) FROM of_people),
    (SELECT extract(epoch FROM statement_timestamp() - min(trigger_at))::float8 FROM of_people),
    (SELECT extract(epoch FROM statement_timestamp() - swept_at)::float8 FROM notifications_watermark
        WHERE name = %(sweep)s),
    (SELECT count(*) FROM (SELECT FROM notifications_delivery
        WHERE status IN ('collecting', 'waiting') LIMIT %(most)s) waiting),
    (SELECT count(*) FROM (SELECT FROM notifications_delivery WHERE status = 'sending' LIMIT %(most)s) sending),
    (SELECT count(*) FROM (SELECT FROM notifications_delivery WHERE status = 'held' LIMIT %(most)s) held),
    (SELECT count(*) FROM (SELECT FROM notifications_delivery
        WHERE status = 'failed' AND kind <> 'test' LIMIT %(most)s) failed),
    (SELECT extract(epoch FROM statement_timestamp() - min(first.send_at))::float8
        FROM unnest(%(transports)s::text[]) AS t (name) CROSS JOIN LATERAL (
            SELECT send_at FROM notifications_delivery
            WHERE transport = t.name AND status IN ('collecting', 'waiting') AND send_at <= statement_timestamp()
            ORDER BY send_at LIMIT 1) first)
"""


@dataclass(frozen=True, slots=True)
class DeliveriesStatus:
    """Deliveries by what they wait for, each up to `MOST_COUNTED`: `waiting` also collects, or for the next attempt.

    Tests are not among `failed`: who made one looks. `oldest_due_seconds` is since when the first of them should have
    been on its way.
    """

    waiting: int
    sending: int
    held: int
    failed: int
    oldest_due_seconds: float


@dataclass(frozen=True, slots=True)
class RemindersStatus:
    """Reminders that wait, and those of them whose time has come; `swept_seconds` ago somebody last looked for them.

    Those of people who may not sign in are never due. Counted up to `MOST_COUNTED`. Seconds are 0 where none is due,
    and `None` where nobody ever looked.
    """

    waiting: int
    due: int
    oldest_due_seconds: float
    swept_seconds: float | None
    deliveries: DeliveriesStatus


def reminders_status() -> RemindersStatus:
    names = [name for name, transport in transports().items() if not transport.at_once]
    with connection.cursor() as cursor:
        cursor.execute(_STATE, {"most": MOST_COUNTED, "sweep": SWEEP, "transports": names})
        waiting, due, oldest, swept, to_send, sending, held, failed, late = cursor.fetchone()
    return RemindersStatus(
        waiting=waiting,
        due=due,
        oldest_due_seconds=_past(oldest),
        swept_seconds=None if swept is None else _past(swept),
        deliveries=DeliveriesStatus(to_send, sending, held, failed, oldest_due_seconds=_past(late)),
    )


def switched_off_endpoints(*, most: int) -> Sequence[WebhookEndpoint]:
    """Up to `most` that we switched off, since they failed for long."""
    failing: QuerySet[WebhookEndpoint] = WebhookEndpoint.objects.filter(status=WebhookEndpoint.Status.FAILING)
    return list(failing.order_by("-disabled_at")[:most])


def _past(seconds: float | None) -> float:
    return max(0.0, seconds or 0.0)
