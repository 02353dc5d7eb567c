"""An event survives the journey unchanged, and nothing on a topic but an event is taken for one."""

import json
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cloudevents.core.exceptions import BaseCloudEventException
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.events import context, envelope, soundness
from apps.events.context import Cause
from apps.events.envelope import Envelope, RecordPosition, decode, encode, from_json, to_json
from apps.events.errors import UnreadableRecord
from apps.tasks.events import TaskEvent
from tests.support.factories import NOW, event, record_of, task_data

PLACE = RecordPosition("task-events", 3, 14)
UNKNOWN = {"ce_type": b"task.archived.v7"}


def journey(one: Envelope) -> Envelope:
    key, value, headers = encode(one)
    return decode(key=key, value=value, headers=headers, record=PLACE)


def read(*, headers=None, without=(), **changed):
    """Decode a good record with something changed."""
    good = record_of(event())
    named = {name: text for name, text in (dict(good.headers) | (headers or {})).items() if name not in without}
    parts = {"key": good.key, "value": good.value} | changed
    return decode(**parts, headers=list(named.items()), record=PLACE)


def test_an_event_survives_the_journey_unchanged():
    one = event(version=2, causation_id=UUID(int=7))

    assert journey(one) == replace(one, record=PLACE)


def test_what_an_event_does_not_have_it_does_not_have_after_the_journey():
    one = replace(event(), version=None, owner_id=None, actor_id=None, causation_id=None)

    assert journey(one) == replace(one, record=PLACE)


def test_an_instant_of_another_zone_arrives_as_the_same_instant_in_utc():
    elsewhere = datetime.fromisoformat("2026-11-20T11:30:00.123456+02:30")

    arrived = journey(event(occurred_at=elsewhere)).occurred_at

    assert arrived.isoformat() == "2026-11-20T09:00:00.123456+00:00"


TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
ATTRIBUTE = st.text(string.ascii_letters + string.digits + "äß-._ :", min_size=1, max_size=200)


@settings(max_examples=150, deadline=None, database=None)
@given(
    data=st.dictionaries(TEXT, VALUES, max_size=5),
    version=st.none() | st.integers(1, 2**31 - 1),
    occurred_at=st.datetimes(timezones=st.just(UTC)),
    key=ATTRIBUTE.filter(str.strip),
    correlation_id=st.from_regex(r"[A-Za-z0-9._:\-]{1,128}", fullmatch=True),
    causation_id=st.none() | st.uuids(),
)
def test_any_event_survives_the_journey_and_the_dead_letters(data, **fields):
    one = replace(event(), type="thing.happened.v1", topic="task-events", data=data, **fields)

    assert journey(one) == replace(one, record=PLACE)
    assert from_json(json.loads(json.dumps(to_json(one)))) == one
    assert encode(one) == envelope._encode_by_the_sdk(one)


@pytest.mark.parametrize(
    "one",
    [
        event(version=2, causation_id=UUID(int=7)),
        replace(event(), version=None, owner_id=None, actor_id=None),
        event(occurred_at=datetime.fromisoformat("2026-11-20T11:30:00.123456+02:30"), key="ключ", source="/ömer"),
        replace(event(), correlation_id="", data={"odd": [float("inf"), {"a": "\u2028"}]}),
    ],
)
def test_what_we_write_is_what_the_sdk_writes(one):
    assert encode(one) == envelope._encode_by_the_sdk(one)


@pytest.mark.parametrize("wrong", [{"type": ""}, {"source": ""}, {"occurred_at": NOW.replace(tzinfo=None)}])
def test_what_is_no_cloudevent_the_sdk_refuses(wrong):
    with pytest.raises(BaseCloudEventException):
        encode(replace(event(), **wrong))


BYTES = st.binary(max_size=40)
HEADER = st.sampled_from([name for name, _ in record_of(event()).headers] + ["ce_data", "ce_x-y", "other", ""])


@settings(max_examples=300, deadline=None, database=None)
@given(
    headers=st.dictionaries(HEADER, BYTES, max_size=4),
    without=st.sets(HEADER, max_size=2),
    key=st.none() | BYTES,
    value=st.none() | BYTES | st.builds(lambda data: json.dumps(data).encode(), VALUES),
)
def test_whatever_stands_on_a_topic_is_an_event_or_unreadable(headers, without, key, value):
    good = record_of(event())
    named = dict(good.headers) | headers
    for name in without & set(named):
        del named[name]

    try:
        read_event = decode(key=key, value=value, headers=list(named.items()), record=PLACE)
    except UnreadableRecord:
        return
    assert read_event.record == PLACE


MALFORMED = {
    "no value": ({"value": None}, "has no value"),
    "an empty value": ({"value": b""}, "not a JSON object"),
    "no JSON": ({"value": b"{"}, "not a JSON object"),
    "not UTF-8": ({"value": b'{"a": "\xff"}'}, "not a JSON object"),
    "a list": ({"value": b"[]"}, "not a JSON object"),
    "plain text": ({"headers": {"content-type": b"text/plain"}}, "not a JSON object"),
    "no type": ({"without": {"ce_type"}}, "Missing required attribute: 'type'"),
    "no source": ({"without": {"ce_source"}}, "Missing required attribute: 'source'"),
    "no id": ({"without": {"ce_id"}}, "The record has no header ce_id."),
    "no time": ({"without": {"ce_time"}}, "The record has no header ce_time."),
    "no specversion": ({"without": {"ce_specversion"}}, "The record has no header ce_specversion."),
    "no subject": ({"without": {"ce_subject"}}, "badly formed hexadecimal UUID"),
    "another specversion": ({"headers": {"ce_specversion": b"0.3"}}, "'specversion' must be '1.0'"),
    "an id that is no UUID": ({"headers": {"ce_id": b"17"}}, "badly formed hexadecimal UUID"),
    "an owner that is no UUID": ({"headers": {"ce_ownerid": b"me"}}, "badly formed hexadecimal UUID"),
    "a subject that is no UUID": ({"headers": {"ce_subject": b"task/17"}}, "badly formed hexadecimal UUID"),
    "a time without offset": ({"headers": {"ce_time": b"2026-11-20T09:00:00"}}, "must be timezone aware"),
    "a time that is none": ({"headers": {"ce_time": b"yesterday"}}, "ValueError"),
    "a time before the first day": ({"headers": {"ce_time": b"0001-01-01T00:00:00+23:59"}}, "OverflowError"),
    "a time after the last day": ({"headers": {"ce_time": b"9999-12-31T23:59:59-23:59"}}, "OverflowError"),
    "a header that is not UTF-8": ({"headers": {"ce_source": b"\xff"}}, "UnicodeDecodeError"),
    "somebody's header that is not UTF-8": ({"headers": {"other": b"\xff"}}, "UnicodeDecodeError"),
    "a key that is not UTF-8": ({"key": b"\xff"}, "UnicodeDecodeError"),
    "a key with NUL": ({"key": b"a\0b"}, "holds a NUL"),
    "a key that is too long": ({"key": b"k" * 201}, "longer than 200"),
    "a type that is too long": ({"headers": {"ce_type": b"t" * 201}}, "longer than 200"),
    "a forbidden attribute": ({"headers": {"ce_data": b"x"}}, "reserved"),
    "sequence zero": ({"headers": {"ce_sequence": b"0"}}, "`sequence` 0 is not a version"),
    "a sequence beyond the column": ({"headers": {"ce_sequence": b"2147483648"}}, "is not a version"),
    "a sequence of 5,000 digits": ({"headers": {"ce_sequence": b"9" * 5000}}, "Exceeds the limit"),
    "a sequence that is no number": ({"headers": {"ce_sequence": b"one"}}, "invalid literal"),
    "NUL in the data": ({"value": json.dumps(task_data(title="a\0b")).encode()}, "holds a NUL"),
    "NUL in a field's name": ({"headers": UNKNOWN, "value": b'{"a\\u0000": 1}'}, "holds a NUL"),
    "a lone surrogate": (
        {"value": json.dumps(task_data(title="a\ud800b")).encode()},
        "surrogates not allowed",
    ),
    "not a number": ({"headers": UNKNOWN, "value": b'{"a": NaN}'}, "not JSON compliant"),
    "infinity": ({"headers": UNKNOWN, "value": b'{"a": -Infinity}'}, "not JSON compliant"),
    "a number without end": ({"headers": UNKNOWN, "value": b'{"a": 1e400}'}, "not JSON compliant"),
    "a number of 5,000 digits": (
        {"headers": UNKNOWN, "value": b'{"a": ' + b"9" * 5000 + b"}"},
        "not a JSON object",
    ),
    "nesting of 100": (
        {"headers": UNKNOWN, "value": b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}"},
        "nested deeper",
    ),
    "nesting of 100,000": ({"headers": UNKNOWN, "value": b'{"a": ' + b"[" * 100_000}, "RecursionError"),
    "data that breaks the schema": ({"value": b"{}"}, '"task" is a required property'),
}


@pytest.mark.parametrize(("changed", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_record_is_unreadable_for_a_reason_in_words(changed, reason):
    with pytest.raises(UnreadableRecord, match=reason):
        read(**changed)


def test_backslash_u0000_typed_by_a_person_is_no_nul():
    title = "what does \\u0000 mean?"

    assert read(value=json.dumps(task_data(title=title)).encode()).data["task"]["title"] == title


def test_as_deep_as_allowed_is_an_event():
    deep = b'{"a": ' + b"[" * (soundness.MAX_DEPTH - 1) + b"]" * (soundness.MAX_DEPTH - 1) + b"}"

    assert read(headers=UNKNOWN, value=deep).type == "task.archived.v7"


def test_a_type_of_a_newer_producer_is_an_event_with_any_data():
    read_event = read(headers=UNKNOWN, value=b'{"anything": [1]}')

    assert (read_event.type, read_event.data) == ("task.archived.v7", {"anything": [1]})


def test_a_field_that_a_newer_producer_added_passes():
    data = task_data(colour="red")

    assert read(value=json.dumps(data).encode()).data == data


def test_headers_are_found_however_they_are_spelt():
    headers = [(name.upper(), text) for name, text in record_of(event()).headers]
    good = record_of(event())

    assert decode(key=good.key, value=good.value, headers=headers, record=PLACE).type == "task.created.v1"


def test_a_correlation_that_could_break_a_log_line_is_replaced():
    assert read(headers={"ce_correlationid": b"a\nb"}).correlation_id != "a\nb"


def test_a_correlation_that_kafka_would_not_give_back_is_not_kept_in_the_log_either():
    with context.caused_by(Cause("two words", context.new_traceparent())):
        made = envelope.new(
            TaskEvent.CREATED,
            subject_type="task",
            subject_id=UUID(int=1),
            version=1,
            owner_id=None,
            actor_id=None,
            occurred_at=datetime(2026, 5, 3, tzinfo=UTC),
            data=task_data(),
        )

    assert made.correlation_id != "two words"
    assert journey(made).correlation_id == made.correlation_id


def test_a_new_event_is_caused_by_what_is_at_hand():
    cause = Cause("a-correlation", context.new_traceparent(), causation_id=UUID(int=7))

    with context.caused_by(cause):
        made = envelope.new(
            TaskEvent.CREATED,
            subject_type="task",
            subject_id=UUID(int=1),
            version=1,
            owner_id=None,
            actor_id=None,
            occurred_at=NOW,
            data=task_data(),
        )

    assert (made.correlation_id, made.causation_id, made.traceparent) == (
        "a-correlation",
        UUID(int=7),
        cause.traceparent,
    )
    assert made.key == str(UUID(int=1))
    assert made.subject == f"task/{UUID(int=1)}"


def test_the_record_is_a_cloudevent_in_binary_mode():
    one = event(occurred_at=NOW + timedelta(microseconds=5))

    key, value, headers = encode(one)

    assert key == one.key.encode()
    assert json.loads(value) == task_data()
    assert dict(headers) | {"ce_traceparent": b""} == {
        "ce_specversion": b"1.0",
        "ce_id": str(one.id).encode(),
        "ce_type": b"task.created.v1",
        "ce_source": b"/todo",
        "ce_subject": f"task/{one.subject_id}".encode(),
        "ce_time": b"2026-11-20T09:00:00.000005Z",
        "content-type": b"application/json",
        "ce_partitionkey": one.key.encode(),
        "ce_sequence": b"1",
        "ce_ownerid": str(one.owner_id).encode(),
        "ce_actorid": str(one.actor_id).encode(),
        "ce_correlationid": b"a-correlation",
        "ce_traceparent": b"",
    }


def told(**record):
    """The event of a record, or why there is none; what would be made up at random is the same each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "new_correlation_id", lambda: "made-up")
        patch.setattr(context, "new_traceparent", lambda: "made-up")
        try:
            return decode(**record, record=PLACE)
        except UnreadableRecord as reason:
            return str(reason)


def told_by_the_sdk(**record):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(envelope, "_in_our_own_form", lambda *_: None)
        return told(**record)


@pytest.mark.parametrize(
    "one",
    [
        event(causation_id=UUID(int=7)),
        replace(event(), version=None, owner_id=None, actor_id=None),
        event(data=task_data(title='milk\n\t"\\\x1f', description="- [ ] one\n" * 200)),
        event(data={"numbers": [0, -7, 2**63, 0.5, -1e-300, 1e300]}, type="thing.happened.v1"),
    ],
    ids=["all it may have", "as little as it may have", "text that takes a second look", "numbers"],
)
def test_what_we_write_is_read_without_the_sdk(one):
    assert envelope._in_our_own_form(*encode(one), PLACE) == replace(one, record=PLACE)


@pytest.mark.parametrize("changed", [changed for changed, _ in MALFORMED.values()], ids=MALFORMED)
def test_a_malformed_record_is_refused_as_by_the_sdk_in_the_same_words(changed):
    good = record_of(event())
    headers = dict(good.headers) | changed.get("headers", {})
    for name in changed.get("without", ()):
        del headers[name]
    record = {
        "key": changed.get("key", good.key),
        "value": changed.get("value", good.value),
        "headers": list(headers.items()),
    }

    assert told(**record) == told_by_the_sdk(**record)


TIMES = st.sampled_from(
    [
        *("2026-11-20T24:00:00Z", "2026-11-20T09:00:00Z", "2026-11-20T09:00:00.5Z", "2026-11-20T09:00:00.123456Z"),
        *("2026-11-20T09:00:00+00:00", "2026-11-20T09:00:60Z", "2026-13-20T09:00:00Z", "2026-02-30T09:00:00Z"),
        *("20261120T090000Z", "2026-11-20 09:00:00Z", "2026-11-20T09:00Z", "2026-W47-5T09:00:00Z", "2026-11-20"),
        *("٢٠٢٦-11-20T09:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2026-11-20T09:00:00Z\n"),
        *("9999-12-31T23:59:59.999999Z", "2026-11-20T09:00:00,123456Z", "2026-11-20T09:00:00z"),
    ]
)
OUR_NAMES = [name for name, _ in record_of(event()).headers]
NAMES = st.sampled_from([*OUR_NAMES, *map(str.upper, OUR_NAMES), "ce_causationid", "ce_data", "ce_dataschema", "other"])
TEXTS = st.sampled_from(
    [
        *(b"", b"1.0", b"0.3", b"application/json", b"application/json; charset=utf-8", b"text/plain", b"7", b" "),
        *(b"task/00000000-0000-0000-0000-000000000001", b"00000000-0000-0000-0000-000000000001", b"\xff"),
    ]
)


@settings(max_examples=500, deadline=None, database=None)
@given(
    headers=st.dictionaries(NAMES, TEXTS | BYTES | TIMES.map(str.encode), max_size=3),
    time=st.none() | TIMES,
    without=st.sets(NAMES, max_size=2),
    key=st.none() | BYTES | st.just(b"a-key"),
    value=st.none() | BYTES | st.builds(lambda data: json.dumps(data).encode(), VALUES),
    known=st.booleans(),
)
def test_every_record_is_read_as_by_the_sdk(headers, time, without, key, value, known):
    good = record_of(event())
    named = dict(good.headers) | ({} if known else UNKNOWN) | headers
    if time is not None:
        named["ce_time"] = time.encode()
    for name in without & set(named):
        del named[name]
    record = {"key": key, "value": good.value if known else value, "headers": list(named.items())}

    assert told(**record) == told_by_the_sdk(**record)


def test_with_a_reading_that_forgets_the_key_the_difference_is_seen():
    """The negative control of the comparison."""
    good = record_of(event(key="another key"))
    record = {"key": b"the key", "value": good.value, "headers": good.headers}
    real = envelope._in_our_own_form
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(envelope, "_in_our_own_form", lambda key, *rest: real(None, *rest))
        read = told(**record)

    assert (read.key, told_by_the_sdk(**record).key) == ("another key", "the key")
