"""Which events a group has applied, and the applying.

Invariant: `claim` and `apply` run in one transaction of the caller's; an event is claimed at most once per
group, whoever tries.
"""

from collections.abc import Collection, Sequence
from operator import attrgetter
from uuid import UUID

from django.db import connection

from apps.events import context
from apps.events.context import Cause
from apps.events.envelope import Envelope
from apps.events.models import HandledEvent
from apps.events.subscriptions import ConsumerGroup

# In the order of ids, compared as numbers: a comparison of ids themselves is Python's, ten times slower.
_number = attrgetter("int")
# What was there before comes back: next to nothing, where the new ones would be all of them.
_CLAIM = """
WITH asked AS MATERIALIZED (
    SELECT unnest(%s::uuid[]) AS event_id
), claimed AS (
    INSERT INTO events_handledevent ("group", event_id) SELECT %s, event_id FROM asked
    ON CONFLICT DO NOTHING RETURNING event_id
)
SELECT event_id FROM asked WHERE event_id NOT IN (SELECT event_id FROM claimed)
"""


def claim(group: ConsumerGroup, events: Sequence[Envelope]) -> list[Envelope]:
    """Note the events as handled; those that were not before come back, in the order given."""
    unclaimed = claim_ids(group, {event.id for event in events})
    if len(unclaimed) == len(events):
        return list(events)
    fresh = []
    for event in events:
        if event.id in unclaimed:
            unclaimed.remove(event.id)  # the same event twice in one batch is applied once
            fresh.append(event)
    return fresh


def claim_ids(group: ConsumerGroup, ids: Collection[UUID]) -> set[UUID]:
    """Insert the inbox rows; the ids that were new.

    The rows go in sorted, so that two consumers never wait for each other in a circle; a second consumer with
    the same event waits here until the first commits or rolls back.
    """
    if not ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [sorted(ids, key=_number), group.name])
        return set(ids).difference(row[0] for row in cursor.fetchall())


def unclaim(group: ConsumerGroup, ids: Collection[UUID]) -> None:
    """Take back what this transaction claimed and did not apply. One that waited for it goes on and claims it."""
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                'DELETE FROM events_handledevent WHERE "group" = %s AND event_id = ANY(%s::uuid[])',
                [group.name, list(ids)],
            )


def apply(group: ConsumerGroup, events: Sequence[Envelope]) -> None:
    """Call the group's subscribers: batches first, then each event in order, as its cause."""
    for subscription in group.subscriptions:
        if subscription.batch and (wanted := [event for event in events if subscription.wants(event.type)]):
            subscription.function(wanted)  # type: ignore[arg-type]
    one_at_a_time = [subscription for subscription in group.subscriptions if not subscription.batch]
    if not one_at_a_time:
        return
    for event in events:
        with context.caused_by(Cause(event.correlation_id, event.traceparent, causation_id=event.id)):
            for subscription in one_at_a_time:
                if subscription.acts_on(event):
                    subscription.function(event)  # type: ignore[arg-type]


def handled_among(group: ConsumerGroup, ids: Collection[UUID]) -> set[UUID]:
    """Those of these events that the group has applied."""
    found = HandledEvent.objects.filter(group=group.name, event_id__in=ids)
    return set(found.values_list("event_id", flat=True))
