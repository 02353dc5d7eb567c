"""Takes out of the log what an erased person wrote.

Who is erased has an `account.erased.v1` in the log. Invariant: an event is emptied only when no group is still to
be given it, so none ever sees a hollow one; its place, ids, versions and instants stay, and so does every count and
order. The database decides that once more, and `events_erase` is its one door (see the migration `erasing`).
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.events import dead_letters, event_types, subscriptions
from apps.events.errors import DeadLetterNotParked
from apps.events.event_types import ERASING_TYPE
from apps.events.models import DeadLetter, Event

log = structlog.get_logger(__name__)

STEP = 1000
EMPTIED_BECAUSE = "Its owner was erased."

_UNFINISHED = """
SELECT x.owner_id FROM events_event x WHERE x.type = %(erasing)s AND EXISTS (
    SELECT FROM events_event e WHERE e.owner_id = x.owner_id AND e.erased_at IS NULL AND e.type <> %(erasing)s)
UNION
SELECT x.owner_id FROM events_event x
JOIN events_deadletter d ON d.envelope -> 'headers' ->> 'ce_ownerid' = x.owner_id::text
WHERE x.type = %(erasing)s AND d.type <> %(erasing)s
"""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was emptied just now, and how many events wait until every group has been given them."""

    events: int
    dead_letters: int
    waiting: int


def erase(owner_id: UUID) -> Erased:
    """Empty what can be emptied of an erased person, in short transactions. Harmless to run again; for anybody who
    is not erased it does nothing.
    """
    if not erased_among([owner_id]):
        return Erased(events=0, dead_letters=0, waiting=0)
    letters = _empty_dead_letters(owner_id)
    wanted, events = json.dumps(_wanted(owner_id)), 0
    while step := _empty_events(owner_id, wanted):
        events += step
    erased = Erased(events=events, dead_letters=letters, waiting=events_of(owner_id).count())
    if events or letters:
        log.info("log_erased", owner_id=str(owner_id), events=events, dead_letters=letters, waiting=erased.waiting)
    return erased


def erase_unfinished() -> int:
    """Go on with everybody of whom something is left; how many people those are."""
    with connection.cursor() as cursor:
        cursor.execute(_UNFINISHED, {"erasing": ERASING_TYPE})
        owners = [row[0] for row in cursor.fetchall()]
    for owner_id in owners:
        erase(owner_id)
    return len(owners)


def erased_among(owner_ids: Collection[UUID]) -> set[UUID]:
    """Those of these people who are erased: what still comes of them is not to be kept."""
    rows = Event.objects.filter(type=ERASING_TYPE, owner_id__in=owner_ids)
    return {owner_id for owner_id in rows.values_list("owner_id", flat=True) if owner_id}


def events_of(owner_id: UUID) -> QuerySet[Event]:
    """A person's events that still tell what they wrote."""
    return Event.objects.filter(owner_id=owner_id, erased_at=None).exclude(type=ERASING_TYPE)


def dead_letters_of(owner_id: UUID) -> QuerySet[DeadLetter]:
    """A person's dead letters that still tell what they wrote; that they were erased tells nothing."""
    letters = DeadLetter.objects.filter(envelope__headers__ce_ownerid=str(owner_id))
    return letters.exclude(type=ERASING_TYPE).order_by("-pk")


def _discard(letter: DeadLetter) -> None:
    try:
        dead_letters.discard(letter.pk)
    except DeadLetterNotParked:
        return  # somebody else decided meanwhile
    except LookupError:  # of a group that is no more
        parked = DeadLetter.objects.filter(pk=letter.pk, status=DeadLetter.Status.PARKED)
        parked.update(status=DeadLetter.Status.DISCARDED, resolved_at=Now())
    except Exception as reason:  # noqa: BLE001 - whatever a handler raises for what waited behind it: that stays parked
        log.warning("erasure_could_not_free", letter=letter.pk, because=type(reason).__name__)


def _wanted(owner_id: UUID) -> list[dict[str, Any]]:
    """Per group the types it is to be given. A type that this release no longer declares may be in the log too."""
    types = {event_type.name for event_type in event_types.declared()}
    types |= set(events_of(owner_id).values_list("type", flat=True).distinct())
    return [
        {"group": group.name, "types": [name for name in sorted(types) if group.wants(name)]}
        for group in subscriptions.groups()
    ]


def _empty_events(owner_id: UUID, wanted: str) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        days = settings.HANDLED_EVENT_RETENTION_DAYS
        cursor.execute(
            "SELECT events_erase(%s::uuid, %s::jsonb, %s::integer, %s::integer)", [owner_id, wanted, days, STEP]
        )
        return int(cursor.fetchone()[0])


def _empty_dead_letters(owner_id: UUID) -> int:
    """Give up those that are parked, the last of a key first: the news of the erasure, if it waits behind them, is
    applied by the last one.
    """
    emptied = 0
    for letter in dead_letters_of(owner_id):
        if letter.status == DeadLetter.Status.PARKED:
            _discard(letter)
        with transaction.atomic():
            rest = {"envelope": {}, "reason": EMPTIED_BECAUSE, "traceback": ""}
            emptied += DeadLetter.objects.filter(pk=letter.pk).exclude(status=DeadLetter.Status.PARKED).update(**rest)
    return emptied
