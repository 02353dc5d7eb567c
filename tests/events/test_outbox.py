"""The one door into the log: an event is kept with its change, or not at all."""

from contextlib import suppress

import pytest
from django.db import IntegrityError, transaction
from django.test import override_settings
from structlog.testing import capture_logs

from apps.events import event_types, outbox
from apps.events.errors import EventTooLarge, InvalidEvent, OutsideTransaction
from apps.events.event_types import EventType
from apps.events.models import Event, OutboxEntry
from apps.tasks import services
from apps.tasks.models import Task
from tests.events.concurrency import in_background
from tests.support.factories import NOW, append, event, person, task_data


@pytest.mark.django_db(transaction=True)
def test_appending_outside_a_transaction_is_refused_and_keeps_nothing():
    with pytest.raises(OutsideTransaction, match=r"task\.created\.v1 must be appended inside the transaction"):
        outbox.append(event())

    assert (Event.objects.count(), OutboxEntry.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_an_event_is_kept_whole_with_a_pointer_for_the_relay():
    one = event()

    kept = append(one)[0]

    assert outbox.envelope_of(Event.objects.get()) == one
    assert OutboxEntry.objects.get().event_id == kept.position


@pytest.mark.django_db
def test_data_that_breaks_the_schema_is_refused_and_keeps_nothing():
    broken = event(data=task_data(priority="whenever"))

    with pytest.raises(InvalidEvent, match=r"task\.created\.v1: task/priority: .*whenever"):
        append(broken)

    assert (Event.objects.count(), OutboxEntry.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_a_producer_may_not_add_a_field_that_the_schema_does_not_know():
    with pytest.raises(InvalidEvent, match="colour"):
        append(event(data=task_data(colour="red")))

    assert Event.objects.count() == 0


@pytest.mark.django_db
def test_an_event_too_large_for_kafka_is_refused_and_keeps_nothing():
    huge = event(data=task_data(description="x" * 256 * 1024))

    with pytest.raises(EventTooLarge, match="an event may have 262,144") as refusal:
        append(huge)

    assert refusal.value.size > 256 * 1024
    assert (Event.objects.count(), OutboxEntry.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_the_size_counts_the_whole_record_to_the_byte():
    one = event()
    key, value, headers = outbox.encode(one)
    size = len(key) + len(value) + sum(len(name) + len(text) for name, text in headers)

    with override_settings(EVENT_MAX_BYTES=size - 1), pytest.raises(EventTooLarge):
        append(one)
    with override_settings(EVENT_MAX_BYTES=size):
        append(one)

    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_a_rolled_back_change_leaves_neither_task_nor_event():
    owner = person()

    @transaction.atomic
    def create_and_fail():
        services.create_task(owner=owner, actor=owner, title="Never", now=NOW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        create_and_fail()

    assert (Task.objects.count(), Event.objects.count(), OutboxEntry.objects.count()) == (0, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_change_whose_event_is_refused_is_not_kept(monkeypatch):
    owner = person()
    monkeypatch.setattr(event_types, "check_data", _refuse)

    with pytest.raises(InvalidEvent):
        services.create_task(owner=owner, actor=owner, title="Never", now=NOW)

    assert (Task.objects.count(), Event.objects.count(), OutboxEntry.objects.count()) == (0, 0, 0)


def _refuse(name, data, *, exact):
    raise InvalidEvent(name, "refused by the test")


@pytest.mark.django_db
def test_events_appended_together_are_kept_by_one_statement_each_with_a_pointer(django_assert_num_queries):
    fact, unnumbered = event(), event(version=None)

    with transaction.atomic(), django_assert_num_queries(1):
        outbox.append(fact, unnumbered)

    kept = list(Event.objects.order_by("position"))
    assert [outbox.envelope_of(row) for row in kept] == [fact, unnumbered]
    assert [entry.event_id for entry in OutboxEntry.objects.all()] == [row.position for row in kept]


@pytest.mark.django_db
def test_of_events_appended_together_none_is_kept_when_one_is_refused():
    with pytest.raises(InvalidEvent, match="whenever"):
        append(event(), event(data=task_data(priority="whenever")))

    assert (Event.objects.count(), OutboxEntry.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_a_second_event_of_one_version_is_refused_and_keeps_neither():
    one = event()

    with pytest.raises(IntegrityError, match="event_one_per_subject_version"):
        append(one, event(subject_id=one.subject_id))

    assert (Event.objects.count(), OutboxEntry.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_appending_nothing_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        outbox.append()


@pytest.mark.django_db
def test_what_is_rolled_back_leaves_no_line(django_capture_on_commit_callbacks):
    with capture_logs() as lines, django_capture_on_commit_callbacks(execute=True):
        append_and_roll_back(event())

    assert lines == []


class Rollback(Exception):
    pass


def append_and_roll_back(one):
    with suppress(Rollback), transaction.atomic():
        outbox.append(one)
        raise Rollback


@pytest.mark.django_db
def test_a_fact_leaves_a_line_and_a_snapshot_none(monkeypatch, django_capture_on_commit_callbacks):
    name = "test_outbox.snapshot.v1"
    monkeypatch.setitem(event_types._declared, name, EventType(name, "a-topic", snapshot=True))
    monkeypatch.setattr(event_types, "check_data", lambda *_, **__: None)
    fact = event()

    with capture_logs() as lines, django_capture_on_commit_callbacks(execute=True):
        append(fact, event(type=name))

    assert [(line["event"], line["event_id"]) for line in lines] == [("event_appended", str(fact.id))]


@pytest.mark.django_db
def test_a_recording_has_what_was_appended_inside_it_although_it_was_rolled_back():
    before, first, second, after = event(), event(), event(), event()

    append(before)
    with outbox.recording() as outer, transaction.atomic():
        outbox.append(first)
        with outbox.recording() as inner:
            outbox.append(second)
        transaction.set_rollback(True)
    append(after)

    assert (outer, inner) == ([first, second], [second])
    assert set(Event.objects.values_list("event_id", flat=True)) == {before.id, after.id}


@pytest.mark.django_db
def test_a_recording_has_nothing_that_was_refused():
    with outbox.recording() as recorded, pytest.raises(InvalidEvent):
        append(event(), event(data=task_data(priority="whenever")))

    assert recorded == []


@pytest.mark.django_db(transaction=True)
def test_a_recording_does_not_hear_what_another_thread_appends():
    with outbox.recording() as recorded, in_background(lambda: append(event())) as other:
        other.result(10)

    assert (recorded, Event.objects.count()) == ([], 1)


@pytest.mark.django_db
def test_positions_grow_in_the_order_of_appending():
    kept = append(event(), event(), event())

    assert [row.position - kept[0].position for row in kept] == [0, 1, 2]


@pytest.mark.django_db(transaction=True)
def test_events_of_one_transaction_carry_its_number_and_the_next_one_a_higher():
    first, second = append(event(), event())
    third = append(event())[0]
    numbers = {row.position: row.transaction_id for row in Event.objects.all()}

    assert numbers[first.position] == numbers[second.position] < numbers[third.position]


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 4, 5, 300])
def test_however_many_are_appended_at_once_they_stand_in_the_order_given(count):
    given = [event(data=task_data(title=f'"{number}" \\ \u00fc')) for number in range(count)]

    with transaction.atomic():
        outbox.append(*given)

    assert [outbox.envelope_of(one) for one in Event.objects.order_by("position")] == given
    assert OutboxEntry.objects.count() == count
