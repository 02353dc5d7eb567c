"""The one door into the event log.

Invariant: an event is appended inside the transaction of the change it tells of, or not at all.
"""

import structlog
from django.conf import settings
from django.db import connection

from apps.events import crash, event_types
from apps.events.envelope import Envelope, encode
from apps.events.errors import EventTooLarge, OutsideTransaction
from apps.events.models import Event, OutboxEntry

log = structlog.get_logger(__name__)


def append(envelope: Envelope) -> Event:
    """Keep an event for good, and a pointer to it for the relay.

    Raises `OutsideTransaction` outside one, `InvalidEvent` when the data breaks the type's schema and
    `EventTooLarge` when the record would be more than `EVENT_MAX_BYTES`.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction(envelope.type)
    event_types.check_data(envelope.type, envelope.data, exact=True)
    _check_size(envelope)
    crash.at("outbox.before_event")
    event = Event.objects.create(
        event_id=envelope.id,
        type=envelope.type,
        topic=envelope.topic,
        key=envelope.key,
        source=envelope.source,
        subject_type=envelope.subject_type,
        subject_id=envelope.subject_id,
        subject_version=envelope.version,
        owner_id=envelope.owner_id,
        actor_id=envelope.actor_id,
        occurred_at=envelope.occurred_at,
        correlation_id=envelope.correlation_id,
        causation_id=envelope.causation_id,
        traceparent=envelope.traceparent,
        data=envelope.data,
    )
    OutboxEntry.objects.create(event=event)
    crash.at("outbox.after_event")
    log.info(
        "event_appended",
        event_type=envelope.type,
        event_id=str(envelope.id),
        **{f"{envelope.subject_type}_id": str(envelope.subject_id)},
        version=envelope.version,
        actor_id=str(envelope.actor_id),
        correlation_id=envelope.correlation_id,
    )
    return event


def _check_size(envelope: Envelope) -> None:
    key, value, headers = encode(envelope)
    size = len(key) + len(value) + sum(len(name) + len(text) for name, text in headers)
    if size > settings.EVENT_MAX_BYTES:
        raise EventTooLarge(envelope.type, size=size, limit=settings.EVENT_MAX_BYTES)


def envelope_of(event: Event) -> Envelope:
    """The envelope that was appended as `event`."""
    return Envelope(
        id=event.event_id,
        type=event.type,
        topic=event.topic,
        key=event.key,
        source=event.source,
        subject_type=event.subject_type,
        subject_id=event.subject_id,
        version=event.subject_version,
        owner_id=event.owner_id,
        actor_id=event.actor_id,
        occurred_at=event.occurred_at,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        traceparent=event.traceparent,
        data=event.data,
    )
