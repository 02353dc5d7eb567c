"""Applies events to a consumer group, each exactly once.

Invariant: a `HandledEvent` row and the effect it stands for share one transaction, so that redelivery, replay,
a second consumer or a crash between any two lines changes nothing twice and nothing never. An event that can
never be handled is parked with those behind it of the same key, in one transaction too; other keys flow.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from apps.events import apart, crash, dead_letters, inbox, metrics
from apps.events.brokers.base import Record
from apps.events.dead_letters import Failure
from apps.events.envelope import Envelope
from apps.events.errors import Transient
from apps.events.models import GroupProgress
from apps.events.outbox import Logged
from apps.events.subscriptions import ConsumerGroup, Unreadable

log = structlog.get_logger(__name__)

# Of a batch that fails so many events are tried together again, then each apart. PostgreSQL keeps 64 savepoints of a
# transaction at hand for everybody's snapshots; beyond that all reads in the database get slower.
TRIED_APART = 50
# Of records that are no event; at least one is given, however large.
UNREADABLE_BYTES_AT_ONCE = 4 * 1024 * 1024


@dataclass(slots=True)
class Outcome:
    """What became of a batch: applied now, already applied before, set aside; left out, erased with their owner."""

    handled: int = 0
    repeated: int = 0
    parked: int = 0
    erased: int = 0

    def __iadd__(self, other: "Outcome") -> Self:
        self.handled += other.handled
        self.repeated += other.repeated
        self.parked += other.parked
        self.erased += other.erased
        return self


def handle(group: ConsumerGroup, events: Sequence[Envelope]) -> Outcome:
    """Apply events in order; when it returns, each is handled or parked, and committed.

    Raises `Transient` when trying again may help; then what was not committed is rolled back. Raises
    `GroupStopped` when too many were parked in a row.
    """
    outcome = Outcome()
    try:
        for part in _parts(group, events):
            outcome += _handle_or_split(group, part)
    except (OperationalError, InterfaceError) as reason:
        connection.close()
        raise Transient(f"{type(reason).__name__}: {str(reason).strip()}") from reason
    return outcome


def _parts(group: ConsumerGroup, events: Sequence[Envelope]) -> Iterator[Sequence[Envelope]]:
    """What is handled in one transaction each, in order: of a group that goes one by one an event that has an effect,
    and together those before and behind it that have none.
    """
    if not group.one_by_one:
        yield from [events] if events else []
        return
    for acts, run in groupby(events, key=lambda event: _acts_on(group, event)):
        together = list(run)
        yield from [[event] for event in together] if acts else [together]


def _acts_on(group: ConsumerGroup, event: Envelope) -> bool:
    try:
        return group.acts_on(event)
    except Exception:  # noqa: BLE001 - it fails again when it is handled, by itself, and is parked
        return True


def _handle_or_split(group: ConsumerGroup, events: Sequence[Envelope]) -> Outcome:
    try:
        return _handle_in_one_transaction(group, events)
    except (OperationalError, InterfaceError, Transient):
        metrics.count_failed(group.name)
        raise
    except Exception as reason:
        metrics.count_failed(group.name)
        if not group.parks:
            log.exception("group_cannot_handle", group=group.name, event_id=str(events[0].id))
            raise Transient(f"{type(reason).__name__}: {reason}") from reason
        failure = reason
    if len(events) <= TRIED_APART:
        return _handle_apart(group, events, failure)
    outcome = Outcome()
    for first in range(0, len(events), TRIED_APART):
        outcome += _handle_or_split(group, events[first : first + TRIED_APART])
    return outcome


def _handle_apart(group: ConsumerGroup, events: Sequence[Envelope], failure: Exception) -> Outcome:
    """Each by itself, in one transaction; where that cannot be committed, in one each, where they fail alone."""
    try:
        found = apart.handle(group, events, failure=failure if len(events) == 1 else None)
    except (OperationalError, InterfaceError, Transient):
        metrics.count_failed(group.name)
        raise
    except Exception:  # noqa: BLE001 - it comes again, of an event alone
        metrics.count_failed(group.name)
        outcome = Outcome()
        for event in events:
            outcome += _handle_alone(group, event)
        return outcome
    outcome = Outcome(handled=len(found.applied), parked=found.parked)
    outcome.repeated = 0 if found.stopped else len(events) - outcome.handled - outcome.parked
    _tell(group, found.applied, outcome)
    if found.failed:
        dead_letters.stop_if_too_many(group)
    return outcome


def _handle_alone(group: ConsumerGroup, event: Envelope) -> Outcome:
    try:
        return _handle_in_one_transaction(group, [event])
    except (OperationalError, InterfaceError, Transient):
        metrics.count_failed(group.name)
        raise
    except Exception as reason:  # noqa: BLE001 - what it was stands in the letter
        metrics.count_failed(group.name)
        with transaction.atomic():
            dead_letters.park(group, [Failure.by(event, reason)])
            apart.count_in_a_row(group, parked=1, begin_anew=False)
    metrics.count_set_aside(group.name, parked=1)
    dead_letters.stop_if_too_many(group)
    return Outcome(parked=1)


def _handle_in_one_transaction(group: ConsumerGroup, events: Sequence[Envelope]) -> Outcome:
    with transaction.atomic():
        waiting = dead_letters.sort_out(group, events) if group.parks else dead_letters.NONE_WAITING
        fresh = inbox.claim(group, [event for event in events if event.id not in waiting.ids])
        inbox.apply(group, fresh)
        crash.at("handling.before_commit")
    crash.at("handling.after_commit")
    if fresh and group.parks:
        GroupProgress.objects.filter(group=group.name, parked_in_a_row__gt=0).update(parked_in_a_row=0)
    repeated = len(events) - len(fresh) - waiting.parked_now
    outcome = Outcome(handled=len(fresh), repeated=repeated, parked=waiting.parked_now)
    _tell(group, fresh, outcome)
    return outcome


def _tell(group: ConsumerGroup, applied: Sequence[Envelope], outcome: Outcome) -> None:
    """Log and count what was committed."""
    _log_handled(group, applied)
    metrics.count_handled(group.name, applied)
    metrics.count_set_aside(group.name, repeated=outcome.repeated, parked=outcome.parked)


def handle_logged(group: ConsumerGroup, rows: Sequence[Logged]) -> Outcome:
    """Apply events as they stand in the log, in order. Raises as `handle` does.

    One that Python cannot read, written past the one door, has no effect that could come too early or too late: it is
    given as an unreadable record is, in the place of the event, and stops nobody.
    """
    events: list[Envelope] = []
    unreadable: list[Unreadable] = []
    for row in rows:
        try:
            events.append(row.envelope())
        except (ValueError, RecursionError) as reason:
            unreadable.append(_unreadable_event(row, type(reason).__name__))
    given = _give_unreadable(group, unreadable) if unreadable else 0
    outcome = handle(group, events)
    outcome += Outcome(handled=given, repeated=len(unreadable) - given)
    return outcome


def record_unreadable(group: ConsumerGroup, found: Sequence[tuple[Record, str]]) -> None:
    """Give records that are no event, each with the reason, to the group, once per place and content.

    Many in one transaction: on a topic full of garbage the others wait for these. Raises `Transient`.
    """
    if group.unreadable:
        _give_unreadable(group, [_unreadable(record, reason) for record, reason in found])


def _give_unreadable(group: ConsumerGroup, found: Sequence[Unreadable]) -> int:
    """How many of them were new to the group.

    In transactions of so few bytes that none comes near PostgreSQL's limits of time, and what is done is done.
    """
    return sum(_give_in_one_transaction(group, piece) for piece in _pieces(found))


def _pieces(found: Sequence[Unreadable]) -> Iterator[list[Unreadable]]:
    piece: list[Unreadable] = []
    room = UNREADABLE_BYTES_AT_ONCE
    for one in found:
        size = _size(one.record)
        if piece and size > room:
            yield piece
            piece, room = [], UNREADABLE_BYTES_AT_ONCE
        piece.append(one)
        room -= size
    if piece:
        yield piece


def _size(record: Record) -> int:
    """In bytes, with something for each header: half a million empty ones fit into a record, and cost time."""
    headers = sum(8 + len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def _give_in_one_transaction(group: ConsumerGroup, found: Sequence[Unreadable]) -> int:
    by_id = {one.stands_for: one for one in found}
    try:
        with transaction.atomic():
            fresh = inbox.claim_ids(group, by_id.keys())
            if fresh and group.unreadable:
                group.unreadable([one for one in by_id.values() if one.stands_for in fresh])
    except Exception as failure:
        connection.close_if_unusable_or_obsolete()
        raise Transient(f"{type(failure).__name__}: {str(failure).strip()}") from failure
    return len(fresh)


def _unreadable_event(row: Logged, reason: str) -> Unreadable:
    log.warning("event_unreadable", position=row.position, event_type=row.type, reason=reason)
    headers = [("ce_id", str(row.event_id).encode()), ("ce_type", row.type.encode())]
    # It stands in no partition; where a record has its offset, its position in the log tells where it is.
    record = Record(row.topic, -1, row.position, row.key.encode(), row.text.encode(), headers)
    return Unreadable(row.event_id, record, reason)


def _unreadable(record: Record, reason: str) -> Unreadable:
    digest = hashlib.sha256(b"\0".join([record.key or b"", record.value or b""])).hexdigest()
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return Unreadable(uuid5(NAMESPACE_URL, f"{place}/{digest}"), record, reason)


def _log_handled(group: ConsumerGroup, events: Sequence[Envelope]) -> None:
    now = datetime.now(UTC)
    if events:
        log.info("event_handled", each=[_told(group, event, now=now) for event in events])


def _told(group: ConsumerGroup, event: Envelope, *, now: datetime) -> dict[str, Any]:
    return {
        "group": group.name,
        "event_type": event.type,
        "event_id": str(event.id),
        f"{event.subject_type}_id": str(event.subject_id),
        "correlation_id": event.correlation_id,
        "seconds_after": round((now - event.occurred_at).total_seconds(), 3),
    }
