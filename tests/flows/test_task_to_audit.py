"""From a task's life to its audit records, through every hop but the sockets."""

from datetime import timedelta

import pytest

from apps.audit.models import AuditRecord
from apps.events.models import HandledEvent, OutboxEntry
from apps.tasks import services
from tests.support.factories import NOW, person, task_of

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
