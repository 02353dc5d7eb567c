"""The chains: the bytes that are hashed, and the next record on the one before, whoever writes at once."""

import hashlib
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.audit import chain, selectors, services
from apps.audit.chain import BEGINNING, Head, Link
from apps.audit.models import AuditContent, AuditRecord
from apps.audit.subscribers import group
from apps.audit.verification import judging
from apps.events import handling
from apps.events.models import HandledEvent
from tests.support.factories import as_read, event, life_of_one_subject, task_data

LINK = Link(
    chain=3,
    sequence=2,
    previous_hash=bytes(range(32)),
    event_id=UUID("01900000-0000-7000-8000-000000000001"),
    type="task.created.v1",
    subject_type="task",
    subject_id=UUID("01900000-0000-7000-8000-000000000002"),
    subject_version=1,
    owner_id=UUID("01900000-0000-7000-8000-000000000003"),
    actor_id=None,
    source="/todo",
    causation_id=None,
    occurred_at=datetime(2026, 5, 3, 9, 0, tzinfo=UTC),
    recorded_at=datetime(2026, 5, 3, 9, 0, 0, 123456, tzinfo=UTC),
    record_topic="task-events",
    record_partition=1,
    record_offset=7,
    readable=True,
    commitment=bytes(32),
)
# Format 1, for good: a release that gives other bytes cannot prove what an earlier one wrote.
CANONICAL = (
    '{"actor":null,"causation":null,"chain":3,"commitment":"' + "00" * 32 + '",'
    '"event":"01900000-0000-7000-8000-000000000001","format":1,"occurred_at":"2026-05-03T09:00:00.000000+00:00",'
    '"offset":7,"owner":"01900000-0000-7000-8000-000000000003","partition":1,'
    '"previous":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f","readable":true,'
    '"recorded_at":"2026-05-03T09:00:00.123456+00:00","sequence":2,"source":"/todo",'
    '"subject":"01900000-0000-7000-8000-000000000002","subject_type":"task","topic":"task-events",'
    '"type":"task.created.v1","version":1}'
)


def test_the_bytes_that_are_hashed_are_these_for_good():
    assert chain.canonical_bytes(LINK).decode() == CANONICAL
    assert chain.hash_of(LINK).hex() == hashlib.sha256(CANONICAL.encode()).hexdigest()


WORDS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8) | st.sampled_from(
    ['"', "\\", "\u2028", "\x7f\n"]
)
INSTANTS = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9.5)), timezone(timedelta(hours=14))])
)
# What every calendar has, whatever the zone.
IN_CALENDAR = INSTANTS.filter(lambda at: 2 < at.year < 9998)
LINKS = st.builds(
    Link,
    chain=st.integers(0, 15),
    sequence=st.integers(1, 2**53 - 1),
    previous_hash=st.binary(max_size=33),
    event_id=st.uuids(),
    type=WORDS,
    subject_type=WORDS,
    subject_id=st.none() | st.uuids(),
    subject_version=st.none() | st.integers(0, 2**31 - 1),
    owner_id=st.none() | st.uuids(),
    actor_id=st.none() | st.uuids(),
    source=WORDS,
    causation_id=st.none() | st.uuids(),
    occurred_at=st.none() | IN_CALENDAR,
    recorded_at=IN_CALENDAR,
    record_topic=WORDS,
    record_partition=st.none() | st.integers(0, 2**31 - 1),
    record_offset=st.none() | st.integers(-1, 2**53 - 1),
    readable=st.booleans(),
    commitment=st.binary(max_size=33),
)


@settings(max_examples=200, deadline=None, database=None)
@given(link=LINKS)
def test_the_bytes_that_are_hashed_are_what_an_encoder_of_json_writes(link):
    def instant(at):
        return at and at.astimezone(UTC).isoformat(timespec="microseconds")

    told = {
        "actor": link.actor_id and str(link.actor_id),
        "causation": link.causation_id and str(link.causation_id),
        "chain": link.chain,
        "commitment": link.commitment.hex(),
        "event": str(link.event_id),
        "format": 1,
        "occurred_at": instant(link.occurred_at),
        "offset": link.record_offset,
        "owner": link.owner_id and str(link.owner_id),
        "partition": link.record_partition,
        "previous": link.previous_hash.hex(),
        "readable": link.readable,
        "recorded_at": instant(link.recorded_at),
        "sequence": link.sequence,
        "source": link.source,
        "subject": link.subject_id and str(link.subject_id),
        "subject_type": link.subject_type,
        "topic": link.record_topic,
        "type": link.type,
        "version": link.subject_version,
    }

    assert chain.canonical_bytes(link).decode() == json.dumps(
        told, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )


@pytest.mark.parametrize("field", Link._fields)
def test_another_value_of_any_field_gives_another_hash(field):
    others = {
        "chain": 4,
        "sequence": 3,
        "previous_hash": bytes(32),
        "event_id": uuid4(),
        "type": "task.deleted.v1",
        "subject_type": "list",
        "subject_id": None,
        "subject_version": None,
        "owner_id": None,
        "actor_id": uuid4(),
        "source": "/other",
        "causation_id": uuid4(),
        "occurred_at": None,
        "recorded_at": datetime(2026, 5, 3, 9, 0, 0, 123457, tzinfo=UTC),
        "record_topic": "",
        "record_partition": None,
        "record_offset": 8,
        "readable": False,
        "commitment": bytes(range(32)),
    }

    assert chain.hash_of(LINK._replace(**{field: others[field]})) != chain.hash_of(LINK)


def test_all_records_of_a_subject_stand_in_one_chain_and_subjects_spread_over_sixteen():
    subject_id = uuid4()

    assert len({chain.chain_of("task", subject_id, event_id=uuid4()) for _ in range(20)}) == 1
    assert {chain.chain_of("task", uuid4(), event_id=uuid4()) for _ in range(1000)} == set(range(16))


@pytest.mark.parametrize(
    ("subject_type", "data", "title"),
    [
        ("task", {"task": {"title": "Pay rent"}}, "Pay rent"),
        ("list", {"list": {"name": "Home"}}, "Home"),
        ("notification", {"notification": {"title": "Pay rent"}}, "Pay rent"),
        ("reminder", {"reminder": {"title": "no such field"}, "task": {"title": "Pay rent"}}, "Pay rent"),
        ("reminder", {"reminder": {"task_id": "1"}}, ""),
        ("task", None, ""),
    ],
)
def test_a_record_can_be_found_by_what_its_thing_was_called(subject_type, data, title):
    assert chain.title_in(data, subject_type=subject_type) == title


def test_a_commitment_tells_nothing_without_its_salt():
    text = chain.content_text({"task": {"title": "Buy milk"}}, correlation_id="c")

    assert text == '{"correlation_id":"c","data":{"task":{"title":"Buy milk"}}}'
    assert chain.commitment(text, salt=b"a" * 32) != chain.commitment(text, salt=b"b" * 32)
    assert len({chain.new_salt() for _ in range(100)}) == 100


@pytest.mark.django_db
def test_records_of_a_chain_are_numbered_without_gaps_and_each_names_the_one_before():
    handling.handle(group, life_of_one_subject(3))
    handling.handle(group, [event() for _ in range(40)])
    handling.handle(group, [event() for _ in range(40)])

    for number in range(16):
        records = AuditRecord.objects.filter(chain=number).order_by("sequence")
        assert [record.sequence for record in records] == list(range(1, len(records) + 1))
        hashes = [BEGINNING.hash, *(bytes(record.hash) for record in records)]
        assert [bytes(record.previous_hash) for record in records] == hashes[:-1]
        assert all(chain.hash_of(record.link) == bytes(record.hash) for record in records)
    assert AuditRecord.objects.count() == 83
    assert selectors.heads() == {
        number: Head(last.sequence, bytes(last.hash))
        for number in range(16)
        if (last := AuditRecord.objects.filter(chain=number).order_by("sequence").last())
    }


@pytest.mark.django_db
def test_what_people_wrote_stands_beside_the_record_and_only_there():
    one = as_read(event(data=task_data(title="Call Mr Ömer 💌")), partition=1, offset=2)

    handling.handle(group, [one])

    record = AuditRecord.objects.get()
    assert (record.data, record.correlation_id, record.content.title) == (one.data, "a-correlation", "Call Mr Ömer 💌")
    assert judging.content_changed(judging.row_of(record)) is None
    assert "mer" not in chain.canonical_bytes(record.link).decode()


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1e22, 0.1, 10**30, -0.0], ids=str)
def test_content_is_kept_as_the_very_text_that_is_committed_to(number):
    """A column of JSON would give numbers back in another form, and the commitment would not hold."""
    handling.handle(group, [event(data={"odd": number})])

    record = AuditRecord.objects.get()
    assert judging.content_changed(judging.row_of(record)) is None
    assert record.data == {"odd": number}


@pytest.mark.django_db
def test_an_event_that_only_the_inbox_forgot_is_not_recorded_again():
    events = life_of_one_subject(2)
    handling.handle(group, events)
    HandledEvent.objects.all().delete()

    handling.handle(group, [*events, replace(events[0], id=uuid4(), version=3)])

    assert sorted(AuditRecord.objects.values_list("subject_version", flat=True)) == [1, 2, 3]


def _in_thread(work):
    def run():
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_a_writer_that_freezes_after_reading_the_heads_makes_no_fork(monkeypatch):
    read, go_on = threading.Event(), threading.Event()
    frozen = life_of_one_subject(1)[0]
    others = [replace(frozen, id=uuid4(), version=version) for version in (2, 3)]

    def freeze(point):
        if (
            point == "audit.heads_read"
            and threading.current_thread() is not threading.main_thread()
            and not read.is_set()
        ):
            read.set()
            go_on.wait(10)

    monkeypatch.setattr("apps.events.crash.at", freeze)
    zombie = _in_thread(lambda: handling.handle(group, [frozen]))
    assert read.wait(10)
    second = _in_thread(lambda: handling.handle(group, others))
    second.join(0.5)
    waited = second.is_alive()
    go_on.set()
    zombie.join(10)
    second.join(10)

    assert waited
    records = AuditRecord.objects.order_by("sequence")
    assert [(record.sequence, record.subject_version) for record in records] == [(1, 1), (2, 2), (3, 3)]
    assert [bytes(record.previous_hash) for record in records][1:] == [bytes(record.hash) for record in records][:2]


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_the_second_writer_would_be_refused_by_the_database(monkeypatch):
    """Negative control: the lock spares the refusal; the unique place in the chain is what makes a fork impossible."""
    first, second = life_of_one_subject(2)
    number = chain.chain_of("task", first.subject_id, event_id=first.id)
    now = datetime.now(UTC)
    monkeypatch.setattr(services, "_heads_for", lambda chains: (now, {number: BEGINNING}))
    services.append_records([first])

    with pytest.raises(IntegrityError, match="audit_record_once_in_chain"), transaction.atomic():
        services.append_records([second])

    assert AuditRecord.objects.get().subject_version == 1
    assert AuditContent.objects.count() == 1
