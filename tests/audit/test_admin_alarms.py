"""While the trail is not sound its list says so, what was found first, and marks what was found."""

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from apps.audit import selectors
from apps.audit.models import AuditVerification
from apps.audit.verification import periodic
from tests.audit.admin_trail import LIST, page_of, record
from tests.audit.tampering import change
from tests.support.factories import person

pytestmark = pytest.mark.django_db

BANNER = "<strong>The audit trail is not sound.</strong>"
VERIFICATIONS = 'href="/admin/audit/auditverification/?sound__exact=0"'


@pytest.fixture
def admin(client):
    client.force_login(person(is_staff=True, is_superuser=True))
    return client


def verified(*findings, sound=False, full=False):
    return AuditVerification.objects.create(
        started_at=timezone.now(), whole=full, full=full, records=1, sound=sound, findings=list(findings)
    )


def found(told, **where):
    return {"wrong": "changed", "told": told, "record_id": None, "before_record_id": None} | where


def list_of(client):
    response = client.get(LIST)
    assert response.status_code == 200
    return response.content.decode()


def test_what_a_real_verification_finds_is_told_and_its_row_marked(admin):
    kept, other = record(), record()
    change(kept, "source", "urn:other")

    run = periodic.run(now=timezone.now())

    page = list_of(admin)
    told = run.findings[0]["told"]
    assert BANNER in page
    assert f"Found first: {told}" in page
    assert f'<a href="{LIST}{kept.pk}/change/">Record {kept.pk}</a>' in page
    assert "<code>manage.py verify_audit</code>" in page
    assert VERIFICATIONS in page
    assert page.count('<tr class="found">') == 1
    assert f'title="{told}"' in page
    assert f"a verification found: {told}" in page_of(admin, kept)
    assert "a verification found" not in page_of(admin, other)


@pytest.mark.parametrize("runs", [[], [{"sound": True}], [{"sound": False}, {"sound": True, "full": True}]])
def test_while_it_is_sound_there_is_no_banner_and_no_mark(admin, runs):
    kept = record()
    for run in runs:
        verified(*([] if run["sound"] else [found("Wrong.", record_id=kept.pk)]), **run)

    page = list_of(admin)

    assert (BANNER in page, 'class="found"' in page) == (False, False)


def test_the_alarm_stays_though_a_later_piece_was_sound(admin):
    kept = record()
    verified(found("This was first.", record_id=kept.pk))
    verified(found("This came <later>.", record_id=None))
    verified(sound=True)

    page = list_of(admin)

    assert "Found first: This was first. (2 things were found.)" in page
    assert page.count('<tr class="found">') == 1


def test_before_what_is_gone_the_next_record_is_marked(admin):
    kept = record()
    verified(found("Records are missing.", before_record_id=kept.pk))

    assert list_of(admin).count('<tr class="found">') == 1


@pytest.mark.parametrize("findings", [None, {}, [], [7], [{}], [{"told": 3, "record_id": "x"}], "x"])
def test_a_note_that_cannot_be_read_is_an_alarm_too(admin, findings):
    record()
    verified()
    AuditVerification.objects.update(findings=findings if findings is not None else [])

    page = list_of(admin)

    assert selectors.verification_status().sound is False
    assert "Found first: A verification found something, and its note of what cannot be read." in page


def test_of_many_runs_the_first_and_the_last_are_told(monkeypatch):
    monkeypatch.setattr(selectors, "_TELLING_RUNS", 2)
    runs = [verified(found(f"Finding {number}.")) for number in range(4)]

    assert selectors.alarming_runs() == [runs[0], runs[1], runs[3]]


def test_who_may_not_look_at_verifications_is_not_led_there(client):
    reader = person(is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename="view_auditrecord"))
    client.force_login(reader)
    verified(found("Wrong."))

    page = list_of(client)

    assert (BANNER in page, "auditverification" in page.split('id="content"')[1]) == (True, False)
