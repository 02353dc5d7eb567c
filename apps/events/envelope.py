"""The event as it travels: a CloudEvent 1.0 in Kafka's binary mode, by the official SDK.

Invariants: `decode(encode(envelope))` is the same envelope, and anything else on a topic is an
`UnreadableRecord`, never an exception of some library. A record in the very form that `encode` writes is read without
the SDK, and comes out as the SDK would read it.

Source: CloudEvents 1.0.2 and its Kafka protocol binding; extension attributes `partitionkey`, `sequence` and
`traceparent` as registered there, `correlationid`, `causationid`, `actorid` and `ownerid` are ours.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from django.conf import settings
from uuid_utils.compat import uuid7

from apps.events import context, event_types, soundness
from apps.events.context import Cause
from apps.events.errors import InvalidEvent, UnreadableRecord
from apps.events.event_types import EventType

MAX_ATTRIBUTE_LENGTH = 200


class _PlainJSON(JSONFormat):
    """UTF-8 as it is: escaped, a text that is not in Latin script would take three times the room."""

    def write_data(self, data: Any, datacontenttype: str | None) -> bytes:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


_FORMAT = _PlainJSON()
_OUR_HEADERS = {
    "content-type": "datacontenttype",
    **{
        f"ce_{name}": name
        for name in (
            *("specversion", "id", "source", "type", "subject", "time", "partitionkey", "sequence"),
            *("ownerid", "actorid", "causationid", "correlationid", "traceparent"),
        )
    },
}
_OUR_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?Z")


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """Where a record stands in Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One event. `version` numbers the facts of its subject from 1; `None` where a subject counts none.

    `owner_id` is whose thing it is, `actor_id` who did it; `record` is where it was read from Kafka, `None`
    when it comes from the log.
    """

    id: UUID
    type: str
    topic: str
    key: str
    source: str
    subject_type: str
    subject_id: UUID
    version: int | None
    owner_id: UUID | None
    actor_id: UUID | None
    occurred_at: datetime
    correlation_id: str
    causation_id: UUID | None
    traceparent: str
    data: Mapping[str, Any]
    record: RecordPosition | None = None

    @property
    def subject(self) -> str:
        return f"{self.subject_type}/{self.subject_id}"


def new(
    event_type: EventType,
    *,
    subject_type: str,
    subject_id: UUID,
    version: int | None,
    owner_id: UUID | None,
    actor_id: UUID | None,
    occurred_at: datetime,
    data: Mapping[str, Any],
    key: str | None = None,
    cause: Envelope | None = None,
) -> Envelope:
    """A new event with its own id. `key` orders it, its subject's id by default; `cause` is the event that led to
    it, by default what is at hand.
    """
    led = Cause(cause.correlation_id, cause.traceparent, cause.id) if cause else context.current()
    return Envelope(
        id=uuid7(),
        type=event_type.name,
        topic=event_type.topic,
        key=key or str(subject_id),
        source=settings.EVENT_SOURCE,
        subject_type=subject_type,
        subject_id=subject_id,
        version=version,
        owner_id=owner_id,
        actor_id=actor_id,
        occurred_at=occurred_at,
        correlation_id=led.correlation_id,
        causation_id=led.causation_id,
        traceparent=led.traceparent,
        data=data,
    )


def encode(envelope: Envelope) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """The key, value and headers of the Kafka record that carries an event."""
    optional = {
        "sequence": envelope.version,
        "ownerid": envelope.owner_id,
        "actorid": envelope.actor_id,
        "causationid": envelope.causation_id,
    }
    attributes: dict[str, Any] = {
        "id": str(envelope.id),
        "source": envelope.source,
        "type": envelope.type,
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "subject": envelope.subject,
        "time": envelope.occurred_at,
        "partitionkey": envelope.key,
        "correlationid": envelope.correlation_id,
        "traceparent": envelope.traceparent,
        **{name: str(value) for name, value in optional.items() if value is not None},
    }
    message = to_binary(CloudEvent(attributes, dict(envelope.data)), _FORMAT)
    return envelope.key.encode(), message.value, list(message.headers.items())


def header(headers: list[tuple[str, bytes]], name: str) -> str:
    """A header's text, empty when it is missing or not text: enough to tell whether to decode the record."""
    for key, value in headers:
        if key.lower() == name and value is not None:
            return value.decode("utf-8", errors="replace")
    return ""


def decode(
    *, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], record: RecordPosition
) -> Envelope:
    """The event a Kafka record carries. Raises `UnreadableRecord` with the reason for anything else."""
    if value is None:
        raise UnreadableRecord("The record has no value.")
    try:
        message = KafkaMessage(headers=dict(headers), key=key, value=value)
        if (read := _in_our_own_form(message)) is None:
            soundness.check_headers(message.headers)
            event = from_binary(message, _FORMAT, CloudEvent)
            read = event.get_attributes(), event.get_data()
        envelope = _from_cloud_event(*read, record=record)
        if event_types.find(envelope.type):
            event_types.check_data(envelope.type, envelope.data, exact=False)
    except UnreadableRecord:
        raise
    except BaseCloudEventException as reason:
        raise UnreadableRecord(f"Not a CloudEvent: {reason}") from reason
    except InvalidEvent as reason:
        raise UnreadableRecord(f"The data is not what its type promises: {reason}") from reason
    except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as reason:
        raise UnreadableRecord(f"{type(reason).__name__}: {reason}") from reason
    return envelope


def _in_our_own_form(message: KafkaMessage) -> tuple[dict[str, Any], Any] | None:
    """The attributes and data that the SDK would read, of a record exactly as `encode` writes them.

    `None` for any other: there the SDK judges. Its reading took a consumer a fifth of its time.
    """
    try:
        attributes: dict[str, Any] = {_OUR_HEADERS[name]: text.decode() for name, text in message.headers.items()}
        if not (
            attributes["specversion"] == "1.0"
            and attributes["datacontenttype"] == "application/json"
            and attributes["id"]
            and attributes["source"]
            and attributes["type"]
            and attributes["subject"]
            and _OUR_TIME.fullmatch(attributes["time"])
            and isinstance(message.value, bytes)
        ):
            return None
        attributes["time"] = datetime.fromisoformat(attributes["time"])
        if message.key is not None:
            attributes["partitionkey"] = message.key.decode()  # type: ignore[union-attr]
        return attributes, json.loads(message.value.decode())
    except (AttributeError, KeyError, ValueError):
        return None


def _from_cloud_event(attributes: Mapping[str, Any], data: Any, *, record: RecordPosition) -> Envelope:
    subject_type, _, subject_id = str(attributes.get("subject", "")).partition("/")
    occurred_at = attributes.get("time")
    if not isinstance(data, dict):
        raise UnreadableRecord("The data is not a JSON object.")
    if not isinstance(occurred_at, datetime) or occurred_at.tzinfo is None:
        raise UnreadableRecord("`time` is missing or has no offset.")
    soundness.check_storable(data)
    return Envelope(
        id=UUID(attributes["id"]),
        type=_short(attributes["type"]),
        topic=record.topic,
        key=_short(str(attributes.get("partitionkey") or subject_id)),
        source=_short(attributes["source"]),
        subject_type=_short(subject_type),
        subject_id=UUID(subject_id),
        version=_version(attributes.get("sequence")),
        owner_id=_optional_uuid(attributes.get("ownerid")),
        actor_id=_optional_uuid(attributes.get("actorid")),
        occurred_at=occurred_at.astimezone(UTC),
        correlation_id=context.accepted_correlation_id(attributes.get("correlationid")),
        causation_id=_optional_uuid(attributes.get("causationid")),
        traceparent=context.accepted_traceparent(attributes.get("traceparent")),
        data=data,
        record=record,
    )


def _short(text: str) -> str:
    if len(text) > MAX_ATTRIBUTE_LENGTH or "\0" in text:
        raise UnreadableRecord(f"An attribute is longer than {MAX_ATTRIBUTE_LENGTH} characters or holds a NUL.")
    return text


def _version(text: str | None) -> int | None:
    version = int(text) if text else None
    if version is not None and not 1 <= version < 2**31:
        raise UnreadableRecord(f"`sequence` {version} is not a version.")
    return version


def _optional_uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def to_json(envelope: Envelope) -> dict[str, Any]:
    """The event as plain JSON values, to keep beside a dead letter."""
    key, value, headers = encode(envelope)
    return {
        "topic": envelope.topic,
        "key": key.decode(),
        "headers": {name: text.decode() for name, text in headers},
        "data": json.loads(value),
    }


def from_json(kept: Mapping[str, Any]) -> Envelope:
    """The event that `to_json` kept."""
    nowhere = RecordPosition(kept["topic"], -1, -1)
    headers = [(name, text.encode()) for name, text in kept["headers"].items()]
    value = json.dumps(kept["data"]).encode()
    return replace(decode(key=kept["key"].encode(), value=value, headers=headers, record=nowhere), record=None)
