"""From a task's life to its audit records, through every hop but the sockets."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from apps.audit.models import AuditRecord
from apps.events import dead_letters, jobs, subscriptions
from apps.events.brokers.base import OutgoingRecord
from apps.events.models import DeadLetter, GroupProgress, HandledEvent, OutboxEntry
from apps.events.subscriptions import ConsumerGroup
from apps.tasks import services
from apps.tasks.events import TaskEvent
from tests.support.factories import NOW, event, facts, person, record_of, task_of

pytestmark = pytest.mark.django_db(transaction=True)

LIFE = [
    (1, "task.created.v1"),
    (2, "task.updated.v1"),
    (3, "task.completed.v1"),
    (4, "task.reopened.v1"),
    (5, "task.deleted.v1"),
    (6, "task.restored.v1"),
]


def live(task, owner):
    """The five changes after creation."""
    same = {"task_id": task.pk, "actor": owner}
    services.update_task(**same, changes={"title": "Buy oat milk"}, now=NOW + timedelta(hours=1))
    services.complete_task(**same, now=NOW + timedelta(hours=2))
    services.reopen_task(**same, now=NOW + timedelta(hours=3))
    services.delete_task(**same, now=NOW + timedelta(hours=4))
    services.restore_task(**same, now=NOW + timedelta(hours=5))


def trail(task):
    records = AuditRecord.objects.filter(subject_id=task.pk).order_by("id")
    return list(records.values_list("subject_version", "type"))


def test_a_tasks_life_stands_in_the_audit_trail_in_order(pump):
    owner = person()
    task = task_of(owner)
    live(task, owner)

    pump.run()
    pump.redeliver_everything()

    assert trail(task) == LIFE


def test_a_record_tells_who_did_what_to_whose_task_and_where_it_stood_in_kafka(pump):
    owner = person()
    task = task_of(owner)

    pump.run()
    pump.redeliver_everything()

    record = AuditRecord.objects.get()
    carried = pump.records("task-events")[0]
    assert (record.owner_id, record.actor_id, record.subject_id) == (owner.pk, owner.pk, task.pk)
    assert record.occurred_at == NOW
    assert record.data["task"]["title"] == "Buy milk"
    assert (record.record_topic, record.record_partition, record.record_offset) == (
        "task-events",
        carried.partition,
        carried.offset,
    )


def test_tasks_changed_in_turns_keep_each_their_own_order(pump):
    owner = person()
    tasks = [task_of(owner, title=f"Task {number}") for number in range(5)]
    for task in tasks:
        live(task, owner)

    pump.run()
    pump.redeliver_everything()

    assert [trail(task) for task in tasks] == [LIFE] * 5
    assert AuditRecord.objects.count() == 30


def test_redelivering_everything_changes_no_row(pump):
    owner = person()
    live(task_of(owner), owner)
    pump.run()
    before = list(AuditRecord.objects.order_by("id").values())

    pump.redeliver_everything()
    pump.redeliver_everything()

    assert list(AuditRecord.objects.order_by("id").values()) == before
    assert HandledEvent.objects.filter(group="audit").count() == 6
    assert OutboxEntry.objects.count() == 0


def test_without_the_inbox_a_redelivery_would_be_seen(pump, monkeypatch):
    """Negative control: the check above does go red when handling forgets what it did."""
    owner = person()
    task = task_of(owner)
    appended = []
    monkeypatch.setattr("apps.events.inbox.claim", lambda group, events: list(events))
    monkeypatch.setattr("apps.audit.services.append_records", appended.extend)

    pump.run()
    pump.redeliver_everything()

    assert [event.subject_id for event in appended] == [task.pk, task.pk]


def test_garbage_and_unknown_types_on_the_topic_are_seen_and_hold_up_nobody(pump):
    """F9: bad bytes and a newer producer's type stand between a task's events."""
    owner = person()
    task = task_of(owner)
    pump.relay_once()
    newer = record_of(event())
    headers = list((dict(newer.headers) | {"ce_type": b"task.archived.v7"}).items())
    pump.broker.producer().send(
        [
            OutgoingRecord("task-events", str(task.pk).encode(), b"\xff\0", []),
            OutgoingRecord("task-events", newer.key, newer.value, headers),
        ],
        give_up=lambda: False,
    )
    services.complete_task(task_id=task.pk, actor=owner, now=NOW)

    pump.run()
    pump.redeliver_everything()

    assert trail(task) == [(1, "task.created.v1"), (2, "task.completed.v1")]
    assert AuditRecord.objects.filter(readable=False).count() == 1
    assert AuditRecord.objects.filter(type="task.archived.v7").count() == 1


def test_a_group_that_cannot_handle_one_task_handles_the_others(pump, effect, monkeypatch):
    """F9: a failing effect holds up its own key, and no other group."""
    monkeypatch.setattr(subscriptions, "_groups", dict(subscriptions._groups))
    owner, broken = person(), {"is": True}
    chores = ConsumerGroup("chores")

    @chores.on(TaskEvent.CREATED, TaskEvent.COMPLETED)
    def note(one):
        if broken["is"] and one.data["task"]["title"] == "Poison":
            raise ValueError("cannot be")
        effect.apply(one)

    first, poison, last = [task_of(owner, title=title) for title in ("First", "Poison", "Last")]
    for task in (first, poison, last):
        services.complete_task(task_id=task.pk, actor=owner, now=NOW)
    pump.run()
    pump.redeliver_everything()
    flowed = effect.of()
    broken["is"] = False
    dead_letters.replay(DeadLetter.objects.order_by("id")[0].pk)
    pump.redeliver_everything()

    assert sorted(flowed) == sorted([*told(first), *told(last)])
    assert effect.of()[4:] == told(poison)
    assert AuditRecord.objects.count() == 6


def told(task):
    """The ids of a task's events, oldest first."""
    return list(facts().filter(subject_id=task.pk).values_list("event_id", flat=True))


def test_what_kafka_lost_the_reconcile_makes_good_once(pump):
    owner = person()
    task = task_of(owner)
    audit = subscriptions.group_named("audit")
    jobs.reconcile_group("audit")
    pump.relay_once()
    pump.broker.partitions.clear()
    services.complete_task(task_id=task.pk, actor=owner, now=NOW)
    pump.run()

    jobs.reconcile_group("audit")
    jobs.reconcile_group("audit")
    pump.redeliver_everything()

    assert sorted(trail(task)) == [(1, "task.created.v1"), (2, "task.completed.v1")]
    assert GroupProgress.objects.get(group=audit.name).repaired == 1


def test_replaying_the_whole_log_changes_nothing(pump):
    owner = person()
    live(task_of(owner), owner)
    pump.run()
    before = list(AuditRecord.objects.order_by("id").values())

    call_command("replay_events", "--group", "audit", "--since", "2000-01-01")
    pump.redeliver_everything()

    assert list(AuditRecord.objects.order_by("id").values()) == before


def test_a_system_after_all_this_verifies(pump, capsys):
    owner = person()
    live(task_of(owner), owner)
    pump.run()
    pump.redeliver_everything()
    jobs.reconcile_group("audit")

    call_command("verify_events")

    assert "BROKEN" not in capsys.readouterr().out


def test_a_crash_between_acknowledgement_and_deletion_repeats_records_and_no_effect(pump, monkeypatch):
    """F4: the relay dies when Kafka has the records and the outbox still names them."""
    owner = person()
    task = task_of(owner)
    services.complete_task(task_id=task.pk, actor=owner, now=NOW)
    monkeypatch.setattr("apps.events.crash.at", _crash_when_produced)
    with pytest.raises(Crashed):
        pump.relay_once()
    monkeypatch.undo()

    pump.run()
    pump.redeliver_everything()

    assert len(pump.records("task-events")) == 4
    assert trail(task) == [(1, "task.created.v1"), (2, "task.completed.v1")]


class Crashed(BaseException):
    """As final as the end of the process."""


def _crash_when_produced(point):
    if point == "relay.produced":
        raise Crashed
