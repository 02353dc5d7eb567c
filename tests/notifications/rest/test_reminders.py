"""Reminders over REST: those of a task, asked for, moved and taken away, at once and after the group has heard."""

import html
import json
import re
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.notifications.models import Reminder
from apps.notifications.wanted import default_id
from apps.tasks import services
from apps.tasks.models import Task
from tests.notifications.rest.made import MONDAY, notification, reminder
from tests.support.factories import facts
from tests.support.pump import fresh_pump

pytestmark = pytest.mark.django_db

REMINDERS = "/api/v1/reminders/"
DUE = MONDAY + timedelta(hours=3)  # 14:00 in Berlin


@pytest.fixture
def pump(db):
    with fresh_pump() as pump:
        yield pump


def task_with(ada, reminders=None, **fields):
    given = {"title": "Water the plants", "due_at": DUE, "reminders": reminders}
    return services.create_task(owner=ada, actor=ada, now=MONDAY, **{**given, **fields})


def of(task):
    return f"/api/v1/tasks/{task.pk}/reminders/"


def at(one):
    return f"{REMINDERS}{one['id']}/"


def listed(api, task):
    return [(one["status"], one["trigger_at"]) for one in api.get(of(task)).json()["results"]]


def intents(task):
    return Task.objects.get(pk=task.pk).reminders


def left():
    return list(Reminder.objects.order_by("pk").values()), list(facts().values_list("type", flat=True))


# --- of a task --------------------------------------------------------------------------------------


def test_a_task_leads_to_its_reminders_and_what_was_told_of_it(api, ada):
    task = task_with(ada, [{"before_due": "PT1H"}])
    told, _ = notification(ada, task_id=task.pk), notification(ada)

    links = api.get(f"/api/v1/tasks/{task.pk}/").json()["links"]

    assert [one["before_due"] for one in api.get(links["reminders"]).json()["results"]] == ["PT1H"]
    assert [one["id"] for one in api.get(links["notifications"]).json()["results"]] == [str(told.pk)]


def test_what_a_task_asks_for_is_there_at_once_and_planned_a_moment_later(api, ada, pump):
    task = task_with(ada, [{"before_due": "PT1H"}, {"trigger_at": "2026-05-04T10:15:00Z"}])

    asked = api.get(of(task)).json()
    pump.run()
    planned = api.get(of(task)).json()

    assert (asked["asked"], asked["version"]) == ("own", 1)
    assert [(one["status"], one["trigger_at"], one["before_due"], one["version"]) for one in asked["results"]] == [
        ("asked", "2026-05-04T10:15:00Z", None, 0),
        ("asked", "2026-05-04T11:00:00Z", "PT1H", 0),
    ]
    assert [(one["status"], one["trigger_at"], one["version"]) for one in planned["results"]] == [
        ("planned", "2026-05-04T10:15:00Z", 1),
        ("planned", "2026-05-04T11:00:00Z", 1),
    ]
    assert [one["id"] for one in asked["results"]] == [one["id"] for one in planned["results"]]


@pytest.mark.parametrize(
    ("fields", "asked", "shown"),
    [
        ({}, "default", [("asked", "2026-05-04T11:30:00Z")]),
        ({"due_at": None, "due_on": MONDAY.date()}, "default", [("asked", "2026-05-04T07:00:00Z")]),
        ({"due_at": None}, "default", []),
        ({"reminders": []}, "none", []),
    ],
)
def test_a_task_says_whether_it_asks_for_the_default_or_none(api, ada, fields, asked, shown):
    task = task_with(ada, **fields)

    assert api.get(of(task)).json()["asked"] == asked
    assert listed(api, task) == shown


def test_a_task_that_is_done_waits_for_no_reminder_any_more(api, ada, pump):
    task = task_with(ada, [{"before_due": "PT1H"}])
    pump.run()
    services.complete_task(task_id=task.pk, actor=ada, now=MONDAY)

    before = listed(api, task)
    pump.run()

    assert before == []
    assert listed(api, task) == [("cancelled", "2026-05-04T11:00:00Z")]
    assert api.get(of(task)).json()["results"][0]["why_not"] == "The task was completed."


# --- asking for one more ----------------------------------------------------------------------------


def test_one_more_stands_beside_the_default(api, ada, pump):
    task = task_with(ada)
    pump.run()

    response = api.post(of(task), {"before_due": "PT2H"})
    before = listed(api, task)
    pump.run()

    told = response.json()
    assert response.status_code == 201
    assert response["Location"] == told["url"] == f"http://testserver{at(told)}"
    assert response["ETag"] == '"2"'
    assert (told["status"], told["origin"], told["trigger_at"]) == ("asked", "asked", "2026-05-04T10:00:00Z")
    assert told["task"]["title"] == "Water the plants"
    assert before == [("asked", "2026-05-04T10:00:00Z"), ("planned", "2026-05-04T11:30:00Z")]
    assert listed(api, task) == [("planned", "2026-05-04T10:00:00Z"), ("planned", "2026-05-04T11:30:00Z")]


def test_an_instant_without_an_offset_is_of_the_callers_clock(api, ada):
    told = api.post(of(task_with(ada)), {"trigger_at": "2026-05-04T12:15:00"}).json()

    assert told["trigger_at"] == "2026-05-04T10:15:00Z"


def test_the_same_request_with_its_key_asks_once(api, ada):
    task = task_with(ada)
    key = {"Idempotency-Key": str(uuid4())}

    first, second = (api.post(of(task), {"before_due": "PT2H"}, headers=key) for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"
    assert len(intents(task)) == 2


def test_trying_it_tells_what_would_be(api, ada):
    task = task_with(ada)
    before = left()

    told = api.post(f"{of(task)}?dry_run=true", {"before_due": "PT2H"}).json()

    assert [one["type"] for one in told["events"]] == ["task.updated.v1"]
    assert left() == before
    assert intents(task) is None


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, ""),
        ({"before_due": "PT1H", "trigger_at": "2026-05-04T10:15:00Z"}, ""),
        ({"before_due": "soon"}, "before_due"),
        ({"before_due": "PT4H"}, "before_due"),
        ({"trigger_at": "2026-05-04T08:00:00Z"}, "trigger_at"),
        ({"trigger_at": "2026-05-05T08:00:00Z"}, "trigger_at"),
        ({"trigger_at": "soon"}, "trigger_at"),
        ({"id": str(uuid4()), "before_due": "PT1H"}, "id"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_by_its_field(api, ada, pump, asked, field):
    task = task_with(ada, [{"before_due": "PT2H"}])
    pump.run()
    before = left(), intents(task)

    response = api.post(of(task), asked)

    assert response.status_code == 400
    assert {one["field"] for one in response.json()["errors"]} == {field}
    assert (left(), intents(task)) == before


# --- one reminder -----------------------------------------------------------------------------------


def test_a_reminder_is_read_before_and_after_it_was_heard_of(api, ada, pump):
    task = task_with(ada)
    address = f"{REMINDERS}{default_id(task.pk)}/"

    asked = api.get(address)
    pump.run()
    planned = api.get(address)

    assert (asked.json()["status"], asked["ETag"]) == ("asked", '"0"')
    assert (planned.json()["status"], planned.json()["origin"], planned["ETag"]) == ("planned", "default", '"1"')
    assert planned.json()["planned_for"] == "2026-05-04T11:30:00Z"


@pytest.mark.parametrize("heard", [True, False])
def test_a_reminder_is_moved(api, ada, pump, heard):
    task = task_with(ada, [{"before_due": "PT1H"}])
    (one,) = api.get(of(task)).json()["results"]
    [pump.run() for _ in range(heard)]

    response = api.patch(at(one), {"trigger_at": "2026-05-04T10:45:00Z"})
    before = api.get(at(one)).json()
    pump.run()

    assert (response.status_code, response.json()["status"]) == (200, "asked")
    assert (before["status"], before["trigger_at"]) == ("asked", "2026-05-04T10:45:00Z")
    after = api.get(at(one)).json()
    assert (after["status"], after["trigger_at"], after["before_due"]) == ("planned", "2026-05-04T10:45:00Z", None)


@pytest.mark.parametrize("heard", [True, False])
def test_a_reminder_is_taken_away(api, ada, pump, heard):
    task = task_with(ada, [{"before_due": "PT1H"}, {"before_due": "PT2H"}])
    one, _ = api.get(of(task)).json()["results"]
    [pump.run() for _ in range(heard)]

    response = api.delete(at(one))
    before = api.get(at(one)).status_code, listed(api, task)
    pump.run()

    assert response.status_code == 204
    assert before == (404, [("planned" if heard else "asked", "2026-05-04T11:00:00Z")])
    assert [one["before_due"] for one in intents(task)] == ["PT1H"]


def test_without_the_default_a_task_has_none(api, ada, pump):
    task = task_with(ada)
    pump.run()

    api.delete(f"{REMINDERS}{default_id(task.pk)}/")
    pump.run()

    assert intents(task) == []
    assert listed(api, task) == [("cancelled", "2026-05-04T11:30:00Z")]


@pytest.mark.parametrize(("method", "body"), [("patch", {"before_due": "PT2H"}), ("delete", None)])
def test_who_has_seen_an_older_version_changes_nothing(api, ada, pump, method, body):
    task = task_with(ada, [{"before_due": "PT1H"}])
    (one,) = api.get(of(task)).json()["results"]
    pump.run()
    before = left(), intents(task)

    response = getattr(api, method)(at(one), body, headers={"If-Match": '"0"'})

    assert (response.status_code, response.json()["current"]["version"]) == (412, 1)
    assert (left(), intents(task)) == before


@pytest.mark.parametrize(("method", "body"), [("patch", {"before_due": "PT2H"}), ("delete", None)])
def test_a_task_that_changed_since_it_was_seen_is_not_changed(api, ada, pump, method, body, monkeypatch):
    """Between the look at the reminder and the task's turn."""
    task = task_with(ada, [{"before_due": "PT1H"}])
    (one,) = api.get(of(task)).json()["results"]
    pump.run()
    seen = Task.objects.get(pk=task.pk).version
    services.update_task(task_id=task.pk, actor=ada, changes={"title": "Water"}, now=MONDAY)
    monkeypatch.setattr("apps.notifications.views.reminders.version_of_task", lambda *_, **__: seen)
    before = left(), intents(task)

    response = getattr(api, method)(at(one), body, headers={"If-Match": '"1"'})

    assert (response.status_code, response.json()["current"]["id"]) == (412, one["id"])
    assert (left(), intents(task)) == before


def test_who_has_seen_what_there_is_moves_it(api, ada, pump):
    task = task_with(ada, [{"before_due": "PT1H"}])
    (one,) = api.get(of(task)).json()["results"]
    pump.run()

    response = api.patch(at(one), {"before_due": "PT2H"}, headers={"If-Match": '"1"'})

    assert response.status_code == 200
    assert [each["before_due"] for each in intents(task)] == ["PT2H"]


def put_off(api, ada, task):
    """A nudge of what is overdue, put off: a reminder that the task does not ask for."""
    nudge = notification(ada, kind="overdue", task_id=task.pk)
    api.post(f"/api/v1/notifications/{nudge.pk}/snooze/", {"until": "PT15M"})
    return nudge, next(one for one in api.get(of(task)).json()["results"] if one["origin"] == "snooze")


def test_what_was_put_off_is_taken_away_and_read(api, ada, pump):
    task = task_with(ada, [])
    other = notification(ada, task_id=task.pk, status="snoozed")
    nudge, one = put_off(api, ada, task)

    response = api.delete(at(one))

    pump.run()
    nudge.refresh_from_db()
    other.refresh_from_db()
    again = api.get(at(one)).json()
    assert (response.status_code, again["status"], again["because"]) == (204, "cancelled", "removed")
    assert (nudge.status, nudge.read_at, nudge.snoozed_until) == ("read", MONDAY, None)
    assert other.status == "snoozed"
    assert list(facts().values_list("type", flat=True))[-2:] == ["reminder.cancelled.v1", "notification.updated.v1"]


def test_what_was_put_off_and_is_over_cannot_be_taken_away(api, ada):
    task = task_with(ada, [])
    one = reminder(ada, task_id=task.pk, origin="snooze", status="delivered")
    before = left()

    response = api.delete(f"{REMINDERS}{one.pk}/")

    assert (response.status_code, response.json()["detail"]) == (409, f"The reminder {one.pk} does not wait any more.")
    assert left() == before


def test_who_has_seen_another_version_of_what_was_put_off_takes_nothing_away(api, ada):
    task = task_with(ada, [])
    _, one = put_off(api, ada, task)
    before = left()

    response = api.delete(at(one), headers={"If-Match": '"1"'})

    assert (response.status_code, response.json()["current"]["version"]) == (412, 2)
    assert left() == before


def test_what_was_put_off_is_not_shown_as_waiting_once_due_moved(api, ada, pump):
    task = task_with(ada, [])
    pump.run()
    _, one = put_off(api, ada, task)
    before = listed(api, task)
    services.update_task(task_id=task.pk, actor=ada, changes={"due_at": DUE + timedelta(days=1)}, now=MONDAY)

    told = listed(api, task)

    assert before == [("snoozed", "2026-05-04T09:15:00Z")]
    assert told == []
    assert api.get(at(one)).json()["status"] != "asked"
    pump.run()
    assert listed(api, task) == [("cancelled", "2026-05-04T09:15:00Z")]


def test_who_asks_for_what_nobody_has_reads_no_task_that_was_heard_of(api, ada, pump):
    for _ in range(3):
        task_with(ada, [{"before_due": "PT1H"}])
    pump.run()
    unheard = task_with(ada)

    with CaptureQueriesContext(connection) as queries:
        assert api.get(f"{REMINDERS}{uuid4()}/").status_code == 404

    asked = [one["sql"] for one in queries.captured_queries]
    (looked,) = [sql for sql in asked if "notifications_remindedtask" in sql and "tasks_task" in sql]
    with connection.cursor() as cursor:
        cursor.execute(looked)
        assert [row[0] for row in cursor.fetchall()] == [unheard.pk]


@pytest.mark.parametrize(("method", "body"), [("patch", {"before_due": "PT2H"}), ("delete", None)])
def test_what_its_task_does_not_ask_for_is_over(api, ada, pump, method, body):
    task = task_with(ada, [])
    pump.run()
    one = reminder(ada, task_id=task.pk, status="cancelled", because="removed")
    before = left(), intents(task)

    response = getattr(api, method)(f"{REMINDERS}{one.pk}/", body)

    assert response.status_code == 409
    assert "Ask for a new one" in response.json()["detail"]
    assert (left(), intents(task)) == before


# --- the list ---------------------------------------------------------------------------------------


@pytest.fixture
def three(ada):
    task_id = uuid4()
    for hours, status, origin in [(1, "planned", "asked"), (2, "cancelled", "default"), (3, "snoozed", "snooze")]:
        instant = MONDAY + timedelta(hours=hours)
        fields = {"planned_for": instant, "trigger_at": instant, "status": status, "origin": origin}
        reminder(ada, task_id=task_id if hours < 3 else uuid4(), **fields)
    return task_id


@pytest.mark.parametrize(
    ("asked", "hours"),
    [
        ({}, [3, 2, 1]),
        ({"sort": "trigger"}, [1, 2, 3]),
        ({"status": "planned"}, [1]),
        ({"status": ["planned", "snoozed"]}, [3, 1]),
        ({"waits": "true", "sort": "trigger"}, [1, 3]),
        ({"waits": "false"}, [2]),
        ({"origin": "default"}, [2]),
        ({"from": "2026-05-04T11:00:00Z"}, [3, 2]),
        ({"to": "2026-05-04T11:00:00Z"}, [1]),
        ({"from": "2026-05-04", "to": "2026-05-04"}, [3, 2, 1]),
        ({"from": "2026-05-05"}, []),
    ],
)
def test_reminders_are_found_by_what_they_are_and_when(api, three, asked, hours):
    found = api.get(REMINDERS, asked).json()["results"]

    assert [datetime.fromisoformat(one["trigger_at"]) for one in found] == [
        MONDAY + timedelta(hours=each) for each in hours
    ]


def test_reminders_are_found_by_task(api, three):
    found = api.get(REMINDERS, {"task": str(three)}).json()["results"]

    assert {one["task"]["id"] for one in found} == {str(three)}
    assert len(found) == 2


@pytest.mark.parametrize("asked", [{"status": "asked"}, {"from": "soon"}, {"task": "1"}, {"origin": "x"}])
def test_a_filter_that_is_none_is_refused_by_its_name(api, asked):
    response = api.get(REMINDERS, asked)

    assert response.status_code == 400
    assert {one.get("parameter") or one["field"] for one in response.json()["errors"]} == set(asked)


# --- pages ------------------------------------------------------------------------------------------


def test_the_page_of_a_tasks_reminders_has_a_form_for_one_more(client, ada):
    client.force_login(ada)
    task = task_with(ada)

    page = client.get(of(task), headers={"Accept": "text/html"}).content.decode()

    assert "Reminders of a task" in page
    assert 'name="before_due"' in page


def test_a_form_that_was_sent_asks_for_one_more(client, ada):
    client.force_login(ada)
    task = task_with(ada)

    response = client.post(of(task), {"before_due": "PT2H", "trigger_at": ""}, headers={"Accept": "text/html"})

    assert response.status_code == 201
    assert [one["before_due"] for one in intents(task)] == ["PT30M", "PT2H"]


def test_the_form_that_moves_a_reminder_begins_with_what_may_be_set_and_can_be_sent_as_it_is(client, ada):
    client.force_login(ada)
    task = task_with(ada, [{"before_due": "PT1H"}])
    address = at(client.get(of(task)).json()["results"][0])

    page = client.get(address, headers={"Accept": "text/html"})
    (typed,) = re.findall(r"<textarea[^>]*name=\"_content\"[^>]*>(.*?)</textarea>", page.content.decode(), re.DOTALL)
    asked = json.loads(html.unescape(typed))
    moved = client.patch(address, asked, content_type="application/json")

    assert asked == {"trigger_at": None, "before_due": "PT1H"}
    assert (moved.status_code, moved.json()["before_due"]) == (200, "PT1H")


# --- put off at once --------------------------------------------------------------------------------


def test_a_reminder_that_was_asked_for_just_now_is_put_off(api, ada, pump):
    task = task_with(ada)
    made = api.post(of(task), {"before_due": "PT2H"}).json()

    put_off = api.post(f"{at(made)}snooze/", {"until": "PT15M"})
    pump.run()
    pump.redeliver_everything()

    assert (made["status"], put_off.status_code, put_off.json()["status"]) == ("asked", 200, "snoozed")
    row = Reminder.objects.get(pk=made["id"])
    assert (row.status, row.trigger_at, row.version) == ("snoozed", MONDAY + timedelta(minutes=15), 2)


def test_a_reminder_that_was_moved_just_now_is_put_off(api, ada, pump):
    task = task_with(ada, [{"before_due": "PT1H"}])
    pump.run()
    (one,) = api.get(of(task)).json()["results"]
    moved = api.patch(at(one), {"before_due": "PT2H"}).json()

    put_off = api.post(f"{at(one)}snooze/", {"until": "PT15M"})
    pump.run()

    assert (moved["status"], put_off.status_code) == ("asked", 200)
    row = Reminder.objects.get(pk=one["id"])
    assert (row.status, row.before_due, row.trigger_at) == ("snoozed", "PT2H", MONDAY + timedelta(minutes=15))


def test_nobody_puts_off_what_another_asked_for_just_now(api, ada, eve):
    task = task_with(eve, [{"before_due": "PT1H"}])
    before = left()

    response = api.post(f"{REMINDERS}{intents(task)[0]['id']}/snooze/", {"until": "PT15M"})

    assert response.status_code == 404
    assert left() == before
