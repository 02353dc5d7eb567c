"""Handles the events of a batch that failed as a whole: each by itself, with a savepoint of its own.

Invariant: what is applied, what is parked and what is parked behind that share one transaction, in the order of the
batch, so that of a key nothing is applied behind what failed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F

from apps.events import crash, dead_letters, inbox, metrics
from apps.events.dead_letters import Failure, Key
from apps.events.envelope import Envelope
from apps.events.errors import PoisonEvent, Transient
from apps.events.models import GroupProgress
from apps.events.subscriptions import ConsumerGroup

# After it failed with its batch, or alone, an event that fails in a way nobody foresaw is tried so often again.
ATTEMPTS = 2


@dataclass(slots=True)
class Apart:
    """What became of events: applied, failed, behind one that failed; how many failed since one was applied.

    `parked` counts those that failed and those behind. `stopped`: so many failed in a row that the group stops; what
    came after them was left as it was.
    """

    applied: list[Envelope] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    behind: list[Envelope] = field(default_factory=list)
    in_a_row: int = 0
    parked: int = 0
    stopped: bool = False


def handle(group: ConsumerGroup, events: Sequence[Envelope], *, failure: Exception | None = None) -> Apart:
    """Apply events in order, park those that fail for good. `failure` is what an only event failed with already.

    Raises `Transient` and what the database raises when it is away, or when the whole cannot be committed; then
    nothing is kept.
    """
    with transaction.atomic():
        waiting = dead_letters.sort_out(group, events)
        fresh = inbox.claim(group, [event for event in events if event.id not in waiting.ids])
        found = _try_each(group, fresh, failure=failure)
        applied = {event.id for event in found.applied}
        inbox.unclaim(group, [event.id for event in fresh if event.id not in applied])
        found.parked = waiting.parked_now + _park(group, found)
        crash.at("handling.before_commit")
    crash.at("handling.after_commit")
    return found


def count_in_a_row(group: ConsumerGroup, *, parked: int, begin_anew: bool) -> None:
    """Note that so many were parked in a row; `begin_anew` where one was applied just before them."""
    progress, _ = GroupProgress.objects.get_or_create(group=group.name)
    in_a_row = parked if begin_anew else F("parked_in_a_row") + parked
    GroupProgress.objects.filter(pk=progress.pk).update(parked_in_a_row=in_a_row)


def _try_each(group: ConsumerGroup, events: Sequence[Envelope], *, failure: Exception | None) -> Apart:
    found = Apart()
    progress = GroupProgress.objects.filter(group=group.name)
    before = progress.values_list("parked_in_a_row", flat=True).first() or 0
    held_up: set[Key] = set()
    for event in events:
        key = _key(event)
        if key in held_up:
            found.behind.append(event)
        elif error := _error_of(group, event, known=failure):
            found.failed.append(Failure.by(event, error))
            held_up.add(key)
            found.in_a_row += 1
        else:
            found.applied.append(event)
            found.in_a_row = before = 0
        if found.in_a_row and before + found.in_a_row >= settings.MAX_PARKED_IN_A_ROW:
            found.stopped = True
            break
    return found


def _key(event: Envelope) -> Key:
    return event.topic, event.key


def _error_of(group: ConsumerGroup, event: Envelope, *, known: Exception | None) -> Exception | None:
    """What an event fails with for good; nothing when it is applied."""
    error = known
    for _ in range(ATTEMPTS):
        if isinstance(error, PoisonEvent):
            break
        try:
            with transaction.atomic():
                inbox.apply(group, [event])
            return None
        except (OperationalError, InterfaceError, Transient):
            raise
        except Exception as reason:  # noqa: BLE001 - it stands in the letter
            metrics.count_failed(group.name)
            error = reason
    return error


def _park(group: ConsumerGroup, found: Apart) -> int:
    """Those that failed, then those behind each; how many."""
    if found.applied or found.failed:
        count_in_a_row(group, parked=found.in_a_row, begin_anew=bool(found.applied))
    if not found.failed:
        return 0
    dead_letters.park(group, found.failed)
    behind = dead_letters.sort_out(group, found.behind).parked_now if found.behind else 0
    return len(found.failed) + behind
