"""What the commands of the event core print, and how they exit."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.events import verify
from apps.events.models import GroupProgress, OutboxEntry
from tests.support.append_only import guards_off
from tests.support.factories import append, backdated_event, event, life_of_one_subject, outgoing

pytestmark = pytest.mark.django_db


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_list_subscriptions_prints_the_wiring(capsys):
    call_command("list_subscriptions")

    assert [line.split("  ") and line.split() for line in lines(capsys)][1] == [
        "audit",
        "*",
        "apps.audit.subscribers.record_entries",
        "batch",
        "batch",
        "retried",
        "for",
        "ever",
    ]


def test_list_subscriptions_prints_json(capsys):
    call_command("list_subscriptions", "--json")

    rows = json.loads(capsys.readouterr().out)
    assert [row["group"] for row in rows] == ["audit", *["notifications"] * 3, *["recurrence"] * 7]
    assert rows[0]["function"] == "apps.audit.subscribers.record_entries"


def test_create_topics_creates_those_of_the_declared_types(pump, capsys):
    call_command("create_topics")

    topics = ["account-events", "notifications", "recurrence-events", "reminders", "task-events", "task-updates"]
    assert lines(capsys) == [f"{topic}: in memory" for topic in topics]


def test_tail_topic_shows_place_type_and_subject_of_each_record(pump, capsys):
    one = event()
    pump.broker.producer().send([outgoing(one)], give_up=lambda: False)
    partition = pump.records("task-events")[0].partition

    call_command("tail_topic", "task-events", "--from-beginning", "--count", "1")

    line = capsys.readouterr().out
    assert f"  task-events/{partition}@0 " in line
    assert f"task.created.v1      task/{one.subject_id}  #1  " in line


def test_tail_topic_shows_the_whole_record_as_json(pump, capsys):
    one = event()
    pump.broker.producer().send([outgoing(one)], give_up=lambda: False)

    call_command("tail_topic", "--from-beginning", "--count", "1", "--json")

    shown = json.loads(capsys.readouterr().out)
    assert (shown["topic"], shown["offset"], shown["key"]) == ("task-events", 0, one.key)
    assert shown["headers"]["ce_id"] == str(one.id)
    assert json.loads(shown["value"])["task"]["title"] == "Buy milk"


def test_tail_topic_ends_after_its_seconds(pump, capsys):
    call_command("tail_topic", "--seconds", "0.05")

    assert capsys.readouterr().out == ""


def test_tail_topic_refuses_a_topic_that_is_not_there(pump):
    with pytest.raises(CommandError, match="No topic nonsense; there are: account-events, notifications"):
        call_command("tail_topic", "nonsense")


def finding(promise):
    return next(found for found in verify.run() if found.promise == promise)


def test_verify_events_holds_for_a_healthy_log(pump, capsys):
    append(*life_of_one_subject(3))
    pump.run()

    call_command("verify_events")

    assert {line.split()[0] for line in lines(capsys)} == {"ok"}


def test_verify_events_prints_json(pump, capsys):
    call_command("verify_events", "--json")

    assert {found["holds"] for found in json.loads(capsys.readouterr().out)} == {True}


def test_verify_events_finds_a_gap_in_the_versions():
    life = life_of_one_subject(3)
    append(life[0], life[2])

    found = finding("Versions of each subject are contiguous")

    assert not found.holds
    assert found.told == f"task/{life[0].subject_id}: versions 1 to 3, but 2 events"


def test_verify_events_finds_versions_out_of_order():
    life = life_of_one_subject(2)
    append(life[1], life[0])

    found = finding("Events of each subject stand in the order of their versions")

    assert found.told == f"task/{life[0].subject_id}: version 1 stands before its predecessor"


def test_verify_events_finds_an_outbox_entry_that_points_at_nothing():
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO events_outboxentry (event_id) VALUES (1)")

    assert finding("Every outbox entry points at an event").told == "outbox entry 1 points at no event"
    OutboxEntry.objects.all().delete()


def test_verify_events_finds_an_event_that_a_group_never_handled():
    one = event()
    position = backdated_event(one, days=1)

    found = finding("Every event that audit subscribes to is handled or parked")

    assert found.told == f"task.created.v1 {one.id} at position {position}"


def test_verify_events_finds_that_the_reconcile_had_to_repair():
    GroupProgress.objects.create(group="audit", repaired=2)

    found = finding("The reconcile never had to repair audit")

    assert (found.holds, found.told) == (False, "2 repaired, 0 caught up from the log, 0 parked")


@pytest.mark.django_db(transaction=True)
def test_verify_events_lets_an_old_task_outlive_its_events():
    from apps.tasks.models import Task
    from tests.support.factories import person, task_of

    task_of(person())
    with guards_off(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM events_outboxentry; DELETE FROM events_event")
        cursor.execute("UPDATE tasks_task SET updated_at = now() - interval '91 days'")

    assert Task.objects.count() == 1
    assert finding("Every task's version has its event").holds


def test_verify_events_exits_1_with_what_is_broken(capsys):
    life = life_of_one_subject(3)
    append(life[0], life[2])

    with pytest.raises(CommandError, match="The event log does not hold what it promises"):
        call_command("verify_events", "--json")

    assert [found["promise"] for found in json.loads(capsys.readouterr().out) if not found["holds"]] == [
        "Versions of each subject are contiguous"
    ]
