"""Events that a group gave up on: park, replay, discard.

Invariant: while an event of a (group, topic, key) is parked, later events of that key are parked behind it, in
order, and applied only after it is replayed or discarded. Whoever parks or frees a key holds that key's
advisory lock until commit, so none slips in between.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from traceback import format_exception
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.events import envelope as envelopes
from apps.events import inbox, metrics
from apps.events.envelope import Envelope
from apps.events.errors import DeadLetterNotParked, GroupStopped
from apps.events.models import DeadLetter, GroupProgress
from apps.events.subscriptions import ConsumerGroup, group_named

log = structlog.get_logger(__name__)

Key = tuple[str, str]  # topic, key

# One step into the index of parked letters for each key, however many there are of it, of others or of other groups:
# the comparison of rows, and the order of them, leave no other index to choose.
_FIRST_OF_KEYS = """
SELECT k.topic, k.key, first.id
FROM unnest(%(topics)s::text[], %(keys)s::text[]) AS k (topic, key)
CROSS JOIN LATERAL (
    SELECT d."group", d.topic, d.key, d.id FROM events_deadletter d
    WHERE d.status = 'parked' AND (d."group", d.topic, d.key) >= (%(group)s::text, k.topic, k.key)
    ORDER BY d."group", d.topic, d.key, d.id LIMIT 1
) first
WHERE first."group" = %(group)s AND first.topic = k.topic AND first.key = k.key
"""


@dataclass(frozen=True, slots=True)
class Failure:
    """An event that a group cannot handle, and why, in words and as a traceback."""

    event: Envelope
    reason: str
    trace: str = ""

    @classmethod
    def by(cls, event: Envelope, error: Exception) -> "Failure":
        return cls(event, f"{type(error).__name__}: {error}", "".join(format_exception(error)))


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
    behind = {
        event.id: (event, blocked[event.topic, event.key])
        for event in events
        if event.id not in known and (event.topic, event.key) in blocked
    }
    parked_now = _park_behind(group, list(behind.values()))
    return Waiting(frozenset(known | behind.keys()), parked_now)


def _known_and_blocked(group: ConsumerGroup, events: Sequence[Envelope]) -> tuple[set[UUID], dict[Key, int]]:
    """Of these events those that are dead letters; of their keys those that are held up, each with its first letter."""
    letters = DeadLetter.objects.filter(group=group.name, event_id__in={event.id for event in events})
    known = set(letters.exclude(status=DeadLetter.Status.REPLAYED).values_list("event_id", flat=True))
    keys = sorted({(event.topic, event.key) for event in events})
    with connection.cursor() as cursor:
        cursor.execute(
            _FIRST_OF_KEYS,
            {"group": group.name, "topics": [topic for topic, _ in keys], "keys": [key for _, key in keys]},
        )
        blocked = {(topic, key): letter_id for topic, key, letter_id in cursor.fetchall()}
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


def park(group: ConsumerGroup, failures: Sequence[Failure]) -> None:
    """Set events aside, each the first of its key, in the caller's transaction. To park one again changes nothing."""
    _lock_keys(group, {(failure.event.topic, failure.event.key) for failure in failures})
    # A second consumer of the group may have managed one meanwhile.
    handled = inbox.handled_among(group, [failure.event.id for failure in failures])
    letters = [
        _letter(group, failure.event, reason=failure.reason, trace=failure.trace)
        for failure in failures
        if failure.event.id not in handled
    ]
    _keep(group, letters)


def _park_behind(group: ConsumerGroup, waiting: Sequence[tuple[Envelope, int]]) -> int:
    """Set events aside behind the first letter of their key, whose lock the caller holds; how many. Two statements."""
    handled = inbox.handled_among(group, [event.id for event, _ in waiting])
    letters = [
        _letter(group, event, reason=f"Behind dead letter {first}.", behind=first)
        for event, first in waiting
        if event.id not in handled
    ]
    _keep(group, letters)
    return len(letters)


def _letter(
    group: ConsumerGroup, event: Envelope, *, reason: str, trace: str = "", behind: int | None = None
) -> DeadLetter:
    return DeadLetter(
        group=group.name,
        event_id=event.id,
        type=event.type,
        topic=event.topic,
        key=event.key,
        record_partition=event.record.partition if event.record else None,
        record_offset=event.record.offset if event.record else None,
        envelope=envelopes.to_json(event),
        reason=reason[:10_000],
        traceback=trace[-20_000:],
        behind_id=behind,
    )


def _keep(group: ConsumerGroup, letters: Sequence[DeadLetter]) -> None:
    DeadLetter.objects.bulk_create(letters, ignore_conflicts=True)
    for letter in letters:
        # An exception's words may quote what a person wrote: they stand in the letter, which goes when the person does.
        kind = letter.reason.partition(":")[0]
        log.error("event_parked", group=group.name, event_type=letter.type, event_id=str(letter.event_id), reason=kind)


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
