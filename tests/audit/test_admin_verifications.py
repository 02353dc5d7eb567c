"""What verifications found can be looked at in the admin, and not changed."""

import pytest
from django.utils import timezone

from apps.audit.models import AuditVerification
from tests.support.factories import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    client.force_login(person(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def unsound():
    found = {"wrong": "changed", "told": "Record 7 <no longer> says what it said.", "record_id": 7}
    return AuditVerification.objects.create(
        started_at=timezone.now(), whole=False, records=1234, sound=False, findings=[found]
    )


def test_a_run_is_listed_with_its_first_finding(admin, unsound):
    page = admin.get("/admin/audit/auditverification/").content.decode()

    assert "Record 7 &lt;no longer&gt; says what it said." in page
    assert "what was new, and a piece of the rest" in page


def test_a_run_tells_all_it_found(admin, unsound):
    page = admin.get(f"/admin/audit/auditverification/{unsound.pk}/change/").content.decode()

    assert "<strong>changed</strong>: Record 7 &lt;no longer&gt; says what it said." in page


def test_nobody_changes_what_was_found(admin, unsound):
    asked = admin.post(f"/admin/audit/auditverification/{unsound.pk}/change/", {"sound": "on"})
    removed = admin.post(f"/admin/audit/auditverification/{unsound.pk}/delete/", {"post": "yes"})

    assert (asked.status_code, removed.status_code) == (403, 403)
    assert AuditVerification.objects.get().sound is False
