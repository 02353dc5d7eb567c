"""What a person was told, over REST: read, narrowed, counted."""

from uuid import uuid4

import pytest

from apps.tasks import services
from tests.notifications.rest.made import MINUTE, MONDAY, delivery, notification
from tests.support.factories import facts

pytestmark = pytest.mark.django_db

NOTIFICATIONS = "/api/v1/notifications/"


def titles(api, **asked):
    return [one["title"] for one in api.get(NOTIFICATIONS, asked).json()["results"]]


# --- reading ----------------------------------------------------------------------------------------


def test_a_notification_tells_what_it_is_of_and_how_it_went(api, ada):
    task_id, reminder_id = uuid4(), uuid4()
    one = notification(
        ada, text="Due at 11:30.", task_id=task_id, reminder_id=reminder_id, late_seconds=0.2501, due_at=MONDAY
    )
    mail = delivery(one, status="failed", attempts=8, error="550 no such person", finished_at=MONDAY + MINUTE)

    response = api.get(f"{NOTIFICATIONS}{one.pk}/")

    here = f"http://testserver/api/v1/notifications/{one.pk}/"
    assert (response.status_code, response["ETag"]) == (200, '"1"')
    assert response.json() == {
        "id": str(one.pk),
        "url": here,
        "kind": "reminder",
        "status": "unread",
        "title": "Water the plants",
        "text": "Due at 11:30.",
        "task": {"id": str(task_id), "url": f"http://testserver/api/v1/tasks/{task_id}/"},
        "reminder": str(reminder_id),
        "urgent": False,
        "quiet": False,
        "in_inbox": True,
        "due_at": "2026-05-04T09:00:00Z",
        "due_on": None,
        "about_at": "2026-05-04T09:00:00Z",
        "late_seconds": 0.25,
        "created_at": "2026-05-04T09:00:00Z",
        "updated_at": "2026-05-04T09:00:00Z",
        "read_at": None,
        "snoozed_until": None,
        "because": None,
        "delivery": "failed",
        "deliveries": [
            {
                "id": str(mail.pk),
                "transport": "email",
                "destination": "ada@example.org",
                "status": "failed",
                "attempts": 8,
                "send_at": "2026-05-04T09:00:00Z",
                "finished_at": "2026-05-04T09:01:00Z",
                "error": "550 no such person",
                "because": None,
            }
        ],
        "version": 1,
        "links": {
            "why": f"{here}why/",
            "snooze": f"{here}snooze/",
            "task": f"http://testserver/api/v1/tasks/{task_id}/",
            "reminder": f"http://testserver/api/v1/reminders/{reminder_id}/",
        },
    }


def test_the_list_is_the_newest_first_and_leads_to_the_next_page(api, ada):
    for number in range(3):
        notification(ada, title=f"No. {number}")

    first = api.get(NOTIFICATIONS, {"page_size": 2}).json()
    second = api.get(first["next"]).json()

    assert [one["title"] for one in first["results"]] == ["No. 2", "No. 1"]
    assert [one["title"] for one in second["results"]] == ["No. 0"]
    assert second["next"] is None


def test_a_page_has_at_most_100(api):
    response = api.get(NOTIFICATIONS, {"page_size": 101})

    assert response.status_code == 400
    assert response.json()["errors"][0]["detail"] == "A page has 1 to 100 entries."


# --- narrowing --------------------------------------------------------------------------------------


@pytest.fixture
def five(ada):
    """One of each way that a notification may have gone, by its title."""
    for title, statuses in {
        "sent": ["delivered", "held", "dropped"],
        "waiting": ["delivered", "waiting", "held"],
        "collecting": ["collecting"],
        "held": ["held", "dropped"],
        "failed": ["failed", "held", "waiting", "delivered"],
        "not needed": ["dropped"],
    }.items():
        one = notification(ada, title=title)
        for status in statuses:
            delivery(one, status=status)
    notification(ada, title="inbox alone", status="read")
    notification(ada, title="nowhere", status="done", in_inbox=False)
    delivery(notification(ada, title="dropped", in_inbox=False, status="snoozed"), status="dropped")


@pytest.mark.parametrize(
    ("went", "expected"),
    [
        ("sent", ["inbox alone", "sent"]),
        ("waiting", ["collecting", "waiting"]),
        ("held", ["held"]),
        ("failed", ["failed"]),
        ("dropped", ["dropped", "not needed"]),
    ],
)
def test_notifications_are_found_by_how_they_went_as_they_tell_it(api, five, went, expected):
    found = api.get(NOTIFICATIONS, {"delivery": went}).json()["results"]

    assert [one["title"] for one in found] == expected
    assert {one["delivery"] for one in found} == {went}
    assert titles(api, status=went) == expected


def test_what_had_nowhere_to_go_tells_so(api, five):
    found = api.get(NOTIFICATIONS, {"in_inbox": "false"}).json()["results"]

    assert {one["title"]: one["delivery"] for one in found} == {"nowhere": None, "dropped": "dropped"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("unread", ["not needed", "failed", "held", "collecting", "waiting", "sent"]),
        ("read", ["inbox alone"]),
        ("snoozed", ["dropped"]),
        ("done", ["nowhere"]),
        (["read", "done"], ["nowhere", "inbox alone"]),
        (["read", "failed"], ["inbox alone", "failed"]),
    ],
)
def test_notifications_are_found_by_their_status(api, five, status, expected):
    assert titles(api, status=status) == expected


def test_both_ways_of_narrowing_go_together(api, five):
    assert titles(api, status="unread", delivery="sent") == ["sent"]
    assert titles(api, status="read", delivery="failed") == []


def test_notifications_are_found_by_task_reminder_kind_and_inbox(api, ada):
    task_id, reminder_id = uuid4(), uuid4()
    notification(ada, title="other", in_inbox=False)
    notification(ada, title="of task", task_id=task_id, kind="overdue")
    notification(ada, title="of reminder", reminder_id=reminder_id, task_id=uuid4())

    assert titles(api, task=task_id) == ["of task"]
    assert titles(api, reminder=reminder_id) == ["of reminder"]
    assert titles(api, kind="overdue") == ["of task"]
    assert titles(api, kind=["overdue", "reminder"]) == ["of reminder", "of task", "other"]
    assert titles(api, in_inbox="true") == ["of reminder", "of task"]
    assert titles(api, in_inbox="false") == ["other"]


@pytest.mark.parametrize(
    "asked", [{"status": "lost"}, {"delivery": "unread"}, {"task": "1"}, {"kind": "x"}, {"x": "1"}]
)
def test_a_filter_that_is_none_is_refused_by_its_name(api, asked):
    response = api.get(NOTIFICATIONS, asked)

    assert response.status_code == 400
    assert {one.get("parameter") or one["field"] for one in response.json()["errors"]} == set(asked)


# --- counting ---------------------------------------------------------------------------------------


def test_what_is_unread_in_the_inbox_is_counted(api, ada, eve):
    for status, in_inbox in [("unread", True), ("unread", True), ("unread", False), ("read", True), ("done", True)]:
        notification(ada, status=status, in_inbox=in_inbox)
    notification(eve)

    assert api.get(f"{NOTIFICATIONS}unread-count/").json() == {"unread": 2, "is_all": True}


def test_the_list_of_what_is_unread_is_what_is_counted_and_without_a_filter_the_inbox_is_listed(api, ada):
    notification(ada, title="In the inbox")
    notification(ada, title="Digest", kind="digest", in_inbox=False)

    assert titles(api) == titles(api, status="unread") == ["In the inbox"]
    assert titles(api, in_inbox="false") == titles(api, kind="digest") == ["Digest"]
    assert titles(api, in_inbox="false", status="unread") == []
    assert api.get(f"{NOTIFICATIONS}unread-count/").json()["unread"] == 1


def test_a_count_that_was_not_counted_to_its_end_says_so(api, ada, monkeypatch):
    monkeypatch.setattr("apps.notifications.selectors.inbox.MOST_COUNTED", 2)
    for _ in range(3):
        notification(ada)

    assert api.get(f"{NOTIFICATIONS}unread-count/").json() == {"unread": 2, "is_all": False}


# --- doing ------------------------------------------------------------------------------------------


def types():
    return list(facts().values_list("type", flat=True))


@pytest.fixture
def task(ada):
    return services.create_task(
        owner=ada, actor=ada, now=MONDAY, title="Water the plants", due_at=MONDAY + 60 * MINUTE, reminders=[]
    )


def test_a_notification_is_read_and_unread(api, ada):
    here = f"{NOTIFICATIONS}{notification(ada).pk}/"

    read = api.post(f"{here}read/")
    unread = api.post(f"{here}unread/")

    assert (read.status_code, read.json()["status"], read["ETag"]) == (200, "read", '"2"')
    assert read.json()["read_at"] == "2026-05-04T09:00:00Z"
    assert (unread.json()["status"], unread.json()["read_at"], unread["ETag"]) == ("unread", None, '"3"')
    assert types() == ["notification.created.v1", "notification.updated.v1", "notification.updated.v1"]


def test_reading_what_is_read_changes_nothing(api, ada):
    one = notification(ada, status="read")

    assert api.post(f"{NOTIFICATIONS}{one.pk}/read/").status_code == 200
    assert types() == ["notification.created.v1"]


def test_all_of_ones_own_are_read_at_once(api, ada, eve):
    for _ in range(2):
        notification(ada)
    theirs = notification(eve)

    assert api.post(f"{NOTIFICATIONS}read-all/").json() == {"read": 2}
    assert api.get(f"{NOTIFICATIONS}unread-count/").json()["unread"] == 0
    theirs.refresh_from_db()
    assert theirs.status == "unread"


def test_what_is_snoozed_tells_until_when(api, ada, task):
    one = notification(ada, task_id=task.pk)

    told = api.post(f"{NOTIFICATIONS}{one.pk}/snooze/", {"until": "PT15M"}).json()

    assert (told["status"], told["snoozed_until"]) == ("snoozed", "2026-05-04T09:15:00Z")
    (again,) = api.get(f"/api/v1/tasks/{task.pk}/reminders/").json()["results"]
    assert (again["status"], again["origin"], again["trigger_at"]) == ("snoozed", "snooze", "2026-05-04T09:15:00Z")


@pytest.mark.parametrize(
    ("asked", "status"), [({}, 400), ({"until": "soon"}, 400), ({"until": "2026-05-04T08:00:00Z"}, 400)]
)
def test_a_snooze_to_no_time_is_refused_by_its_field(api, ada, task, asked, status):
    one = notification(ada, task_id=task.pk)
    before = types()

    response = api.post(f"{NOTIFICATIONS}{one.pk}/snooze/", asked)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (status, "until")
    assert types() == before


def test_what_is_of_no_task_cannot_be_snoozed(api, ada):
    one = notification(ada, kind="digest")

    response = api.post(f"{NOTIFICATIONS}{one.pk}/snooze/", {"until": "PT15M"})

    assert response.status_code == 409
    assert types() == ["notification.created.v1"]


def test_what_failed_is_tried_again_and_the_rest_let_alone(api, ada):
    one = notification(ada)
    failed, done = delivery(one, status="failed", attempts=8), delivery(one, status="delivered", transport="webhook")

    response = api.post(f"{NOTIFICATIONS}{one.pk}/retry/")

    failed.refresh_from_db()
    done.refresh_from_db()
    assert (response.status_code, response.json()["delivery"]) == (200, "waiting")
    assert (failed.status, failed.attempts, done.status) == ("waiting", 0, "delivered")


def test_where_nothing_failed_nothing_is_tried_again(api, ada):
    one = notification(ada)
    done = delivery(one, status="delivered")

    response = api.post(f"{NOTIFICATIONS}{one.pk}/retry/")

    done.refresh_from_db()
    assert (response.status_code, response.json()["detail"]) == (409, "Nothing of it has failed to go out.")
    assert done.status == "delivered"


@pytest.mark.parametrize("verb", ["read", "unread", "snooze", "retry"])
def test_who_has_seen_an_older_version_changes_nothing(api, ada, task, verb):
    one = notification(ada, task_id=task.pk)
    delivery(one, status="failed")
    api.post(f"{NOTIFICATIONS}{one.pk}/read/")
    before = types()

    response = api.post(f"{NOTIFICATIONS}{one.pk}/{verb}/", {"until": "PT5M"}, headers={"If-Match": '"1"'})

    assert (response.status_code, response.json()["current"]["version"]) == (412, 2)
    assert types() == before


@pytest.mark.parametrize("verb", ["{}/read", "{}/snooze", "read-all"])
def test_trying_it_tells_what_would_be(api, ada, task, verb):
    one = notification(ada, task_id=task.pk)
    before = types()
    address = f"{NOTIFICATIONS}{verb.format(one.pk)}/?dry_run=true"

    told = api.post(address, {"until": "PT5M"} if "snooze" in verb else None).json()

    assert "notification.updated.v1" in [each["type"] for each in told["events"]]
    assert types() == before


def test_a_snooze_with_its_key_is_one(api, ada, task):
    one = notification(ada, task_id=task.pk)
    key = {"Idempotency-Key": str(uuid4())}

    first, second = (api.post(f"{NOTIFICATIONS}{one.pk}/snooze/", {"until": "PT15M"}, headers=key) for _ in range(2))

    assert first.json() == second.json()
    assert types().count("reminder.snoozed.v1") == 1
