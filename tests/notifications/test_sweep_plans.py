"""What it costs to look for what is due, and at how reminders do, while ten thousand wait for other days."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.notifications.selectors import instruments
from apps.notifications.services import triggering
from tests.support.factories import person
from tests.support.plans import executed, forget_statistics, rows_scanned

pytestmark = pytest.mark.django_db

PLANNED = 10_000
_TASKS = """
INSERT INTO notifications_remindedtask (task_id, owner_id, version, title, status, priority, due_time_zone)
SELECT gen_random_uuid(), %s, 1, 'Some day ' || n, 'pending', 'none', '' FROM generate_series(1, %s::int) n
"""
_REMINDERS = """
INSERT INTO notifications_reminder (id, owner_id, task_id, version, origin, before_due, planned_for, trigger_at, status,
                                    because, triggers, created_at, updated_at)
SELECT gen_random_uuid(), owner_id, task_id, 1, 'asked', '', at, at, %s, '', 0, now(), now()
FROM (SELECT owner_id, task_id, now() + (%s::text)::interval + random() * interval '30 days' AS at
      FROM notifications_remindedtask) t
"""


@pytest.fixture
def many():
    """Ten thousand that wait, and as many that were told long ago."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE notifications_reminder DISABLE TRIGGER reminder_has_event")
        cursor.execute(_TASKS, [person().pk, PLANNED])
        cursor.execute(_REMINDERS, ["planned", "1 day"])
        cursor.execute(_REMINDERS, ["delivered", "-60 days"])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE notifications_reminder ENABLE TRIGGER reminder_has_event")
        cursor.execute("ANALYZE notifications_reminder, notifications_remindedtask")
    yield
    forget_statistics("notifications_reminder", "notifications_remindedtask")


def test_a_look_for_what_is_due_reads_nothing_of_what_is_not(many):
    with CaptureQueriesContext(connection) as captured:
        done = triggering.trigger_due()

    (claim,) = [each["sql"] for each in captured if "notifications_reminder" in each["sql"]]
    assert len(done) == 0
    # The user table may be read whole where it has but one row.
    assert rows_scanned(executed(claim)) <= 1


def test_one_that_is_due_is_found_without_reading_the_others(many):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE notifications_reminder DISABLE TRIGGER reminder_has_event")
        cursor.execute(
            "UPDATE notifications_reminder SET trigger_at = now() - interval '1 s' WHERE id ="
            " (SELECT id FROM notifications_reminder WHERE status = 'planned' LIMIT 1)"
        )
        cursor.execute("ALTER TABLE notifications_reminder ENABLE TRIGGER reminder_has_event")
    with CaptureQueriesContext(connection) as captured:
        due = triggering._next(most=200, but=())
        locked = list(triggering._due().filter(pk__in=due))

    assert len(locked) == 1
    assert [rows_scanned(executed(each["sql"])) for each in captured] == [2, 2]


def test_how_reminders_do_is_read_by_indexes_and_counted_up_to_a_bound(many, monkeypatch):
    monkeypatch.setattr(instruments, "MOST_COUNTED", 100)
    with CaptureQueriesContext(connection) as captured:
        found = instruments.reminders_status()

    assert (found.waiting, found.due) == (100, 0)
    assert rows_scanned(executed(captured[0]["sql"])) <= 130
