"""What happened to a task, in words, over REST."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from rest_framework.test import APIClient

from apps.audit.models import AuditRecord
from apps.audit.subscribers import group
from apps.events import handling
from apps.tasks import services
from tests.audit.admin_trail import erase
from tests.support.factories import NOW, change_data, event, person, task_of

pytestmark = pytest.mark.django_db

LATER = datetime(2027, 2, 1, tzinfo=UTC)


@pytest.fixture
def ada():
    return person("Ada", time_zone="Europe/London")


@pytest.fixture
def client(ada):
    return api(ada)


def api(user):
    client = APIClient()
    client.force_login(user)
    return client


def history(client, task_id, query=""):
    response = client.get(f"/api/v1/tasks/{task_id}/history/{query}")
    assert response.status_code == 200, response.json()
    return response.json()["results"]


def sentences(client, task_id, query=""):
    return [entry["sentence"] for entry in history(client, task_id, query)]


@time_machine.travel(NOW, tick=False)
def test_a_tasks_life_is_told_newest_first(ada, client, pump):
    home = services.create_list(owner=ada, actor=ada, name="Home", now=NOW)
    task = task_of(ada, title="Milk", list=home.pk, due_on=date(2026, 5, 3))
    acting = {"task_id": task.pk, "actor": ada, "now": NOW}
    services.update_task(**acting, changes={"due_on": date(2026, 5, 5)})
    services.update_task(**acting, changes={"title": "Buy milk", "priority": "urgent"})
    services.tag_task(**acting, add=["home", "shop"])
    services.tag_task(**acting, add=["today"], remove=["shop"])
    services.complete_task(**acting)
    services.reopen_task(**acting)
    services.delete_task(**acting)
    services.restore_task(**acting)
    pump.run()

    assert sentences(client, task.pk) == [
        "Ada restored it",
        "Ada deleted it",
        "Ada reopened it",
        "Ada completed it",
        "Ada added the tag today and removed shop",
        "Ada added the tags home and shop",
        "Ada changed the title from “Milk” to “Buy milk” and marked it urgent",
        "Ada moved due from 3 to 5 May",
        "Ada created it in Home, due 3 May",
    ]


def test_an_entry_says_when_who_what_and_where_the_record_is(ada, client, pump):
    task = task_of(ada, title="Milk")
    services.update_task(task_id=task.pk, actor=ada, changes={"title": "Buy milk"}, now=NOW)
    pump.run()

    entry = history(client, task.pk)[0]

    assert entry == {
        "at": "2026-11-20T09:00:00Z",
        "who": "Ada",
        "sentence": "Ada changed the title from “Milk” to “Buy milk”",
        "type": "task.updated.v1",
        "changes": [{"field": "title", "before": "Milk", "after": "Buy milk"}],
        "record": f"http://testserver/api/v1/audit/{AuditRecord.objects.first().pk}/",
    }
    assert client.get(entry["record"]).json()["type"] == "task.updated.v1"


def test_a_subtask_tells_what_took_it_along(ada, client, pump):
    home = services.create_list(owner=ada, actor=ada, name="Home", now=NOW)
    parent = task_of(ada)
    part = task_of(ada, parent=parent.pk, list=home.pk, tags=["shop"])
    tag_id = part.tag_ids[0]
    services.complete_task(task_id=parent.pk, actor=ada, now=NOW)
    services.delete_tag(tag_id=tag_id, actor=ada, now=NOW)
    services.delete_list(list_id=home.pk, actor=ada, now=NOW)
    services.delete_task(task_id=parent.pk, actor=ada, now=NOW)
    pump.run()

    assert sentences(client, part.pk) == [
        "Ada deleted it with the task it is part of",
        "Ada took it out of Home, as its list was deleted",
        "Ada removed the tag shop, as the tag was deleted",
        "Ada completed it with the task it is part of",
        "Ada created it in Home, tagged shop, as a part of another task",
    ]


def test_a_purged_tasks_history_stays(ada, client, pump):
    task = task_of(ada)
    services.delete_task(task_id=task.pk, actor=ada, now=NOW)
    services.purge_deleted_tasks(now=NOW + timedelta(days=31))
    pump.run()

    assert client.get(f"/api/v1/tasks/{task.pk}/").status_code == 404
    assert sentences(client, task.pk) == ["The platform purged it", "Ada deleted it", "Ada created it"]
    assert history(client, task.pk)[0]["who"] == "the platform"


def test_who_is_gone_is_somebody(ada, client):
    subject = uuid4()
    handling.handle(group, [event(owner_id=ada.pk, subject_id=subject)])

    (entry,) = history(client, subject)

    assert (entry["who"], entry["sentence"]) == ("Somebody", "Somebody created it")


def test_erased_content_leaves_who_did_what(ada, client):
    subject = uuid4()
    handling.handle(group, [event(owner_id=ada.pk, actor_id=ada.pk, subject_id=subject)])
    erase(AuditRecord.objects.get())

    (entry,) = history(client, subject)

    assert (entry["sentence"], entry["changes"]) == ("Ada created it (what it held has been erased)", [])


def test_days_are_told_by_the_readers_clock_and_this_year(ada, client, pump):
    task = task_of(ada, due_at=datetime(2026, 5, 2, 23, 30, tzinfo=UTC))
    pump.run()

    with time_machine.travel(NOW, tick=False):
        assert sentences(client, task.pk) == ["Ada created it, due 3 May at 00:30"]
    with time_machine.travel(LATER, tick=False):
        assert sentences(api(ada), task.pk) == ["Ada created it, due 3 May 2026 at 00:30"]


def test_a_history_comes_in_pages_either_way(ada, client):
    subject = uuid4()
    for version in range(1, 6):
        handling.handle(group, [event(owner_id=ada.pk, subject_id=subject, version=version, actor_id=ada.pk)])

    first = client.get(f"/api/v1/tasks/{subject}/history/?page_size=2").json()
    second = client.get(first["next"]).json()
    third = client.get(second["next"]).json()

    assert [len(page["results"]) for page in (first, second, third)] == [2, 2, 1]
    assert third["results"][0]["sentence"] == "Ada created it"
    assert third["next"] is None
    assert sentences(client, subject, "?sort=recorded&page_size=1") == ["Ada created it"]


def test_a_history_asks_as_many_questions_however_long_it_is(ada, client, django_assert_num_queries):
    subject = uuid4()
    cause = uuid4()
    for version in range(1, 51):
        changed = event(owner_id=ada.pk, subject_id=subject, version=version, causation_id=cause, actor_id=uuid4())
        handling.handle(group, [changed])
    client.get(f"/api/v1/tasks/{subject}/history/")

    with django_assert_num_queries(5):  # session, person, records, names, causes
        assert len(history(client, subject)) == 50


@pytest.mark.parametrize("staff", [False, True])
def test_another_persons_history_is_not_there(ada, staff, pump):
    task = task_of(ada)
    pump.run()

    response = api(person("eve", is_staff=staff)).get(f"/api/v1/tasks/{task.pk}/history/")

    assert response.status_code == 404
    assert "milk" not in response.content.decode().lower()


def test_what_was_somebody_elses_is_not_told_with_ones_own(ada, client):
    subject = uuid4()
    handling.handle(group, [event(subject_id=subject, version=2, data=change_data(title="secret"))])
    handling.handle(group, [event(owner_id=ada.pk, subject_id=subject)])

    assert len(history(client, subject)) == 1


def test_a_task_the_trail_does_not_know_is_not_there(client):
    assert client.get(f"/api/v1/tasks/{uuid4()}/history/").status_code == 404


def test_a_list_has_no_history_as_a_task(ada, client, pump):
    made = services.create_list(owner=ada, actor=ada, name="Home", now=NOW)
    pump.run()

    assert client.get(f"/api/v1/tasks/{made.pk}/history/").status_code == 404


@pytest.mark.parametrize("query", ["?type=task.", "?page_size=0", "?page_size=101", "?sort=occurred", "?cursor=x"])
def test_what_a_history_does_not_take_is_refused(ada, client, pump, query):
    task = task_of(ada)
    pump.run()

    assert client.get(f"/api/v1/tasks/{task.pk}/history/{query}").status_code == 400


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(ada, client, pump, method):
    task = task_of(ada)
    pump.run()

    assert getattr(client, method)(f"/api/v1/tasks/{task.pk}/history/", {}).status_code == 405
    assert AuditRecord.objects.count() == 1


def test_a_stranger_is_refused():
    assert APIClient().get(f"/api/v1/tasks/{uuid4()}/history/").status_code == 401
