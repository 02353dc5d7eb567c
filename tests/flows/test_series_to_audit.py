"""From a repeating task that is done to the trail: what it led to stands there once, in words, as a chain of causes."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from apps.audit import verification
from apps.audit.admin.causes import tree_of
from apps.audit.models import AuditRecord
from apps.tasks import services
from apps.tasks.models import Task
from tests.support.factories import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def done(pump):
    """A weekly task of Ada's, due today, that was done; all of it delivered, twice."""
    now, ada = timezone.now(), person("ada")
    asked = {"due_on": now.date(), "recurrence": "weekly"}
    task = services.create_task(owner=ada, actor=ada, title="Water the plants", now=now, **asked)
    services.complete_task(task_id=task.pk, actor=ada, now=now)
    pump.run()
    pump.redeliver_everything()
    return task


def records():
    return list(AuditRecord.objects.select_related("content").order_by("pk"))


def tree(nodes):
    """By the names of types: two groups answer one event, and either may be the first."""
    return sorted((node.record.type, tree(node.caused)) for node in nodes)


def test_the_next_occurrence_is_told_once_though_everything_comes_again(done):
    told = sorted(one.type for one in records())

    assert told == [
        "recurrence.changed.v1",
        "recurrence.generated.v1",
        "reminder.cancelled.v1",
        "reminder.scheduled.v1",
        "reminder.scheduled.v1",
        "task.completed.v1",
        "task.created.v1",
        "task.created.v1",
    ]
    assert Task.objects.count() == 2
    assert verification.verify(now=timezone.now()).sound


def test_a_completion_leads_to_its_next_occurrence_and_that_to_its_task(done):
    completed = next(one for one in records() if one.type == "task.completed.v1")

    next_one = ("task.created.v1", [("reminder.scheduled.v1", [])])
    assert tree(tree_of(completed).roots) == [
        ("task.completed.v1", [("recurrence.generated.v1", [next_one]), ("reminder.cancelled.v1", [])]),
    ]


def test_the_owner_reads_in_words_what_the_series_did(done, client):
    client.force_login(done.owner)
    following = Task.objects.exclude(pk=done.pk).get()

    told = [one["sentence"] for one in client.get("/api/v1/audit/?subject_type=series").json()["results"]]
    history = client.get(f"/api/v1/tasks/{following.pk}/history/").json()["results"]

    due = following.due_on - done.due_on
    day = f"{following.due_on.day} {following.due_on:%B}" + _year(following.due_on)
    assert due == timedelta(days=7)
    assert told == [
        f"The platform made the next one, due {day}",
        "The platform opened the series, repeating every week",
    ]
    assert [one["sentence"] for one in history] == [
        f"The platform created it, due {day}, repeating every week, as the next of its series"
    ]


def _year(day: date) -> str:
    return "" if day.year == timezone.now().year else f" {day.year}"


def test_the_page_of_a_record_of_a_series_leads_to_the_series(done, client):
    client.force_login(person("grace", is_staff=True, is_superuser=True))
    generated = next(one for one in records() if one.type == "recurrence.generated.v1")

    page = client.get(f"/admin/audit/auditrecord/{generated.pk}/change/").content.decode()

    assert f'href="/admin/recurrence/series/{generated.subject_id}/change/"' in page
    assert "The platform made the next one, due " in page
