"""One record per event, for good: nothing changes or removes it."""

import base64
from dataclasses import replace

import pytest
from django.db import IntegrityError, connection

from apps.audit import services
from apps.audit.models import AuditRecord
from apps.audit.subscribers import group
from apps.events import handling
from apps.events.brokers.base import Record
from apps.events.errors import Transient
from apps.events.models import DeadLetter
from tests.support.append_only import guards_off
from tests.support.factories import append, as_read, event, life_of_one_subject, task_data

pytestmark = pytest.mark.django_db

CHANGES = [
    ("UPDATE audit_auditrecord SET type = 'x'", "UPDATE refused: audit_auditrecord does not change this way"),
    ("DELETE FROM audit_auditrecord", "DELETE refused: audit_auditrecord does not change this way"),
    ("TRUNCATE audit_auditrecord", "TRUNCATE refused: audit_auditrecord does not change this way"),
]


def run(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def versions():
    return list(AuditRecord.objects.order_by("id").values_list("subject_version", flat=True))


def test_a_record_tells_all_that_the_event_told():
    one = as_read(event(version=2), partition=3, offset=14)

    handling.handle(group, [one])

    record = AuditRecord.objects.get()
    assert (record.event_id, record.type, record.subject_type, record.subject_id, record.subject_version) == (
        one.id,
        "task.updated.v1",
        "task",
        one.subject_id,
        2,
    )
    assert (record.owner_id, record.actor_id, record.source, record.occurred_at) == (
        one.owner_id,
        one.actor_id,
        "/todo",
        one.occurred_at,
    )
    assert (record.correlation_id, record.causation_id, record.data) == ("a-correlation", None, one.data)
    assert (record.record_topic, record.record_partition, record.record_offset) == ("task-events", 3, 14)
    assert (record.readable, record.content.title, record.content.owner_id) == (True, "Buy milk", one.owner_id)


def test_an_event_has_one_record_however_often_it_comes(pump):
    life = life_of_one_subject(4)
    append(*life)

    pump.run()
    pump.redeliver_everything()
    handling.handle(group, [life[2], *life])

    assert versions() == [1, 2, 3, 4]


def test_a_record_taken_from_the_log_has_no_place_in_kafka():
    handling.handle(group, [event()])

    record = AuditRecord.objects.get()
    assert (record.record_topic, record.record_partition, record.record_offset) == ("", None, None)


def test_audit_parks_nothing(monkeypatch):
    monkeypatch.setattr(services, "append_records", _fail)

    with pytest.raises(Transient, match="RuntimeError: the disk is full"):
        handling.handle(group, [event()])

    assert (DeadLetter.objects.count(), AuditRecord.objects.count()) == (0, 0)


def _fail(events):
    raise RuntimeError("the disk is full")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("statement", "words"), CHANGES, ids=["update", "delete", "truncate"])
def test_the_database_refuses_to_change_the_trail(statement, words):
    handling.handle(group, [event()])

    with pytest.raises(IntegrityError, match=words):
        run(statement)

    assert AuditRecord.objects.values_list("type", flat=True).get() == "task.created.v1"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "write",
    [
        lambda: AuditRecord.objects.update(type="x"),
        lambda: AuditRecord.objects.all().delete(),
        lambda: AuditRecord.objects.get().delete(),
        lambda: AuditRecord.objects.get().save(),
    ],
    ids=["update", "delete all", "delete one", "save"],
)
def test_the_orm_cannot_change_the_trail_either(write):
    handling.handle(group, [event()])

    with pytest.raises(IntegrityError, match="refused: audit_auditrecord does not change this way"):
        write()

    assert AuditRecord.objects.values_list("type", flat=True).get() == "task.created.v1"


@pytest.mark.django_db(transaction=True)
def test_with_the_guard_off_the_trail_would_change():
    """Negative control of the triggers."""
    handling.handle(group, [event()])

    with guards_off():
        run("DELETE FROM audit_auditrecord")

    assert AuditRecord.objects.count() == 0


def test_an_unreadable_record_keeps_its_bytes_its_headers_and_the_reason():
    record = Record("task-events", 2, 9, b"k\0", b"\xff{", [("ce_type", b"a\0b"), ("x", b"\xff")])

    handling.record_unreadable(group, [(record, "no \udc80 \0 event")])

    kept = AuditRecord.objects.get()
    assert kept.data == {
        "because": "no \\udc80 \\0 event",
        "headers": [["ce_type", "a\\0b"], ["x", "\\xff"]],
        "key": base64.b64encode(b"k\0").decode(),
        "value": base64.b64encode(b"\xff{").decode(),
    }


def test_a_failure_to_record_does_not_quote_what_people_wrote():
    one = replace(event(data=task_data(title="Call the doctor")), source="x" * 201)

    with pytest.raises(Transient) as refused:
        handling.handle(group, [one])

    assert str(refused.value) == "DataError: value too long for type character varying(200)"
    assert AuditRecord.objects.count() == 0
