"""The trail over REST: one's own records to read, and nothing to write."""

import pytest
from rest_framework.test import APIClient

from apps.audit.models import AuditRecord
from apps.audit.subscribers import group
from apps.events import handling
from apps.events.brokers.base import Record
from tests.support.factories import event, life_of_one_subject, person

pytestmark = pytest.mark.django_db

AUDIT = "/api/v1/audit/"


@pytest.fixture
def ada():
    return person("ada")


def api(user):
    client = APIClient()
    client.force_login(user)
    return client


def record(**fields):
    one = event(**fields)
    handling.handle(group, [one])
    return AuditRecord.objects.get(event_id=one.id)


def listed(client, query=""):
    return [found["id"] for found in client.get(AUDIT + query).json()["results"]]


def test_a_person_sees_what_happened_to_what_is_theirs_newest_first(ada):
    first, second = record(owner_id=ada.pk), record(owner_id=ada.pk)
    record()

    assert listed(api(ada)) == [second.pk, first.pk]


def test_staff_see_everything_also_what_nobody_could_read(ada):
    of_ada, of_somebody = record(owner_id=ada.pk), record()
    handling.record_unreadable(group, [(Record("task-events", 0, 0, None, b"?", []), "garbage")])
    unreadable = AuditRecord.objects.get(readable=False)

    assert listed(api(person(is_staff=True))) == [unreadable.pk, of_somebody.pk, of_ada.pk]


def test_a_record_is_read_by_its_number(ada):
    mine = record(owner_id=ada.pk)

    told = api(ada).get(f"{AUDIT}{mine.pk}/").json()

    assert (told["event_id"], told["type"], told["subject_version"]) == (
        str(mine.event_id),
        "task.created.v1",
        1,
    )
    assert told["data"]["task"]["title"] == "Buy milk"
    assert "raw_value" not in told


def test_another_persons_record_is_not_there(ada):
    assert api(ada).get(f"{AUDIT}{record().pk}/").status_code == 404


@pytest.mark.parametrize("number", ["0", "999999999999999999", "nonsense", "-1", "9" * 30])
def test_a_number_of_nothing_is_not_there(ada, number):
    assert api(ada).get(f"{AUDIT}{number}/").status_code == 404


def test_the_trail_of_one_task(ada):
    life = life_of_one_subject(3)
    record(owner_id=ada.pk)
    for one in life:
        handling.handle(group, [one])
    client = api(person(is_staff=True))

    told = client.get(f"{AUDIT}?task={life[0].subject_id}").json()["results"]

    assert [found["subject_version"] for found in told] == [3, 2, 1]


def test_the_trail_of_one_type_and_of_one_actor(ada):
    updated, by_ada = record(owner_id=ada.pk, version=2), record(owner_id=ada.pk, actor_id=ada.pk)

    assert listed(api(ada), "?type=task.updated.v1") == [updated.pk]
    assert listed(api(ada), f"?actor={ada.pk}") == [by_ada.pk]
    assert listed(api(ada), f"?actor={ada.pk}&type=task.updated.v1") == []


@pytest.mark.parametrize("query", ["?task=nonsense", "?actor=17"])
def test_a_filter_for_something_that_cannot_be_answers_400(ada, query):
    assert api(ada).get(AUDIT + query).status_code == 400


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(method):
    kept = record()
    client = api(person(is_staff=True, is_superuser=True))

    answers = [getattr(client, method)(path, {"type": "x"}) for path in (AUDIT, f"{AUDIT}{kept.pk}/")]

    assert [answer.status_code for answer in answers] == [405, 405]
    assert AuditRecord.objects.values_list("pk", "type").get() == (kept.pk, "task.created.v1")


@pytest.mark.parametrize("path", ["", "1/"])
def test_a_stranger_is_refused(path):
    assert APIClient().get(AUDIT + path).status_code in {401, 403}


def test_a_list_is_bounded(ada, django_assert_max_num_queries):
    handling.handle(group, [event(owner_id=ada.pk) for _ in range(120)])
    client = api(ada)

    with django_assert_max_num_queries(5):
        told = client.get(f"{AUDIT}?page_size=100").json()

    assert len(told["results"]) == 100
    assert len(client.get(told["next"]).json()["results"]) == 20
