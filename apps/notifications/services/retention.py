"""Forgets what is old: in small steps, again and again, harmless to run twice.

Invariant: what a person has not seen is never forgotten, nor what is still to go out.
"""

import time
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.db import connection

from apps.notifications.services import webhook_books

log = structlog.get_logger(__name__)

STEP = 1000
# Of each run and kind: as much as fits within a job's limit.
BUDGET_SECONDS = 8.0

_CONTENT = """
WITH old AS (
    UPDATE notifications_delivery SET content = NULL WHERE id IN (
        SELECT id FROM notifications_delivery
        WHERE finished_at < now() - make_interval(days => %s) AND finished_at IS NOT NULL AND content IS NOT NULL
        ORDER BY finished_at LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id),
notes AS (
    UPDATE notifications_deliveryattempt SET request = '{}', response = '{}'
    WHERE delivery_id IN (SELECT id FROM old))
SELECT count(*) FROM old
"""
_NOTIFICATIONS = """
WITH old AS (
    DELETE FROM notifications_notification WHERE id IN (
        SELECT id FROM notifications_notification
        WHERE created_at < now() - make_interval(days => %s) AND status IN ('read', 'done')
        ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id),
items AS (DELETE FROM notifications_deliveryitem WHERE notification_id IN (SELECT id FROM old))
SELECT count(*) FROM old
"""
# One that was sent anew goes after what went out anew, which has its key from it.
_DELIVERIES = """
WITH old AS (
    DELETE FROM notifications_delivery WHERE id IN (
        SELECT d.id FROM notifications_delivery d
        WHERE d.finished_at < now() - make_interval(days => %s) AND d.finished_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM notifications_delivery a WHERE a.redelivery_of_id = d.id)
        ORDER BY d.finished_at LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id),
items AS (DELETE FROM notifications_deliveryitem WHERE delivery_id IN (SELECT id FROM old)),
tries AS (DELETE FROM notifications_deliveryattempt WHERE delivery_id IN (SELECT id FROM old))
SELECT count(*) FROM old
"""
_LINKS = """
WITH old AS (
    DELETE FROM notifications_usedlink WHERE id IN (
        SELECT id FROM notifications_usedlink WHERE expires_at < now() LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id)
SELECT count(*) FROM old
"""


def prune() -> dict[str, int]:
    """How many rows of each kind were emptied or deleted."""
    kept = settings.NOTIFICATION_RETENTION_DAYS
    return {
        "contents": _in_steps("contents", _CONTENT, [settings.DELIVERY_CONTENT_RETENTION_DAYS]),
        "notifications": _in_steps("notifications", _NOTIFICATIONS, [kept]),
        "deliveries": _in_steps("deliveries", _DELIVERIES, [kept]),
        "links": _in_steps("links", _LINKS, []),
        "held": _let_go_of_held(),
    }


def _let_go_of_held() -> int:
    """What waited too long for a destination that is off. What became of it is forgotten later, like everything."""
    gone = 0
    step, until = STEP, time.monotonic() + BUDGET_SECONDS
    while step == STEP and time.monotonic() < until:
        step = webhook_books.drop_some_too_old(most=STEP)
        gone += step
    if gone:
        log.info("held_too_long", rows=gone)
    return gone


def _in_steps(what: str, statement: str, given: Sequence[int]) -> int:
    gone = 0
    step, until = STEP, time.monotonic() + BUDGET_SECONDS
    while step == STEP and time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(statement, [*given, STEP])
            step = cursor.fetchone()[0]
        gone += step
    if gone:
        log.info("pruned", what=f"notifications_{what}", rows=gone)
    return gone
