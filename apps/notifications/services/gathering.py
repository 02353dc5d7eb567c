"""Puts what is told into deliveries: into one that still collects, into a new one that does, or into one of its own.

Invariant: a notification is joined to a delivery only while that is locked and still collects, so nothing that was
claimed for sending grows, and what falls together goes out as one. Deliveries are locked by id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from apps.events.errors import Transient
from apps.notifications.choices.choosing import Choice, Decision
from apps.notifications.models import Delivery, DeliveryItem, Notification

Status = Delivery.Status

# Whoever claims what collects leaves the place free; more often than this nobody does in one instant.
_ROUNDS = 10
# What was made before that was sent longer ago than any batch: quiet hours hold for a day at most, or two at a leap.
_LOOK_BACK = timedelta(days=3)

_LAST_SENT = """
SELECT owner_id, transport, destination, max(send_at) FROM notifications_delivery
WHERE owner_id = ANY(%s::uuid[]) AND id > %s::uuid AND send_at > %s::timestamptz
  AND status IN ('waiting', 'sending', 'delivered', 'failed') AND kind <> 'test' AND redelivery_of_id IS NULL
GROUP BY owner_id, transport, destination
"""


class Slot(NamedTuple):
    """Of each there is one delivery that collects."""

    owner_id: UUID
    transport: str
    destination: str
    held_quiet: bool


@dataclass(frozen=True, slots=True)
class ToSend:
    """A notification that goes out by this choice."""

    notification: Notification
    choice: Choice

    @property
    def slot(self) -> Slot:
        quiet = self.choice.decision == Decision.QUIET
        return Slot(self.notification.owner_id, self.choice.transport, self.choice.destination, quiet)

    @property
    def send_at(self) -> datetime:
        assert self.choice.send_at is not None, "what goes out has an instant"
        return self.choice.send_at

    def delivery(self, *, now: datetime) -> Delivery:
        one, decision = self.notification, self.choice.decision
        kept = {Decision.QUIET: Status.COLLECTING, Decision.BATCH: Status.COLLECTING, Decision.HELD: Status.HELD}
        return Delivery(
            owner_id=one.owner_id,
            transport=self.choice.transport,
            destination=self.choice.destination,
            kind=Delivery.Kinds.SEVERAL if decision == Decision.QUIET else one.kind,
            status=kept.get(decision, Status.WAITING),
            urgent=one.urgent,
            held_quiet=decision == Decision.QUIET,
            send_at=self.send_at,
            created_at=now,
        )


def last_sent(owner_ids: Sequence[UUID], *, since: datetime) -> dict[UUID, dict[tuple[str, str], datetime]]:
    """Per person, transport and destination the latest instant after `since` at which something was, or is, sent."""
    # The first 48 bits of an id of version 7 are its milliseconds.
    oldest = UUID(int=max(0, int((since - _LOOK_BACK).timestamp() * 1000)) << 80)
    found: dict[UUID, dict[tuple[str, str], datetime]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_LAST_SENT, [list(owner_ids), oldest, since])
        for owner_id, transport, destination, sent_at in cursor.fetchall():
            found.setdefault(owner_id, {})[transport, destination] = sent_at
    return found


def gather(wanted: Sequence[ToSend], *, now: datetime) -> dict[tuple[UUID, str, str], Delivery]:
    """Put each into its delivery; by notification, transport and destination."""
    alone = [(one, one.delivery(now=now)) for one in wanted if not one.choice.collects]
    Delivery.objects.bulk_create([delivery for _, delivery in alone])
    together = [one for one in wanted if one.choice.collects]
    open_ones = _open_deliveries({one.slot: one for one in reversed(together)}, now=now) if together else {}
    pairs = [*alone, *((one, open_ones[one.slot]) for one in together)]
    DeliveryItem.objects.bulk_create(
        [DeliveryItem(delivery=delivery, notification=one.notification) for one, delivery in pairs]
    )
    return {(one.notification.pk, one.choice.transport, one.choice.destination): delivery for one, delivery in pairs}


def _open_deliveries(wanted: Mapping[Slot, ToSend], *, now: datetime) -> dict[Slot, Delivery]:
    """A delivery that collects for each, locked."""
    for _ in range(_ROUNDS):
        found = {slot: delivery for slot, delivery in _collecting(wanted, now=now).items() if slot in wanted}
        missing = sorted(slot for slot in wanted if slot not in found)
        if not missing:
            _hold_anew(found, wanted)
            return found
        # Who is just opening the same one is waited for; then that one is there.
        Delivery.objects.bulk_create([wanted[slot].delivery(now=now) for slot in missing], ignore_conflicts=True)
    raise Transient("What collects was claimed each time it was opened.")


def _collecting(wanted: Mapping[Slot, ToSend], *, now: datetime) -> dict[Slot, Delivery]:
    owner_ids = {slot.owner_id for slot in wanted}
    rows = Delivery.objects.filter(status=Status.COLLECTING, urgent=False, owner_id__in=owner_ids)
    found = {_slot(row): row for row in _locked(rows.order_by("pk"))}
    # What quiet hours held until now goes out now: who joined it would be early, or keep it for another night.
    over = [row.pk for slot, row in found.items() if slot.held_quiet and row.send_at <= now]
    if over:
        Delivery.objects.filter(pk__in=over).update(status=Status.WAITING)
    return {slot: row for slot, row in found.items() if row.pk not in over}


def _locked(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Whoever claims one of them is waited for; then it no longer collects, and is not found."""
    return rows.select_for_update()


def _hold_anew(found: Mapping[Slot, Delivery], wanted: Mapping[Slot, ToSend]) -> None:
    """Quiet hours hold until they end as they now are."""
    for slot, delivery in found.items():
        if slot.held_quiet and delivery.send_at != wanted[slot].send_at:
            delivery.send_at = wanted[slot].send_at
            delivery.save(update_fields=["send_at"])


def _slot(delivery: Delivery) -> Slot:
    return Slot(delivery.owner_id, delivery.transport, delivery.destination, delivery.held_quiet)
