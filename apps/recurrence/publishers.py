"""Turns the signals of series into events: the one module that knows both.

Invariant: runs inside the transaction of the change, so a change and its event are kept together or not at all.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.dispatch import Signal

from apps.accounts.models import User
from apps.calendar.zones import instant_text
from apps.events import envelope, outbox
from apps.events.envelope import Envelope
from apps.events.event_types import EventType
from apps.recurrence import signals
from apps.recurrence.events import RecurrenceEvent
from apps.recurrence.models import Series

PUBLISHED: dict[Signal, EventType] = {
    signals.occurrence_generated: RecurrenceEvent.GENERATED,
    signals.dates_skipped: RecurrenceEvent.SKIPPED,
    signals.series_ended: RecurrenceEvent.ENDED,
    signals.series_changed: RecurrenceEvent.CHANGED,
}


def publish(
    signal: Signal, series: Series, actor: User | None, occurred_at: datetime, told: Mapping[str, Any], **_: Any
) -> Envelope:
    """Append the fact; the fact."""
    fact = envelope.new(
        PUBLISHED[signal],
        subject_type="series",
        subject_id=series.pk,
        version=series.version,
        owner_id=series.owner_id,
        actor_id=actor.pk if actor else None,
        occurred_at=occurred_at,
        data={"series": state(series), **told},
    )
    outbox.append(fact)
    return fact


def state(series: Series) -> dict[str, Any]:
    return {
        "task_id": str(series.opened_by),
        "recurrence": series.recurrence,
        "start": series.start,
        "time_zone": series.time_zone,
        "generated": series.last_number,
        "last_recurrence_id": series.last_recurrence_id,
        "paused_at": instant_text(series.paused_at),
        "ended_at": instant_text(series.ended_at),
    }


for _signal in PUBLISHED:
    _signal.connect(publish)
