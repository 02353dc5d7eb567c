"""Events that a group gave up on: park, replay, discard.

Invariant: while an event of a (group, topic, key) is parked, later events of that key are parked behind it, in
order, and applied only after it is replayed or discarded. Whoever parks or frees a key holds that key's
advisory lock until commit, so none slips in between.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.events import envelope as envelopes
from apps.events import inbox, metrics
from apps.events.envelope import Envelope
from apps.events.errors import DeadLetterNotParked, GroupStopped
from apps.events.models import DeadLetter, GroupProgress
from apps.events.subscriptions import ConsumerGroup, group_named

log = structlog.get_logger(__name__)

Key = tuple[str, str]  # topic, key


@dataclass(frozen=True, slots=True)
class Waiting:
    """Events of a batch that are not to be applied, and how many of them were parked just now."""

    ids: frozenset[UUID] = field(default_factory=frozenset)
    parked_now: int = 0


NONE_WAITING = Waiting()


def sort_out(group: ConsumerGroup, events: Sequence[Envelope]) -> Waiting:
    """Tell which events must wait: those already dead letters, and those behind one, which are parked here."""
    known, blocked = _known_and_blocked(group, events)
    if not known and not blocked:
        return NONE_WAITING
    _lock_keys(group, blocked)
    known, blocked = _known_and_blocked(group, events)  # a replay may have freed a key while we waited
    parked_now = 0
    for event in events:
        first = blocked.get((event.topic, event.key))
        if event.id not in known and first is not None:
            park(group, event, reason=f"Behind dead letter {first}.", behind=first)
            known.add(event.id)
            parked_now += 1
    return Waiting(frozenset(known), parked_now)


def _known_and_blocked(group: ConsumerGroup, events: Sequence[Envelope]) -> tuple[set[UUID], dict[Key, int]]:
    keys = {(event.topic, event.key) for event in events}
    ids = {event.id for event in events}
    letters = DeadLetter.objects.filter(group=group.name).filter(
        Q(status=DeadLetter.Status.PARKED) | Q(event_id__in=ids)
    )
    known: set[UUID] = set()
    blocked: dict[Key, int] = {}
    for letter in letters.only("id", "event_id", "topic", "key", "status").order_by("id"):
        if letter.event_id in ids and letter.status != DeadLetter.Status.REPLAYED:
            known.add(letter.event_id)
        if letter.status == DeadLetter.Status.PARKED and (letter.topic, letter.key) in keys:
            blocked.setdefault((letter.topic, letter.key), letter.pk)
    return known, blocked


def _lock_keys(group: ConsumerGroup, keys: Iterable[Key]) -> None:
    """Hold the keys' advisory locks until commit, taken in sorted order."""
    numbers = sorted(
        int.from_bytes(hashlib.blake2b(f"{group.name}\0{topic}\0{key}".encode(), digest_size=8).digest(), signed=True)
        for topic, key in keys
    )
    with connection.cursor() as cursor:
        for number in numbers:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def park(group: ConsumerGroup, event: Envelope, *, reason: str, trace: str = "", behind: int | None = None) -> None:
    """Set one event aside, in the caller's transaction. Parking it again changes nothing."""
    if behind is None:
        _lock_keys(group, [(event.topic, event.key)])
    if inbox.has_handled(group, event.id):
        return  # a second consumer of the group managed it meanwhile
    DeadLetter.objects.get_or_create(
        group=group.name,
        event_id=event.id,
        defaults={
            "type": event.type,
            "topic": event.topic,
            "key": event.key,
            "record_partition": event.record.partition if event.record else None,
            "record_offset": event.record.offset if event.record else None,
            "envelope": envelopes.to_json(event),
            "reason": reason[:10_000],
            "traceback": trace[-20_000:],
            "behind_id": behind,
        },
    )
    # An exception's words may quote what a person wrote: they stand in the letter, which goes when the person does.
    kind = reason.partition(":")[0]
    log.error("event_parked", group=group.name, event_type=event.type, event_id=str(event.id), reason=kind)


def stop_if_too_many(group: ConsumerGroup) -> None:
    """Raises `GroupStopped` when the group has parked `MAX_PARKED_IN_A_ROW` events without handling one."""
    parked = GroupProgress.objects.filter(group=group.name).values_list("parked_in_a_row", flat=True).first() or 0
    if parked >= settings.MAX_PARKED_IN_A_ROW:
        raise GroupStopped(group.name, parked=parked)


def replay(letter_id: int) -> int:
    """Apply a parked event and the others of its key, oldest first; how many were applied.

    Each is applied in a transaction of its own, so that what went well stays. Raises `DeadLetterNotParked`,
    or what the handler raised for the first event that fails again: it and those behind it stay parked.
    """
    return _drain(_parked(letter_id))


def discard(letter_id: int) -> int:
    """Give up one event for good and, if it held up others, apply those; how many. Raises as `replay` does."""
    with transaction.atomic():
        letter = _parked(letter_id)
        _lock_keys(group_named(letter.group), [(letter.topic, letter.key)])
        letter = _parked(letter_id)
        _resolve(letter, DeadLetter.Status.DISCARDED)
        GroupProgress.objects.filter(group=letter.group).update(parked_in_a_row=0)
        held_up_others = not _of_same_key(letter).filter(pk__lt=letter.pk).exists()
    return _drain(letter) if held_up_others else 0


def _drain(letter: DeadLetter) -> int:
    group = group_named(letter.group)
    applied = 0
    while True:
        with transaction.atomic():
            _lock_keys(group, [(letter.topic, letter.key)])
            oldest = _of_same_key(letter).order_by("pk").first()
            if oldest is None:
                return applied
            event = envelopes.from_json(oldest.envelope)
            fresh = inbox.claim(group, [event])
            inbox.apply(group, fresh)
            _resolve(oldest, DeadLetter.Status.REPLAYED)
            GroupProgress.objects.filter(group=group.name).update(parked_in_a_row=0)
        metrics.count_handled(group.name, fresh)
        applied += 1


def _parked(letter_id: int) -> DeadLetter:
    letter = DeadLetter.objects.get(pk=letter_id)
    if letter.status != DeadLetter.Status.PARKED:
        raise DeadLetterNotParked(letter.pk, event_id=letter.event_id, status=letter.status)
    return letter


def _of_same_key(letter: DeadLetter) -> QuerySet[DeadLetter]:
    return DeadLetter.objects.filter(
        group=letter.group, topic=letter.topic, key=letter.key, status=DeadLetter.Status.PARKED
    )


def _resolve(letter: DeadLetter, status: DeadLetter.Status) -> None:
    letter.status = status
    letter.resolved_at = Now()
    letter.save(update_fields=["status", "resolved_at"])
    log.info("dead_letter_resolved", letter=letter.pk, group=letter.group, status=str(status))
