"""What became of reminders and what people were told, in a person's words."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import words

LONDON = ZoneInfo("Europe/London")
NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
REMINDER = {
    "task_id": "1",
    "origin": "default",
    "before_due": "PT30M",
    "planned_for": "2026-05-03T07:30:00Z",
    "trigger_at": "2026-05-03T07:30:00Z",
    "status": "planned",
}
TASK = {"title": "Pay rent", "priority": "none", "due_at": "2026-05-03T08:00:00Z", "due_on": None, "due_time_zone": ""}
NOTIFICATION = {
    "kind": "reminder",
    "title": "Pay rent",
    "text": "Due at 09:00",
    "task_id": "1",
    "reminder_id": "2",
    "urgent": False,
    "quiet": False,
    "in_inbox": True,
    "status": "unread",
    "due_at": "2026-05-03T08:00:00Z",
    "due_on": None,
    "about_at": "2026-05-03T07:30:00Z",
    "late_seconds": 0,
    "read_at": None,
    "snoozed_until": None,
}


def told(type, *, actor=None, zone=LONDON, **data):
    return words.sentence(type, data, actor=actor, zone=zone, now=NOW, naming=True)


def of_reminder(verb, *, actor=None, zone=LONDON, reminder=None, **data):
    return told(f"reminder.{verb}.v1", actor=actor, zone=zone, reminder=REMINDER | (reminder or {}), **data)


def of_notification(verb, *, actor=None, notification=None, **data):
    return told(f"notification.{verb}.v1", actor=actor, notification=NOTIFICATION | (notification or {}), **data)


@pytest.mark.parametrize(
    ("reminder", "zone", "sentence"),
    [
        ({}, LONDON, "planned a reminder for 3 May at 08:30, 30 minutes before due"),
        ({}, NEW_YORK, "planned a reminder for 3 May at 03:30, 30 minutes before due"),
        ({"before_due": None}, LONDON, "planned a reminder for 3 May at 08:30"),
        ({"before_due": "PT0S"}, LONDON, "planned a reminder for 3 May at 08:30, when due"),
        (
            {"before_due": None, "trigger_at": "2027-05-03T07:30:00Z"},
            LONDON,
            "planned a reminder for 3 May 2027 at 08:30",
        ),
    ],
)
def test_a_planned_reminder_is_told_by_the_readers_clock(reminder, zone, sentence):
    assert of_reminder("scheduled", reminder=reminder, zone=zone) == f"The platform {sentence}"


@pytest.mark.parametrize(
    ("because", "reason"),
    [
        ("task", ", as the task changed"),
        ("default", ", as the owner's default changed"),
        ("time_zone", ", as the owner's clock moved to another zone"),
        ("reopened", ", as the task was reopened"),
        ("of tomorrow", ""),
    ],
)
def test_a_moved_reminder_is_told_from_when_to_when_and_why(because, reason):
    sentence = of_reminder("rescheduled", before="2026-05-03T07:30:00Z", after="2026-05-04T08:00:00Z", because=because)

    assert sentence == f"The platform moved the reminder from 3 May at 08:30 to 4 May at 09:00{reason}"


def test_a_reminder_that_did_not_wait_any_more_is_told_with_its_new_time():
    sentence = of_reminder("rescheduled", before=None, after="2026-05-04T08:00:00Z", because="reopened")

    assert sentence == "The platform planned the reminder again for 4 May at 09:00, as the task was reopened"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"reminders": {"before": None, "after": []}}, ", as was asked"),
        ({"due_at": {"before": None, "after": None}}, ", as the task changed"),
        ({"reminders": {"before": None, "after": []}, "due_at": {"before": 1, "after": 2}}, ", as the task changed"),
    ],
)
def test_what_led_to_it_names_the_task_and_tells_whether_the_reminder_itself_was_moved(changes, reason):
    data = {"reminder": REMINDER, "before": "2026-05-03T07:30:00Z", "after": "2026-05-04T08:00:00Z", "because": "task"}
    led = {"task": TASK, "changes": changes}

    sentence = words.sentence(
        "reminder.rescheduled.v1",
        data,
        actor="Ada",
        zone=LONDON,
        now=NOW,
        cause="task.updated.v1",
        led=led,
        naming=True,
    )

    assert sentence == f"“Pay rent”: Ada moved the reminder from 3 May at 08:30 to 4 May at 09:00{reason}"


@pytest.mark.parametrize(
    ("because", "reason"),
    [
        ("completed", ", with the completion of the task"),
        ("deleted", ", as the task was deleted"),
        ("removed", ", as it was no longer wanted"),
        ("no_due", ", as the task has no due any more"),
        ("default", ", as the owner's default changed"),
        ("due_moved", ", as due was moved"),
        ("erased", ", as its owner was erased"),
        ("purged", ", as the task was purged"),
        ("of tomorrow", ""),
    ],
)
def test_a_cancelled_reminder_is_told_with_the_reason(because, reason):
    assert of_reminder("cancelled", because=because) == f"The platform cancelled the reminder of 3 May at 08:30{reason}"


@pytest.mark.parametrize(
    ("late_seconds", "number", "more"),
    [
        (0.4, 1, ""),
        (59.9, 1, ""),
        (60, 1, ", 1 minute late"),
        (3 * 3600 + 125, 1, ", 3 hours and 2 minutes late"),
        (2 * 86_400 + 3 * 3600 + 61, 1, ", 2 days and 3 hours late"),
        (0, 2, " for the 2nd time"),
    ],
)
def test_a_triggered_reminder_names_the_task_and_how_late_it_was(late_seconds, number, more):
    sentence = of_reminder("triggered", task=TASK, late_seconds=late_seconds, number=number)

    assert sentence == f"“Pay rent”: The platform triggered the reminder of 3 May at 08:30{more}"


def test_a_snoozed_reminder_is_told_from_when_to_when():
    sentence = of_reminder(
        "snoozed", actor="Ada", before="2026-05-03T07:30:00Z", after="2026-05-03T07:45:00Z", notification_id=None
    )

    assert sentence == "Ada snoozed the reminder from 3 May at 08:30 to 3 May at 08:45"


def test_a_stale_reminder_is_told_with_its_lateness_and_the_limit():
    assert of_reminder("stale", late_seconds=26 * 3600, limit_seconds=24 * 3600) == (
        "The platform let the reminder of 3 May at 08:30 go, as it was 1 day and 2 hours late and 1 day is the limit"
    )


@pytest.mark.parametrize(
    ("transport", "attempts", "sentence"),
    [
        ("in_app", 1, "in the inbox"),
        ("email", 1, "by e-mail"),
        ("email", 3, "by e-mail, at the 3rd attempt"),
        ("push", 1, "by Web Push"),
        ("webhook", 2, "by webhook, at the 2nd attempt"),
        ("pigeon", 1, "by pigeon"),
    ],
)
def test_a_delivered_reminder_is_told_with_how_it_went(transport, attempts, sentence):
    assert of_reminder("delivered", transport=transport, attempts=attempts) == (
        f"The platform delivered the reminder of 3 May at 08:30 {sentence}"
    )


def test_a_failed_reminder_is_told_with_the_attempts_and_the_error():
    assert of_reminder("failed", transport="email", attempts=8, error="550 no such mailbox") == (
        "The platform could not deliver the reminder of 3 May at 08:30 by e-mail in 8 attempts: 550 no such mailbox"
    )
    assert of_reminder("failed", transport="webhook", attempts=1, error="") == (
        "The platform could not deliver the reminder of 3 May at 08:30 by webhook in 1 attempt"
    )
    assert of_reminder("failed", transport="email", attempts=0, error="no e-mail address") == (
        "The platform could not deliver the reminder of 3 May at 08:30 by e-mail: no e-mail address"
    )


@pytest.mark.parametrize(
    ("notification", "sentence"),
    [
        ({}, "reminded of “Pay rent”"),
        ({"late_seconds": 7200}, "reminded of “Pay rent”, 2 hours late"),
        ({"quiet": True}, "reminded of “Pay rent”, in quiet hours"),
        ({"kind": "overdue"}, "told that “Pay rent” is overdue"),
        ({"kind": "digest", "title": "3 tasks today"}, "gave the digest “3 tasks today”"),
        ({"kind": "notice", "title": "A webhook was switched off"}, "gave notice: “A webhook was switched off”"),
        ({"kind": "of tomorrow"}, "told of “Pay rent”"),
    ],
)
def test_what_a_person_is_told_is_named_once(notification, sentence):
    assert of_notification("created", notification=notification) == f"The platform {sentence}"


@pytest.mark.parametrize(
    ("change", "notification", "sentence"),
    [
        ("read", {}, "marked the notification of “Pay rent” as read"),
        ("unread", {}, "marked the notification of “Pay rent” as unread"),
        ("snoozed", {}, "snoozed the notification of “Pay rent”"),
        (
            "snoozed",
            {"snoozed_until": "2026-05-03T08:00:00Z"},
            "snoozed the notification of “Pay rent” until 3 May at 09:00",
        ),
        ("done", {}, "closed the notification of “Pay rent”, as there is nothing left to do"),
        ("retold", {}, "heard of “Pay rent” again, and told it once"),
        ("of tomorrow", {}, "changed the notification of “Pay rent”"),
    ],
)
def test_what_becomes_of_a_notification_is_told(change, notification, sentence):
    assert of_notification("updated", actor="Ada", notification=notification, change=change, changes={}) == (
        f"Ada {sentence}"
    )


def test_a_title_with_braces_is_told_as_it_is():
    assert of_notification("created", notification={"title": "{0} {title}"}) == (
        "The platform reminded of “{0} {title}”"
    )


@pytest.mark.parametrize(
    ("type", "sentence"),
    [
        ("reminder.scheduled.v1", "planned a reminder"),
        ("reminder.rescheduled.v1", "moved the reminder"),
        ("reminder.cancelled.v1", "cancelled the reminder"),
        ("reminder.triggered.v1", "triggered the reminder"),
        ("reminder.snoozed.v1", "snoozed the reminder"),
        ("reminder.stale.v1", "let the reminder go, as it was too late"),
        ("reminder.delivered.v1", "delivered the reminder"),
        ("reminder.failed.v1", "could not deliver the reminder"),
        ("notification.created.v1", "told of something"),
        ("notification.updated.v1", "changed the notification"),
    ],
)
def test_of_what_was_erased_the_sentence_says_what_happened_and_no_more(type, sentence):
    assert words.sentence(type, None, actor=None, zone=LONDON, now=NOW) == (
        f"The platform {sentence} (what it held has been erased)"
    )


odd = st.sampled_from([None, True, 0, -1, 10**30, "", "x", "2026-05-03", "9999-12-31T23:59:59Z", "PT1H"])
odder = odd | st.lists(odd, max_size=2) | st.dictionaries(st.sampled_from([*REMINDER, *NOTIFICATION]), odd)


@given(
    st.sampled_from([name for name in words.PHRASES if name.startswith(("reminder.", "notification."))]),
    st.dictionaries(
        st.sampled_from(["reminder", "notification", "task", "before", "after", "because", "late_seconds", "number"]),
        odder,
    ),
)
def test_whatever_an_event_holds_there_is_a_sentence(name, data):
    assert words.sentence(f"{name}.v1", data, actor=None, zone=LONDON, now=NOW, naming=True) != ""
