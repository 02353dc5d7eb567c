"""The trail in the admin: for looking, whoever looks."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.urls import reverse

from apps.audit import verification
from apps.audit.chain import hash_of
from apps.audit.models import AuditContent, AuditRecord
from apps.audit.verification.findings import Wrong
from apps.events.models import Event
from apps.tasks import services
from tests.audit.admin_trail import LIST, changed, erase, page_of, record, recorded_at, shown, titled, unreadable
from tests.audit.tampering import sql
from tests.support.append_only import guards_off
from tests.support.factories import NOW, append, event, person, task_data, task_of

pytestmark = pytest.mark.django_db

EXPORT = f"{LIST}export/csv/"


@pytest.fixture
def admin(client):
    client.force_login(person("boss", is_staff=True, is_superuser=True))
    return client


def clerk(*codenames):
    made = person(is_staff=True)
    made.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return made


def text_of(html):
    """A page without its markup, in single spaces."""
    return " ".join(unescape(re.sub("<[^>]*>", " ", html)).split())


# --- who may ---


def test_staff_who_may_view_the_trail_see_it_and_its_records_and_files(client):
    kept = record()
    client.force_login(clerk("view_auditrecord"))

    answers = [client.get(path).status_code for path in (LIST, f"{LIST}{kept.pk}/change/", EXPORT)]

    assert answers == [200, 200, 200]


@pytest.mark.parametrize("path", ["", "{pk}/change/", "export/csv/", "export/json/", "of-event/{event}/"])
def test_other_staff_are_refused(client, path):
    kept = record()
    client.force_login(clerk("view_task", "change_auditrecord", "delete_auditrecord", "add_auditrecord"))

    answer = client.get(LIST + path.format(pk=kept.pk, event=kept.event_id))

    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["", "{pk}/change/", "export/csv/", "of-event/{event}/"])
def test_who_is_no_staff_is_sent_to_sign_in(client, path):
    kept = record()
    client.force_login(person())

    answer = client.get(LIST + path.format(pk=kept.pk, event=kept.event_id))

    assert (answer.status_code, "login" in answer.headers["Location"]) == (302, True)


@pytest.mark.parametrize("path", ["", "add/", "{pk}/change/", "{pk}/delete/", "export/csv/"])
def test_a_superuser_too_changes_nothing(admin, path):
    kept = record()
    asked = {"type": "x", "post": "yes", "action": "delete_selected", "_selected_action": [str(kept.pk)]}

    answer = admin.post(LIST + path.format(pk=kept.pk), asked)

    assert answer.status_code == 403
    assert AuditRecord.objects.values_list("pk", "type").get() == (kept.pk, "task.created.v1")


@pytest.mark.parametrize("page", ["", "{pk}/change/"])
def test_a_page_offers_nothing_that_writes(admin, page):
    kept = record()

    html = admin.get(LIST + page.format(pk=kept.pk)).content.decode()

    assert html.count('method="post"') == 1  # signing out
    assert ("deletelink" in html, "addlink" in html.split('id="content"')[1], 'name="action"' in html) == (False,) * 3


@pytest.mark.parametrize("page", ["", "{pk}/change/"])
def test_a_page_has_no_script_of_its_own(admin, page):
    kept = titled("<script>alert(1)</script>")

    html = admin.get(LIST + page.format(pk=kept.pk)).content.decode()

    assert html.count("<script>") == 0
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.parametrize("pk", ["999999", "0", "nonsense", "9" * 30])
def test_a_record_that_is_not_there_answers_404(admin, pk):
    assert admin.get(f"{LIST}{pk}/change/").status_code == 404


# --- the list ---


def test_a_row_tells_when_who_what_which_thing_and_where_in_the_chain(admin):
    ada = person("ada")
    kept = titled("Buy milk", actor_id=ada.pk)
    recorded_at(kept, datetime(2026, 11, 20, 9, 30, 15, tzinfo=UTC))

    html = admin.get(LIST).content.decode()

    row = text_of(html[html.index("<tbody>") : html.index("</tbody>")])
    assert row == f"20 Nov 2026 09:30:15 ada created task Buy milk — {kept.chain} / 1"
    assert f'href="?subject={kept.subject_id}"' in html


def test_a_row_tells_before_and_after_in_short(admin):
    changed(
        priority=("none", "high"), due_on=(None, "2026-05-03"), tags=([{"name": "a"}], [{"name": "b"}]), list=(1, 2)
    )

    [row] = admin.get(LIST).context["rows"]

    assert row.what == "changed due, list, priority and tags"
    assert row.short == [("due day", "—", "3 May 2026"), ("list", "1", "2"), ("priority", "none", "high")]
    assert row.more == 1


def test_what_nobody_did_the_platform_did(admin):
    record(actor_id=None)

    assert admin.get(LIST).context["rows"][0].who == "the platform"


def test_a_row_is_in_the_readers_time(client):
    client.force_login(person(is_staff=True, is_superuser=True, time_zone="Asia/Tokyo"))
    recorded_at(record(), datetime(2026, 11, 20, 23, 0, tzinfo=UTC))

    page = text_of(client.get(LIST).content.decode())

    assert "21 Nov 2026 08:00:00" in page
    assert "Times of Asia/Tokyo." in page


def test_unreadable_records_stand_out(admin):
    kept = unreadable()

    page = admin.get(LIST).content.decode()

    assert '<tr class="unreadable">' in page
    assert "task-events, partition 3 at 14" in text_of(page)
    assert f"{LIST}{kept.pk}/change/" in page


def test_an_erased_record_says_so_and_no_title(admin):
    kept = titled("Secret plan")
    erase(kept)

    page = admin.get(LIST).content.decode()

    assert '<tr class="erased">' in page
    assert "Secret plan" not in page


def test_pages_go_on_from_the_last_record_and_back(admin):
    kept = [record().pk for _ in range(3)]
    newest = sorted(kept, reverse=True)

    assert shown(admin, before=newest[0]) == newest[1:]
    assert shown(admin, after=newest[2]) == newest[:2]
    assert admin.get(LIST, {"before": newest[0]}).context["newer"] == f"?after={newest[1]}"
    assert (admin.get(LIST).context["older"], admin.get(LIST).context["newer"]) == ("", "")


def test_a_full_page_leads_to_the_next_with_the_same_filters(admin, monkeypatch):
    monkeypatch.setattr("apps.audit.admin.trail.Trail.page.__kwdefaults__", {"before": None, "after": None, "size": 2})
    kept = [titled("Milk").pk for _ in range(5)]

    first = admin.get(LIST, {"q": "milk", "kind": "task"})
    second = admin.get(LIST + first.context["older"])
    third = admin.get(LIST + second.context["older"])
    back = admin.get(LIST + third.context["newer"])

    pages = [[row.record.pk for row in page.context["rows"]] for page in (first, second, third, back)]
    assert pages == [kept[:2:-1], kept[2:0:-1], kept[:1], kept[2:0:-1]]
    assert third.context["older"] == ""
    assert "q=milk&kind=task" in second.context["newer"]


def test_a_page_asks_few_questions_however_many_rows(admin, django_assert_max_num_queries):
    for _ in range(20):
        record(actor_id=person().pk)

    with django_assert_max_num_queries(12):
        assert len(shown(admin)) == 20


# --- a record ---


def test_a_record_tells_all_about_it(admin):
    ada = person("ada")
    kept = titled("Buy milk", actor_id=ada.pk, owner_id=ada.pk)

    page = text_of(page_of(admin, kept))

    for told in (
        "Who ada What",
        f"To which thing task Buy milk, version 1 {kept.subject_id}",
        "When it happened 20 Nov 2026, 09:00:00 UTC",
        f"Chain {kept.chain}, record 1 of it",
        f"Hash {bytes(kept.hash).hex()} Previous hash {'0' * 64} Commitment {bytes(kept.commitment).hex()}",
        "In Kafka taken from the log, not from Kafka",
        "request a-correlation",
        "✓ checks out right now",
    ):
        assert told in page


def test_raw_data_is_folded_away_and_escaped(admin):
    page = page_of(admin, titled("</pre><b>bold"))

    folded = page[page.rindex("<details") :]
    assert "<summary><h2>Raw data</h2></summary>" in folded
    assert "&quot;title&quot;: &quot;&lt;/pre&gt;&lt;b&gt;bold&quot;" in folded
    assert "<b>bold" not in page


def test_an_unreadable_record_shows_why_and_what_came(admin):
    page = page_of(admin, unreadable(reason="<i>odd</i>"))

    assert "&lt;i&gt;odd&lt;/i&gt;" in page
    assert "<pre>\\xff&lt;script&gt;</pre>" in page
    assert "<pre>&lt;b&gt;</pre>" in page
    assert "topic task-events, partition 3, offset 14" in page


def test_an_erased_record_still_checks_out(admin):
    kept = titled("Secret plan")
    erase(kept)

    page = text_of(page_of(admin, kept))

    assert "Secret plan" not in page
    assert "✓ checks out right now" in page
    assert "has been erased with its owner; the commitment to it stays." in page
    assert "a request whose id is erased or unknown" in page


def test_a_record_whose_content_went_without_an_erasure_does_not_check_out(admin):
    kept = record()
    with guards_off():
        AuditContent.objects.all().delete()

    page = text_of(page_of(admin, kept))

    assert "✗ does not check out" in page
    assert "It has lost its content, and nobody was erased." in page
    assert "what was written is gone, though nobody was erased" in page
    assert "<em>gone, though nobody was erased</em>" in admin.get(LIST).content.decode()


# What somebody who owns the database may write in the place of content.
NO_CONTENT = [
    *("not JSON", "[" * 10_000, "null", "[1]", "{}", '{"correlation_id": "", "data": null}'),
    *(
        '{"correlation_id": "", "data": [1]}',
        '{"correlation_id": "", "data": "x"}',
        '{"correlation_id": 1, "data": {}}',
    ),
    *('{"correlation_id": "", "data": {"task": NaN}}', '{"correlation_id": "", "data": {"task": 1e999}}'),
    r'{"correlation_id": "", "data": {"task": {"title": "\ud800"}}}',
]


@pytest.mark.parametrize("text", NO_CONTENT, ids=lambda text: text[:60])
def test_content_that_cannot_be_read_is_shown_as_such_everywhere(admin, text):
    kept, sound = titled("Buy milk"), titled("Buy bread")
    caused = record(causation_id=kept.event_id)
    sql("UPDATE audit_auditcontent SET text = %s WHERE event_id = %s", [text, kept.event_id])

    assert shown(admin) == [caused.pk, sound.pk, kept.pk]
    assert admin.get(LIST).content.decode().count("<em>cannot be read</em>") == 2
    page = page_of(admin, kept)
    assert "(what it held cannot be read)" in page
    assert "what was written cannot be read" in text_of(page)
    assert "erased" not in text_of(page[: page.index("h-causes")])
    assert "It holds other content than it is committed to." in page
    assert "<em>cannot be read</em>" in page_of(admin, caused)


def test_a_record_well_linked_in_another_subjects_chain_does_not_check_out(admin):
    kept = record()
    other = (kept.chain + 1) % 16
    moved = kept.link._replace(chain=other)
    sql("UPDATE audit_auditrecord SET chain = %s, hash = %s WHERE id = %s", [other, hash_of(moved), kept.pk])

    page = text_of(page_of(admin, kept))

    assert "✗ does not check out" in page
    assert f"It stands in chain {other}, and all of its subject in chain {kept.chain}." in page
    assert Wrong.MISPLACED in {finding.wrong for finding in verification.verify(now=NOW).findings}


@pytest.mark.parametrize(
    ("tampering", "told"),
    [
        ("UPDATE audit_auditrecord SET actor_id = NULL", "It no longer says what it said: its hash is of other bytes."),
        (
            "UPDATE audit_auditcontent SET text = replace(text, 'milk', 'beer')",
            "It holds other content than it is committed to.",
        ),
        (
            "UPDATE audit_auditcontent SET title = 'Other'",
            "It would be found under another title, owner or correlation.",
        ),
        ("UPDATE audit_auditrecord SET chain = (chain + 1) % 16", ", and all of its subject in chain "),
        ("UPDATE audit_auditrecord SET sequence = sequence + 1", "of its chain is missing"),
        ("UPDATE audit_auditrecord SET previous_hash = hash", "It was not built on the record before it."),
    ],
)
def test_a_record_that_was_tampered_with_does_not_check_out(admin, tampering, told):
    kept = titled("Buy milk")
    assert "✓ checks out" in text_of(page_of(admin, kept))
    with guards_off(), connection.cursor() as cursor:
        cursor.execute(tampering)

    page = page_of(admin, kept)

    assert "✗ does not check out" in text_of(page)
    assert told in page.replace("&#x27;", "'")


def test_a_record_is_held_against_both_neighbours(admin):
    one, two, three = (record(subject_id=NEIGHBOURS, version=n) for n in (1, 2, 3))
    with guards_off():
        AuditRecord.objects.filter(pk=two.pk).delete()

    assert f"Record {two.sequence} of its chain is missing." in page_of(admin, one)
    assert f"Record {two.sequence} of its chain is missing." in page_of(admin, three)


NEIGHBOURS = "01900000-0000-7000-8000-000000000001"


# --- links ---


def test_a_record_leads_to_the_thing_its_event_and_all_that_happened_to_it(admin, pump):
    task = task_of(person())
    pump.run()
    kept = AuditRecord.objects.get()

    page = page_of(admin, kept)

    event_row = Event.objects.get(event_id=kept.event_id)
    assert f'href="/admin/tasks/task/{task.pk}/change/"' in page
    assert f'href="/admin/events/event/{event_row.pk}/change/"' in page
    assert f'href="{LIST}?subject={task.pk}"' in page


def test_a_thing_that_is_no_more_and_an_event_the_log_forgot_are_not_led_to(admin):
    page = page_of(admin, record())

    assert "/admin/tasks/task/" not in page.split('id="content"')[1]
    assert "/admin/events/event/" not in page.split('id="content"')[1]


def test_what_the_reader_may_not_look_at_is_not_led_to(client, pump):
    task_of(person())
    pump.run()
    client.force_login(clerk("view_auditrecord"))

    page = page_of(client, AuditRecord.objects.get()).split('id="content"')[1]

    assert [place in page for place in ("/tasks/task/", "/events/event/", "/accounts/user/")] == [False] * 3


def test_an_event_leads_to_its_record(admin, pump):
    [row] = append(event())
    pump.run()
    kept = AuditRecord.objects.get()

    page = admin.get(reverse("admin:events_event_change", args=[row.pk])).content.decode()
    led = admin.get(f"{LIST}of-event/{row.event_id}/")

    assert f'href="{LIST}of-event/{row.event_id}/"' in page
    assert led.headers["Location"] == f"{LIST}{kept.pk}/change/"


def test_an_event_without_a_record_leads_to_the_list_and_says_so(admin):
    answer = admin.get(f"{LIST}of-event/{NEIGHBOURS}/", follow=True)

    assert "has no record of the event" in answer.content.decode()


@pytest.mark.parametrize(("made", "place"), [("list", "tasks/tasklist"), ("tag", "tasks/tag"), ("task", "tasks/task")])
def test_the_history_of_a_thing_is_its_audit_trail(admin, made, place):
    ada = person()
    make = {"list": services.create_list, "tag": services.create_tag, "task": services.create_task}[made]
    naming = {"title": "x"} if made == "task" else {"name": "x"}
    thing = make(owner=ada, actor=ada, now=NOW, **naming)

    answer = admin.get(f"/admin/{place}/{thing.pk}/history/")

    assert (answer.status_code, answer.headers["Location"]) == (302, f"{LIST}?subject={thing.pk}")


def test_a_record_leads_to_what_happened_to_the_same_thing_before_and_after(admin):
    one, two, three = (record(subject_id=NEIGHBOURS, version=n) for n in (1, 2, 3))

    page = page_of(admin, two)

    assert f'href="{LIST}{one.pk}/change/" rel="prev"' in page
    assert f'href="{LIST}{three.pk}/change/" rel="next"' in page


def test_how_the_thing_was_is_told_without_what_was_not_set(admin):
    kept = record(data=task_data(description="", due_at="2026-05-03T10:00:00Z"))

    state = admin.get(f"{LIST}{kept.pk}/change/").context["state"]

    assert state == [
        ("title", "Buy milk"),
        ("status", "pending"),
        ("priority", "none"),
        ("due", "3 May 2026, 10:00:00 UTC"),
    ]
