"""What happened, in a person's words."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import words
from apps.audit.words import Change
from apps.events import event_types

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
HOME, WORK = {"id": "1", "name": "Home"}, {"id": "2", "name": "Work"}
DAILY = {"rule": "FREQ=DAILY", "from": "schedule", "month_end": "clamp", "catch_up": "latest"}


def task(**fields):
    plain = {"title": "Buy milk", "description": "", "status": "pending", "priority": "none", "due_at": None}
    return plain | {"due_on": None, "due_time_zone": None, "tags": [], "list": None, "parent": None} | fields


def told(type, data, *, actor="Ada", **more):
    return words.sentence(type, data, actor=actor, **{"zone": LONDON, "now": NOW} | more)


def updated(*, now=None, zone=LONDON, **changed):
    """The sentence of an update of these fields, each `(before, after)`."""
    pairs = {field: {"before": before, "after": after} for field, (before, after) in changed.items()}
    after = task(**{field: after for field, (_, after) in changed.items()})
    return told("task.updated.v1", {"task": after, "changes": pairs}, zone=zone, now=now or NOW)


def moved(before, after, **rest):
    changes = {"status": {"before": before, "after": after}} | rest
    return {"task": task(status=after), "changes": changes}


# --- a new task ---


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Ada created it"),
        ({"list": HOME, "due_on": "2026-05-03"}, "Ada created it in Home, due 3 May"),
        ({"due_on": "2027-05-03"}, "Ada created it, due 3 May 2027"),
        ({"due_at": "2026-05-03T08:00:00Z"}, "Ada created it, due 3 May at 09:00"),
        (
            {"due_at": "2026-05-03T13:00:00Z", "due_time_zone": "America/New_York"},
            "Ada created it, due 3 May at 09:00 (America/New_York)",
        ),
        (
            {"due_at": "2026-05-03T08:00:00Z", "due_time_zone": "Europe/London"},
            "Ada created it, due 3 May at 09:00",
        ),
        (
            {"priority": "urgent", "tags": [{"id": "1", "name": "home"}, {"id": "2", "name": "shop"}]},
            "Ada created it, urgent, tagged home and shop",
        ),
        ({"priority": "low", "parent": "7"}, "Ada created it, low priority, as a part of another task"),
        ({"due_on": "2026-05-03", "recurrence": DAILY}, "Ada created it, due 3 May, repeating every day"),
    ],
)
def test_a_new_task_is_told_with_what_it_was_given(fields, sentence):
    assert told("task.created.v1", {"task": task(**fields)}) == sentence


# --- due ---


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"due_on": ("2026-05-03", "2026-05-05")}, "Ada moved due from 3 to 5 May"),
        ({"due_on": ("2027-05-03", "2027-05-05")}, "Ada moved due from 3 to 5 May 2027"),
        ({"due_on": ("2026-05-03", "2026-06-05")}, "Ada moved due from 3 May to 5 June"),
        ({"due_on": ("2026-05-03", "2027-05-03")}, "Ada moved due from 3 May to 3 May 2027"),
        ({"due_on": (None, "2026-05-05")}, "Ada set due to 5 May"),
        ({"due_on": ("2026-05-03", None)}, "Ada took the due date away"),
        (
            {"due_at": ("2026-05-03T08:00:00Z", "2026-05-05T09:30:00Z")},
            "Ada moved due from 3 May at 09:00 to 5 May at 10:30",
        ),
        ({"due_at": ("2026-05-03T08:00:00Z", "2026-05-03T09:30:15Z")}, "Ada moved due from 09:00 to 10:30:15 on 3 May"),
        (
            {"due_at": ("2026-05-03T08:00:00Z", None), "due_on": (None, "2026-05-05")},
            "Ada moved due from 3 May at 09:00 to 5 May",
        ),
        (
            {"due_at": ("2026-05-03T08:00:00Z", None), "due_time_zone": ("Asia/Tokyo", None)},
            "Ada took the due date away",
        ),
        (
            {
                "due_time_zone": (None, "Asia/Tokyo"),
                "due_at": ("2026-05-03T08:00:00Z", "2026-05-03T08:00:00Z"),
            },
            "Ada moved due from 3 May at 09:00 to 3 May at 17:00 (Asia/Tokyo)",
        ),
    ],
)
def test_a_due_that_moved_is_told_as_days_and_hours(changed, sentence):
    assert updated(**changed) == sentence


def test_days_are_those_of_the_readers_zone():
    late = {"due_at": (None, "2026-05-03T23:30:00Z")}

    assert updated(**late, zone=ZoneInfo("UTC")) == "Ada set due to 3 May at 23:30"
    assert updated(**late, zone=LONDON) == "Ada set due to 4 May at 00:30"


def test_this_year_is_the_readers():
    new_year = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    changed = {"due_on": (None, "2027-01-02")}

    assert updated(**changed, now=new_year, zone=ZoneInfo("UTC")) == "Ada set due to 2 January 2027"
    assert updated(**changed, now=new_year, zone=ZoneInfo("Asia/Tokyo")) == "Ada set due to 2 January"


# --- the other fields ---


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"title": ("Milk", "Buy milk")}, "Ada changed the title from “Milk” to “Buy milk”"),
        ({"description": ("", "Two litres\n of it")}, "Ada described it: “Two litres of it”"),
        ({"description": ("a", "b")}, "Ada changed the description"),
        ({"description": ("a", "")}, "Ada took the description away"),
        ({"status": ("pending", "in_progress")}, "Ada started it"),
        ({"status": ("in_progress", "pending")}, "Ada put it back to pending"),
        ({"priority": ("none", "urgent")}, "Ada marked it urgent"),
        ({"priority": ("none", "high")}, "Ada marked it high priority"),
        ({"priority": ("high", "none")}, "Ada took the priority away"),
        ({"tags": ([], ["home"])}, "Ada added the tag home"),
        ({"tags": (["shop"], ["home"])}, "Ada added the tag home and removed shop"),
        ({"tags": (["a", "b"], [])}, "Ada removed the tags a and b"),
        ({"tags": ([], list("abcdefg"))}, "Ada added the tags a, b, c, d, e and 2 more"),
        ({"list": (None, HOME)}, "Ada put it in Home"),
        ({"list": (HOME, WORK)}, "Ada moved it from Home to Work"),
        ({"list": (HOME, None)}, "Ada took it out of Home"),
        ({"parent": (None, "7")}, "Ada made it a part of another task"),
        ({"parent": ("7", "8")}, "Ada moved it to another parent task"),
        ({"parent": ("7", None)}, "Ada made it a task of its own"),
        ({"position": ("1", "2")}, "Ada moved it among the others"),
        ({"recurrence": (None, DAILY), "series_id": (None, "9")}, "Ada made it repeat every day"),
        ({"recurrence": (DAILY, None)}, "Ada stopped it repeating"),
        (
            {"recurrence": (DAILY, DAILY | {"rule": "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH"})},
            "Ada changed how it repeats, from every day to every 2 weeks on Monday and Thursday",
        ),
        (
            {"recurrence": (DAILY, DAILY | {"catch_up": "all", "from": "completion"})},
            "Ada changed how it repeats: what it counts from and catching up",
        ),
        (
            {"recurrence": (DAILY | {"exdates": ["20260504"]}, DAILY | {"rdates": ["20260505"]})},
            "Ada changed how it repeats: the dates left out and the dates put in",
        ),
        (
            {"recurrence": (None, DAILY | {"from": "completion"})},
            "Ada made it repeat 1 day after it is completed",
        ),
        ({"reminders": (None, [])}, "Ada took all reminders away"),
        ({"reminders": ([], None)}, "Ada went back to the usual reminder"),
        ({"reminders": (None, [{"id": "1", "before_due": "PT30M"}])}, "Ada set the reminder to 30 minutes before due"),
        (
            {
                "reminders": (
                    [],
                    [{"id": "1", "before_due": "P1DT2H"}, {"id": "2", "trigger_at": "2026-05-03T08:00:00Z"}],
                )
            },
            "Ada set the reminders to 1 day and 2 hours before due and 3 May at 09:00",
        ),
        ({"colour": ("red", "blue")}, "Ada changed colour"),
        ({"estimated_cost": (1, 2)}, "Ada changed estimated cost"),
    ],
)
def test_a_changed_field_has_its_words(changed, sentence):
    assert updated(**changed) == sentence


def test_several_changes_make_one_sentence():
    changed = {
        "title": ("Milk", "Buy milk"),
        "due_at": ("2026-05-03T08:00:00Z", None),
        "priority": ("none", "urgent"),
        "due_on": (None, "2026-05-05"),
    }

    assert updated(**changed) == (
        "Ada changed the title from “Milk” to “Buy milk”, marked it urgent and moved due from 3 May at 09:00 to 5 May"
    )


def test_a_long_text_is_shortened():
    sentence = updated(title=("a" * 60, "b" * 61))

    assert sentence == f"Ada changed the title from “{'a' * 60}” to “{'b' * 59}…”"


# --- verbs ---


@pytest.mark.parametrize(
    ("type", "data", "sentence"),
    [
        ("task.completed.v1", moved("pending", "completed"), "Ada completed it"),
        ("task.reopened.v1", moved("completed", "pending"), "Ada reopened it"),
        ("task.deleted.v1", moved("pending", "deleted"), "Ada deleted it"),
        (
            "task.deleted.v1",
            moved("pending", "deleted", list={"before": HOME, "after": None}),
            "Ada deleted it and took it out of Home",
        ),
        ("task.restored.v1", moved("deleted", "pending"), "Ada restored it"),
        ("task.purged.v1", {"task": task()}, "Ada purged it"),
        ("list.created.v1", {"list": {"name": "Home", "position": "1"}}, "Ada created the list Home"),
        (
            "list.updated.v1",
            {
                "list": {"name": "House", "position": "1"},
                "changes": {
                    "name": {"before": "Home", "after": "House"},
                    "position": {"before": "1", "after": "2"},
                    "colour": {"before": "1", "after": "2"},
                },
            },
            (
                "Ada renamed the list Home to House, moved the list House among the others"
                " and changed colour of the list House"
            ),
        ),
        ("list.deleted.v1", {"list": {"name": "Home", "position": "1"}}, "Ada deleted the list Home"),
        ("tag.created.v1", {"tag": {"name": "home"}}, "Ada created the tag home"),
        (
            "tag.updated.v1",
            {"tag": {"name": "b"}, "changes": {"name": {"before": "a", "after": "b"}}},
            "Ada renamed the tag a to b",
        ),
        ("tag.deleted.v1", {"tag": {"name": "home"}}, "Ada deleted the tag home"),
        (
            "account.time_zone_changed.v1",
            {"time_zone": {"before": "UTC", "after": "Asia/Tokyo"}},
            "Ada changed the time zone from UTC to Asia/Tokyo",
        ),
        ("account.erased.v1", {}, "Ada erased what the platform knew of this person"),
    ],
)
def test_a_verb_has_its_words(type, data, sentence):
    assert told(type, data) == sentence


def test_what_nobody_did_the_platform_did():
    assert told("task.purged.v1", {"task": task()}, actor=None) == "The platform purged it"


@pytest.mark.parametrize(
    ("type", "cause", "sentence"),
    [
        ("task.completed.v1", "task.completed.v1", "Ada completed it with the task it is part of"),
        ("task.deleted.v1", "task.deleted.v1", "Ada deleted it with the task it is part of"),
        ("task.restored.v1", "task.restored.v1", "Ada restored it with the task it is part of"),
        ("task.deleted.v1", "list.deleted.v1", "Ada deleted it, as its list was deleted"),
        ("task.completed.v1", "task.created.v1", "Ada completed it"),
        ("task.completed.v1", "recurrence.ended.v1", "Ada completed it"),
        ("task.completed.v1", None, "Ada completed it"),
    ],
)
def test_what_led_to_it_is_told(type, cause, sentence):
    assert told(type, moved("pending", "x"), cause=cause) == sentence


def test_where_it_would_leave_open_which_the_title_comes_first():
    assert told("task.completed.v1", moved("pending", "completed"), naming=True) == "“Buy milk”: Ada completed it"
    assert told("tag.created.v1", {"tag": {"name": "a"}}, naming=True) == "Ada created the tag a"


# --- what has no words ---


@pytest.mark.parametrize(
    ("type", "sentence"),
    [
        ("budget.triggered.v1", "The platform triggered the budget"),
        ("recurrence.skipped.v2", "The platform skipped the recurrence"),
        ("account.picture_changed.v1", "The platform is told of “account picture changed”"),
    ],
)
def test_an_unknown_type_is_told_by_its_name(type, sentence):
    assert told(type, {"x": 1}, actor=None) == sentence


def test_an_unknown_type_tells_what_changed():
    data = {"changes": {"trigger_at": {"before": 1, "after": 2}}}

    assert told("budget.rescheduled.v1", data) == "Ada rescheduled the budget and changed trigger at"


def test_erased_data_is_told_as_erased():
    assert told("task.updated.v1", None) == "Ada changed it (what it held has been erased)"
    assert told("task.completed.v1", None, cause="task.completed.v1") == (
        "Ada completed it with the task it is part of (what it held has been erased)"
    )
    assert told("reminder.sent.v1", None) == "Ada sent the reminder (what it held has been erased)"


def test_a_record_nobody_could_read_says_why():
    assert told("unreadable", {"because": "no JSON", "key": None}, actor=None) == (
        "A record came that nobody could read: no JSON"
    )
    assert told("unreadable", None, actor=None) == "A record came that nobody could read"


def test_every_type_that_is_audited_has_a_phrase():
    facts = {one.name.rpartition(".")[0] for one in event_types.declared() if not one.snapshot}

    assert "task.created" in facts
    assert facts - set(words.PHRASES) == set()


odd = st.sampled_from([None, True, 0, 10**30, "", "x", "2026-05-03", "9999-12-31T23:59:59Z", "PT1H", "FREQ=DAILY"])
odder = odd | st.lists(odd, max_size=2) | st.dictionaries(st.sampled_from(["name", "rule", "id", "from"]), odd)
field = st.sampled_from(["due_at", "due_on", "due_time_zone", "tags", "list", "recurrence", "reminders", "title"])
change = st.fixed_dictionaries({"before": odder, "after": odder}) | odder


@given(
    type=st.sampled_from([f"{name}.v1" for name in words.PHRASES] + ["x.y.v1", "unreadable", "", ".v1"]),
    thing=st.dictionaries(field, odder) | odder,
    changed=st.dictionaries(field, change) | odder,
    time_zone=change,
)
def test_whatever_an_event_holds_there_is_a_sentence(type, thing, changed, time_zone):
    data = {"task": thing, "list": thing, "time_zone": time_zone, "changes": changed}

    assert words.sentence(type, data, actor="Ada", zone=LONDON, now=NOW, naming=True)
    words.changes(data)


# --- changes ---


def test_changes_are_told_field_by_field():
    data = moved("pending", "deleted", list={"before": HOME, "after": None})

    assert words.changes(data) == [Change("status", "pending", "deleted"), Change("list", HOME, None)]


def test_a_change_of_time_zone_is_a_change():
    assert words.changes({"time_zone": {"before": "UTC", "after": "Asia/Tokyo"}}) == [
        Change("time_zone", "UTC", "Asia/Tokyo")
    ]


@pytest.mark.parametrize("data", [None, {}, {"task": task()}, {"changes": None}, {"changes": {"title": "x"}}])
def test_what_changed_nothing_has_no_changes(data):
    assert words.changes(data) == []
