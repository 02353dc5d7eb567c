"""The trail in the admin: for looking, whoever looks."""

import pytest
from django.urls import reverse

from apps.audit.models import AuditRecord
from apps.audit.subscribers import group
from apps.events import handling
from apps.events.brokers.base import Record
from tests.support.factories import event, person

pytestmark = pytest.mark.django_db

LIST = "/admin/audit/auditrecord/"


@pytest.fixture
def admin(client):
    client.force_login(person("boss", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def record():
    handling.handle(group, [event(version=2)])
    return AuditRecord.objects.get()


def test_the_list_shows_before_and_after(admin, record):
    page = admin.get(LIST).content.decode()

    assert "task.updated.v1" in page
    assert "title: &#x27;Buy&#x27; → &#x27;Buy milk&#x27;" in page


def test_a_record_shows_its_data_and_no_button(admin, record):
    page = admin.get(reverse("admin:audit_auditrecord_change", args=[record.pk])).content.decode()

    assert "&quot;title&quot;: &quot;Buy milk&quot;" in page
    assert 'name="_save"' not in page
    assert "deletelink" not in page


def test_an_unreadable_record_shows_its_bytes(admin):
    handling.record_unreadable(group, Record("task-events", 0, 0, b"k", b"\xff<script>", []), "garbage")
    kept = AuditRecord.objects.get()

    page = admin.get(reverse("admin:audit_auditrecord_change", args=[kept.pk])).content.decode()

    assert "\\xff&lt;script&gt;" in page


@pytest.mark.parametrize("query", ["?q=nonsense", "?q=a%27b", "?type=task.updated.v1", "?readable__exact=0", "?q=-17"])
def test_searching_and_filtering_never_fail(admin, record, query):
    assert admin.get(LIST + query, follow=True).status_code == 200


@pytest.mark.parametrize("field", ["event_id", "subject_id", "owner_id", "actor_id", "correlation_id"])
def test_a_record_is_found_by_its_ids(admin, record, field):
    response = admin.get(LIST, {"q": str(getattr(record, field))})

    assert [found.pk for found in response.context["cl"].result_list] == [record.pk]


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_adds_or_deletes(admin, record, method):
    answers = [
        getattr(admin, method)(f"{LIST}add/"),
        getattr(admin, method)(reverse("admin:audit_auditrecord_delete", args=[record.pk]), {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert AuditRecord.objects.count() == 1


def test_nobody_changes(admin, record):
    response = admin.post(reverse("admin:audit_auditrecord_change", args=[record.pk]), {"type": "x"})

    assert response.status_code == 403
    assert AuditRecord.objects.get().type == "task.updated.v1"


def test_no_action_deletes(admin, record):
    admin.post(LIST, {"action": "delete_selected", "_selected_action": [str(record.pk)], "post": "yes"})

    assert AuditRecord.objects.count() == 1
