"""The event as it travels: a CloudEvent 1.0 in Kafka's binary mode, by the official SDK.

Invariants: `decode(encode(envelope))` is the same envelope, and anything else on a topic is an
`UnreadableRecord`, never an exception of some library. Our own form is written and read without the SDK, byte by byte
as the SDK would.

Source: CloudEvents 1.0.2 and its Kafka protocol binding; extension attributes `partitionkey`, `sequence` and
`traceparent` as registered there, `correlationid`, `causationid`, `actorid` and `ownerid` are ours.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NoReturn
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


_plain_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class _PlainJSON(JSONFormat):
    """UTF-8 as it is: escaped, a text that is not in Latin script would take three times the room."""

    def write_data(self, data: Any, datacontenttype: str | None) -> bytes:
        return _plain_encoder.encode(data).encode()


_FORMAT = _PlainJSON()
_OUR_HEADERS = frozenset(
    {
        "content-type",
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_partitionkey", "ce_sequence"),
        *("ce_ownerid", "ce_actorid", "ce_causationid", "ce_correlationid", "ce_traceparent"),
    }
)
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
        # As it will be read from Kafka: what is not plain there is not kept here either.
        correlation_id=context.accepted_correlation_id(led.correlation_id),
        causation_id=led.causation_id,
        traceparent=led.traceparent,
        data=data,
    )


def encode(envelope: Envelope) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """The key, value and headers of the Kafka record that carries an event, as the SDK would write them."""
    if not (envelope.type and envelope.source and envelope.occurred_at.tzinfo):
        return _encode_by_the_sdk(envelope)  # which says what is wrong
    key = envelope.key.encode()
    headers = [
        ("ce_id", str(envelope.id).encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_type", envelope.type.encode()),
        ("ce_specversion", b"1.0"),
        ("content-type", b"application/json"),
        ("ce_subject", envelope.subject.encode()),
        ("ce_time", _written(envelope.occurred_at)),
        ("ce_partitionkey", key),
        ("ce_correlationid", envelope.correlation_id.encode()),
        ("ce_traceparent", envelope.traceparent.encode()),
        *((f"ce_{name}", value.encode()) for name, value in _optional_attributes(envelope).items()),
    ]
    return key, _plain_encoder.encode(dict(envelope.data)).encode(), headers


def _written(at: datetime) -> bytes:
    text = at.isoformat()
    return (f"{text[:-6]}Z" if text.endswith("+00:00") else text).encode()


def _optional_attributes(envelope: Envelope) -> dict[str, str]:
    optional = {
        "sequence": envelope.version,
        "ownerid": envelope.owner_id,
        "actorid": envelope.actor_id,
        "causationid": envelope.causation_id,
    }
    return {name: str(value) for name, value in optional.items() if value is not None}


def _encode_by_the_sdk(envelope: Envelope) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
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
        **_optional_attributes(envelope),
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
        envelope = _in_our_own_form(key, value, headers, record) or _by_the_sdk(key, value, headers, record)
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


def _in_our_own_form(
    key: bytes | None, value: bytes, headers: list[tuple[str, bytes]], record: RecordPosition
) -> Envelope | None:
    """The event of a record exactly as `encode` writes them, as the SDK would have it read.

    `None` for any other: there the SDK judges. Its reading took a consumer a fifth of its time.
    """
    try:
        read = {name: text.decode() for name, text in headers}
        if not (
            read.keys() <= _OUR_HEADERS
            and read["ce_specversion"] == "1.0"
            and read["content-type"] == "application/json"
            and _OUR_TIME.fullmatch(read["ce_time"])
        ):
            return None
        subject_type, _, subject_id = read["ce_subject"].partition("/")
        owner_id, actor_id, causation_id = read.get("ce_ownerid"), read.get("ce_actorid"), read.get("ce_causationid")
        text = value.decode()
        data = _plain_decoder.decode(text)
        if not isinstance(data, dict) or not read["ce_source"] or not read["ce_type"]:
            return None
        if "\\u" in text or text.count("{") + text.count("[") > soundness.MAX_DEPTH:
            soundness.check_storable(data)
        return Envelope(
            id=UUID(read["ce_id"]),
            type=_short(read["ce_type"]),
            topic=record.topic,
            key=_short((read.get("ce_partitionkey") if key is None else key.decode()) or subject_id),
            source=_short(read["ce_source"]),
            subject_type=_short(subject_type),
            subject_id=UUID(subject_id),
            version=_version(read.get("ce_sequence")),
            owner_id=_seen_uuid(owner_id) if owner_id else None,
            actor_id=_seen_uuid(actor_id) if actor_id else None,
            occurred_at=datetime.fromisoformat(read["ce_time"]),
            correlation_id=context.accepted_correlation_id(read.get("ce_correlationid")),
            causation_id=UUID(causation_id) if causation_id else None,
            traceparent=context.accepted_traceparent(read.get("ce_traceparent")),
            data=data,
            record=record,
        )
    except (AttributeError, KeyError, UnreadableRecord, ValueError):
        return None


def _by_the_sdk(key: bytes | None, value: bytes, headers: list[tuple[str, bytes]], record: RecordPosition) -> Envelope:
    message = KafkaMessage(headers=dict(headers), key=key, value=value)
    soundness.check_headers(message.headers)
    event = from_binary(message, _FORMAT, CloudEvent)
    return _from_cloud_event(event.get_attributes(), event.get_data(), record=record)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


# For JSON that PostgreSQL keeps too; `soundness` judges the rest.
_plain_decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_no_number)
# People's, most of which come again.
_seen_uuid = lru_cache(maxsize=4096)(UUID)


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
