"""What verification finds, what it leaves alone, and that it may take its time."""

import pytest
from django.db import OperationalError, connection, transaction

from apps.events import handling, verify
from apps.events.models import OutboxEntry
from apps.tasks.events import TaskEvent
from tests.support.factories import append, backdated_event, event, life_of_one_subject

pytestmark = pytest.mark.django_db

HANDLED = "Every event that chores subscribes to is handled or parked"
IN_ORDER = "chores handled the versions of each subject in order"


@pytest.fixture
def chores(new_group, effect):
    group = new_group("chores")
    group.on(TaskEvent.CREATED, TaskEvent.UPDATED)(effect.apply)
    return group


def finding(promise):
    return next(found for found in verify.run() if found.promise == promise)


def handled(one, *, seconds_ago):
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO events_handledevent ("group", event_id, handled_at)'
            " VALUES ('chores', %s, now() - make_interval(secs => %s))",
            [one.id, seconds_ago],
        )


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [(9, 5, "yes"), (5, 5, "yes"), (5, 9, "task/{}: version 2 was handled before its predecessor")],
    ids=["in order", "in one transaction", "in disorder"],
)
def test_the_order_in_which_a_group_handled_a_subjects_versions_is_held(chores, first, second, told):
    one, two = life_of_one_subject(2)
    append(one, two)
    handled(one, seconds_ago=first)
    handled(two, seconds_ago=second)

    found = finding(IN_ORDER)

    assert (found.holds, found.told) == (told == "yes", told.format(one.subject_id))


def test_two_subjects_may_be_handled_in_any_order(chores):
    one, two = event(), event()
    append(one, two)
    handled(one, seconds_ago=5)
    handled(two, seconds_ago=9)

    assert finding(IN_ORDER).holds


def test_what_waits_in_the_outbox_however_long_is_on_its_way(chores):
    OutboxEntry.objects.create(event_id=backdated_event(event(), days=3))

    assert finding(HANDLED).holds


@pytest.mark.parametrize(("days", "holds"), [(3, False), (5, True)])
def test_what_the_inbox_may_have_forgotten_is_not_looked_for(chores, settings, days, holds):
    settings.HANDLED_EVENT_RETENTION_DAYS = 5  # so four days old is the oldest that is looked for
    backdated_event(event(), days=days)

    assert finding(HANDLED).holds is holds


def test_while_a_group_gets_on_with_what_it_has_to_handle_that_is_no_finding(chores, monkeypatch):
    """As when Kafka comes back after an hour: old events, just relayed."""
    waiting = [event() for _ in range(3)]
    for one in waiting:
        backdated_event(one, days=1)
    monkeypatch.setattr(verify.time, "sleep", lambda _: handling.handle(chores, [waiting.pop()]))

    (found,) = verify._all_handled_by_each([chores], patience_seconds=60)

    assert (found.holds, waiting) == (True, [])


def test_a_group_that_stands_still_is_waited_for_and_then_found(chores, monkeypatch):
    one = event()
    position = backdated_event(one, days=1)
    clock, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(verify.time, "sleep", sleep)
    monkeypatch.setattr(verify.time, "monotonic", lambda: clock[0])

    (found,) = verify._all_handled_by_each([chores], patience_seconds=2)

    assert found.told == f"task.created.v1 {one.id} at position {position}"
    assert slept == [0.5] * 4


SLOW = "SELECT 'it took a while' FROM pg_sleep(0.2)"


def in_a_session_that_cuts_statements_short():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '50ms'")


def test_a_check_has_a_time_limit_of_its_own(monkeypatch):
    monkeypatch.setattr(verify, "_GAPS", f"{SLOW} LIMIT %(limit)s")
    in_a_session_that_cuts_statements_short()

    assert finding("Versions of each subject are contiguous").told == "it took a while"


def test_with_the_sessions_limit_it_would_be_cut_short(monkeypatch):
    """The negative control."""
    monkeypatch.setattr(verify, "_GAPS", f"{SLOW} LIMIT %(limit)s")
    monkeypatch.setattr(verify, "STATEMENT_LIMIT", "50ms")

    with pytest.raises(OperationalError, match="statement timeout"), transaction.atomic():
        verify.run()
