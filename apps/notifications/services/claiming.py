"""Takes deliveries whose time has come, for a sender to try.

Invariant: a claim is committed before anything is tried, and counts its attempt, so what kills its sender each time
comes to an end too. Of one destination one delivery is under way, in all processes together: one claims at a time for
each transport, and nobody waits for that turn. Who may join a delivery that collects has its row locked, and finds it
closed after the claim.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.accounts.models import User
from apps.notifications.models import Delivery, DeliveryAttempt, DeliveryItem, Notification
from apps.notifications.selectors.clock import database_now
from apps.notifications.sending import fairness
from apps.notifications.sending.fairness import Candidate, Room
from apps.notifications.services import worth_sending
from apps.notifications.services.worth_sending import ASKED_AGAIN
from apps.notifications.transports.base import Transport

Status = Delivery.Status
# Beyond the time of one attempt: so long may a sender be about something else before it counts as dead.
LEASE_MARGIN_SECONDS = 15.0
# So many of the oldest are looked at first; only when they are too few of different destinations, all.
NEAREST = 500
ALL = 1_000_000

_TURN = "SELECT pg_try_advisory_xact_lock(hashtext('notifications.claim'), hashtext(%s))"
_CANDIDATES = """
WITH elsewhere AS (
    SELECT owner_id, destination FROM notifications_delivery WHERE status = 'sending' AND transport = %(transport)s
    UNION SELECT * FROM unnest(%(busy_owners)s::uuid[], %(busy_destinations)s::text[])),
due AS (
    SELECT d.id, d.owner_id, d.destination, d.send_at, d.attempts FROM notifications_delivery d
    WHERE d.transport = %(transport)s AND d.status IN ('collecting', 'waiting') AND d.send_at <= statement_timestamp()
    AND NOT EXISTS (SELECT FROM elsewhere e WHERE e.owner_id = d.owner_id AND e.destination = d.destination)
    AND EXISTS (SELECT FROM accounts_user u WHERE u.id = d.owner_id AND u.is_active)
    ORDER BY d.send_at, d.id LIMIT %(window)s),
first AS (SELECT DISTINCT ON (owner_id, destination) * FROM due ORDER BY owner_id, destination, send_at, id)
SELECT f.id, f.owner_id, f.send_at, f.destination <> '' AND (
    EXISTS (
        SELECT FROM notifications_delivery w WHERE w.owner_id = f.owner_id AND w.transport = %(transport)s
        AND w.destination = f.destination AND w.status = 'waiting' AND w.attempts > 0)
    OR coalesce((
        SELECT l.status <> 'delivered' FROM notifications_delivery l
        WHERE l.owner_id = f.owner_id AND l.transport = %(transport)s AND l.destination = f.destination
        AND l.status IN ('delivered', 'failed') ORDER BY l.finished_at DESC LIMIT 1), true)),
    f.attempts > 1 AND (
        SELECT count(*) = 2 FROM (
            SELECT a.outcome FROM notifications_deliveryattempt a WHERE a.delivery_id = f.id
            ORDER BY a.number DESC LIMIT 2) l WHERE l.outcome = 'died'),
    (SELECT count(*) FROM due)
FROM first f ORDER BY f.send_at, f.id
"""
_UNDER_WAY = """
SELECT owner_id, count(*) FROM notifications_delivery WHERE status = 'sending' AND transport = %s GROUP BY owner_id
"""
_NEXT = """
SELECT extract(epoch FROM min(d.send_at) - statement_timestamp())::float8 FROM (
    SELECT send_at FROM notifications_delivery WHERE transport = %s AND status IN ('collecting', 'waiting')
    AND EXISTS (SELECT FROM accounts_user u WHERE u.id = owner_id AND u.is_active)
    ORDER BY send_at, id LIMIT 1) d
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours until `delivery.lease_until`, as long as its fence is the one it has here."""

    delivery: Delivery
    owner: User
    transport: Transport
    items: list[Notification] = field(default_factory=list)
    risky: bool = False

    @property
    def key(self) -> UUID:
        """The same in every attempt, also when it is delivered anew: what the receiver knows it by."""
        return self.delivery.redelivery_of_id or self.delivery.pk

    @property
    def destination(self) -> tuple[UUID, str]:
        return (self.delivery.owner_id, self.delivery.destination)


@transaction.atomic
def claim(
    *, transport: Transport, room: Room, busy: Collection[tuple[UUID, str]] = (), deadly: bool = False
) -> list[Claimed]:
    """As many as there is room for, fairly; what is not worth telling any more is dropped on the way, what quiet hours
    hold put to their end.

    `busy` are destinations that threads of ours still hang at. With `deadly` only those whose senders died twice in a
    row, else only others: it may be them that kill, and what is under way beside them. Nothing while somebody else
    claims.
    """
    if room.all <= 0 or not _took_turn(transport):
        return []
    asked: dict[str, Any] = {"busy": busy, "deadly": deadly}
    candidates, all_seen = _candidates(transport, **asked, window=NEAREST)
    under_way = _under_way(transport)
    chosen = fairness.choose(candidates, room=room, under_way=under_way)
    if len(chosen) < room.all and not all_seen:
        candidates, _ = _candidates(transport, **asked, window=ALL)
        chosen = fairness.choose(candidates, room=room, under_way=under_way)
    risky = {one.delivery_id for one in chosen if one.risky}
    rows = _locked(one.delivery_id for one in chosen)
    items = items_of(rows)
    wanted = worth_sending.keep_what_may_go(rows, items, transport=transport)
    return [
        Claimed(row, row.owner, transport, items[row.pk], risky=row.pk in risky) for row in _begun(wanted, transport)
    ]


def next_in_seconds(transport: Transport) -> float | None:
    """When something will be due, from now; negative for how long it has been. None when nothing waits."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [transport.name])
        seconds: float | None = cursor.fetchone()[0]
    return seconds


def _took_turn(transport: Transport) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_TURN, [transport.name])
        return bool(cursor.fetchone()[0])


def _candidates(
    transport: Transport, *, busy: Collection[tuple[UUID, str]], deadly: bool, window: int
) -> tuple[list[Candidate], bool]:
    """And whether these are of all that is due."""
    given: dict[str, Any] = {
        "transport": transport.name,
        "busy_owners": [owner for owner, _ in busy],
        "busy_destinations": [destination for _, destination in busy],
        "window": window,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES, given)
        rows = cursor.fetchall()
    found = [Candidate(*told) for *told, kills, _ in rows if kills == deadly]
    return found, not rows or rows[0][-1] < window


def _under_way(transport: Transport) -> dict[UUID, int]:
    with connection.cursor() as cursor:
        cursor.execute(_UNDER_WAY, [transport.name])
        return dict(cursor.fetchall())


def _locked(ids: Iterable[UUID]) -> list[Delivery]:
    """In the order asked for. Left out is what somebody else has at this moment, or had before we came."""
    order = list(ids)
    rows = Delivery.objects.select_related("owner").select_for_update(skip_locked=True, of=("self",))
    found = {row.pk: row for row in rows.filter(pk__in=order, status__in=Delivery.TO_COME).order_by("pk")}
    return [found[pk] for pk in order if pk in found]


def items_of(rows: Iterable[Delivery]) -> dict[UUID, list[Notification]]:
    """Their notifications, by the instants they are for."""
    found: dict[UUID, list[Notification]] = {row.pk: [] for row in rows}
    of = DeliveryItem.objects.filter(delivery_id__in=list(found)).select_related("notification")
    for item in of.order_by("notification__about_at", "notification_id"):
        found[item.delivery_id].append(item.notification)
    return found


def _begun(rows: list[Delivery], transport: Transport) -> list[Delivery]:
    """With a fence, an attempt and a lease more than before."""
    now = database_now()
    for row in rows:
        row.status, row.because = Status.SENDING, ASKED_AGAIN if row.because == ASKED_AGAIN else ""
        row.fence += 1
        row.attempts += 1
        row.lease_until = now + timedelta(seconds=transport.seconds + LEASE_MARGIN_SECONDS)
    Delivery.objects.bulk_update(rows, ["status", "because", "fence", "attempts", "lease_until"])
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(delivery=row, number=row.fence, fence=row.fence, started_at=now) for row in rows
    )
    return rows
