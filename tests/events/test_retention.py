"""What is older than its retention goes, in steps; what may still be needed stays."""

from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.events import jobs, retention
from apps.events.models import Event, HandledEvent, OutboxEntry
from tests.support.factories import append, backdated_event, event

pytestmark = pytest.mark.django_db

_MANY_FACTS = """
INSERT INTO events_event (event_id, type, topic, key, source, subject_type, subject_id, occurred_at, recorded_at,
                          correlation_id, traceparent, data)
SELECT md5(n::text)::uuid, 'task.created.v1', 'task-events', n::text, '/todo', 'task', md5(n::text)::uuid,
       now() - make_interval(hours => n), now() - make_interval(hours => n), 'c', '', '{}'
FROM generate_series(1, 1000) n
"""


def handled(one, *, days):
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO events_handledevent ("group", event_id, handled_at)'
            " VALUES ('audit', %s, now() - make_interval(days => %s))",
            [one.id, days],
        )


def test_old_events_go_and_young_ones_stay():
    old, young, new = event(), event(), event()
    backdated_event(old, days=91)
    backdated_event(young, days=89)
    append(new)

    assert retention.prune_events() == 1

    assert list(Event.objects.values_list("event_id", flat=True)) == [young.id, new.id]


def test_an_event_that_kafka_never_acknowledged_stays_however_old():
    position = backdated_event(event(), days=400)
    OutboxEntry.objects.create(event_id=position)

    assert retention.prune_events() == 0

    assert Event.objects.count() == 1


def test_that_somebody_was_erased_is_never_forgotten():
    one = event(version=None, type="account.erased.v1", topic="account-events")
    backdated_event(one, days=400)

    assert retention.prune_events() == 0
    with pytest.raises(IntegrityError, match="events_event keeps erasures for good"), transaction.atomic():
        Event.objects.all().delete()

    assert Event.objects.get().event_id == one.id


def a_snapshot():
    return event(version=None, type="task.snapshot.v1", topic="task-updates")


def test_snapshots_go_after_fourteen_days_and_the_facts_around_them_stay():
    old, young, fact = a_snapshot(), a_snapshot(), event()
    backdated_event(old, days=15)
    backdated_event(fact, days=15)
    backdated_event(young, days=13)

    assert retention.prune_events() == 1

    assert list(Event.objects.values_list("event_id", flat=True)) == [fact.id, young.id]


def test_a_snapshot_that_kafka_never_acknowledged_stays_however_old():
    OutboxEntry.objects.create(event_id=backdated_event(a_snapshot(), days=400))

    assert retention.prune_events() == 0

    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("kind", "days"),
    [(event, "EVENT_RETENTION_DAYS"), (a_snapshot, "SNAPSHOT_RETENTION_DAYS")],
    ids=["facts", "snapshots"],
)
def test_the_database_lets_go_of_what_is_older_than_the_settings_say_and_of_nothing_younger(kind, days, settings):
    days = getattr(settings, days)
    young, old = kind(), kind()
    backdated_event(young, days=days - 1)
    backdated_event(old, days=days + 1)

    with pytest.raises(IntegrityError, match=f"keeps its rows for {days} days"), transaction.atomic():
        Event.objects.filter(event_id=young.id).delete()
    Event.objects.filter(event_id=old.id).delete()

    assert Event.objects.get().event_id == young.id


def test_a_fact_that_speaks_of_snapshots_is_a_fact_to_the_database():
    backdated_event(event(type="task.snapshot_taken.v1"), days=20)

    assert retention.prune_events() == 0

    with pytest.raises(IntegrityError, match="keeps its rows for 90 days"), transaction.atomic():
        Event.objects.all().delete()
    assert Event.objects.count() == 1


def test_snapshots_are_found_by_an_index_of_their_own():
    with connection.cursor() as cursor:
        cursor.execute(_MANY_FACTS)
        cursor.execute("ANALYZE events_event")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("EXPLAIN " + retention._DELETE_EVENTS.format(of=retention._OF_SNAPSHOTS), [14, 5000])
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "event_snapshots_by_age" in plan


def test_what_was_handled_is_remembered_for_fourteen_days():
    old, young = event(), event()
    handled(old, days=15)
    handled(young, days=13)

    assert retention.prune_handled_events() == 1

    assert list(HandledEvent.objects.values_list("event_id", flat=True)) == [young.id]


def test_a_run_goes_on_in_steps_until_all_is_gone(monkeypatch):
    monkeypatch.setattr(retention, "STEP", 2)
    for _ in range(7):
        handled(event(), days=20)

    assert retention.prune_handled_events() == 7


def test_a_run_that_has_used_its_time_leaves_the_rest_to_the_next(monkeypatch):
    monkeypatch.setattr(retention, "STEP", 2)
    monkeypatch.setattr(retention, "BUDGET_SECONDS", 0)
    for _ in range(3):
        handled(event(), days=20)

    assert [retention.prune_handled_events() for _ in range(3)] == [2, 1, 0]


def test_a_clock_that_is_ahead_takes_nothing_too_young_and_does_not_fail():
    """The database refuses what is younger than 90 days by its own clock, so that clock decides."""
    young = event()
    backdated_event(young, days=89)
    backdated_event(event(), days=91)

    with time_machine.travel(timezone.now() + timedelta(days=2), tick=False):
        gone = retention.prune_events()

    assert gone == 1
    assert Event.objects.get().event_id == young.id


def test_the_job_prunes_both():
    one = event()
    backdated_event(one, days=91)
    handled(one, days=91)

    jobs.prune_log()

    assert (Event.objects.count(), HandledEvent.objects.count()) == (0, 0)
