"""What the fields of a task may hold, alone and together, and how events tell of them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from apps.tasks import services
from apps.tasks.exceptions import InvalidTask, ListNotFound, TooMany
from apps.tasks.models import Tag, Task
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db

SOON = NOW + timedelta(days=2)


@pytest.fixture
def owner():
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture
def task(owner):
    return task_of(owner)


def change(task, **changes):
    return services.update_task(task_id=task.pk, actor=task.owner, changes=changes, now=NOW)


def last_changes():
    return facts().last().data["changes"]


def refused(task, field, words, **changes):
    before, events = Task.objects.values().get(pk=task.pk), facts().count()
    with pytest.raises(InvalidTask, match=words) as refusal:
        change(task, **changes)
    assert refusal.value.field == field
    assert (Task.objects.values().get(pk=task.pk), facts().count()) == (before, events)


# --- titles -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("\u200b\u200d", "at least one character that can be seen"),
        ("two\nlines", "is one line"),
        ("tab\there", "is one line"),
        ("line\u2028separator", "is one line"),
        ("turned \u202e round", "turn the direction"),
        ("isolated \u2066 text", "turn the direction"),
        ("half \ud800", "surrogate"),
        ("nul \0", "NUL"),
        ("x" * 501, "at most 500"),
    ],
)
def test_a_title_that_would_mislead_is_refused(task, title, words):
    refused(task, "title", words, title=title)


@pytest.mark.parametrize("title", ["👨‍👩‍👧 visit", "می‌خواهم", "x" * 500, "שלום"])
def test_a_title_of_any_script_is_kept(task, title):
    assert change(task, title=title).title == title


def test_a_title_is_kept_in_one_form_of_its_characters(task):
    assert change(task, title="Cafe\u0301").title == "Café"


# --- due --------------------------------------------------------------------------------------------


def test_a_due_without_an_offset_is_the_owners_wall_clock(task):
    changed = change(task, due_at=datetime(2026, 12, 24, 18, 0))  # noqa: DTZ001 - what a person typed

    assert changed.due_at == datetime(2026, 12, 24, 17, 0, tzinfo=UTC)
    assert changed.due_time_zone == ""


def test_a_due_may_name_the_zone_of_its_wall_clock(task):
    changed = change(task, due_at=datetime(2026, 12, 24, 18, 0), due_time_zone="America/New_York")  # noqa: DTZ001

    assert (changed.due_at, changed.due_time_zone) == (datetime(2026, 12, 24, 23, 0, tzinfo=UTC), "America/New_York")
    assert last_changes() == {
        "due_at": {"before": None, "after": "2026-12-24T23:00:00Z"},
        "due_time_zone": {"before": None, "after": "America/New_York"},
    }


def test_setting_a_day_takes_the_instant_away_and_the_other_way_round(task):
    change(task, due_at=SOON, due_time_zone="America/New_York")

    by_day = change(task, due_on=date(2026, 12, 24))
    assert (by_day.due_at, by_day.due_on, by_day.due_time_zone) == (None, date(2026, 12, 24), "")
    by_instant = change(task, due_at=SOON)
    assert (by_instant.due_at, by_instant.due_on) == (SOON, None)
    assert last_changes() == {
        "due_at": {"before": None, "after": "2026-11-22T09:00:00Z"},
        "due_on": {"before": "2026-12-24", "after": None},
    }


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"due_at": SOON, "due_on": date(2026, 12, 24)}, "due_on", "an instant or on a day"),
        ({"due_on": date(2026, 12, 24), "due_time_zone": "Europe/Paris"}, "due_time_zone", "goes with an instant"),
        ({"due_time_zone": "Europe/Paris"}, "due_time_zone", "goes with an instant"),
        ({"due_at": SOON, "due_time_zone": "Europe/Nowhere"}, "due_time_zone", "Europe/Nowhere"),
        ({"due_on": date(1969, 1, 1)}, "due_on", "between the years"),
        ({"due_at": datetime(9500, 1, 1, tzinfo=UTC)}, "due_at", "between the years"),
        ({"due_at": datetime(1, 1, 1)}, "due_at", "outside the years 1 to 9999"),  # noqa: DTZ001 - in Berlin it was the year 0 in UTC
        ({"due_at": datetime(9999, 12, 31, 23, 59)}, "due_at", "between the years"),  # noqa: DTZ001
        ({"position": Decimal("1e30")}, "position", "lies between"),
        ({"position": Decimal("NaN")}, "position", "lies between"),
        ({"owner": None}, "owner", "cannot be changed"),
    ],
)
def test_a_value_that_cannot_be_is_refused(task, changes, field, words):
    refused(task, field, words, **changes)


# --- tags, list, position ---------------------------------------------------------------------------


def test_naming_a_new_tag_makes_it_and_tells_so(task):
    change(task, tags=["home", "Home ", "garden"])

    assert [tag.name for tag in Tag.objects.order_by("name")] == ["garden", "home"]
    assert [event.type for event in facts()] == [
        "task.created.v1",
        "tag.created.v1",
        "tag.created.v1",
        "task.updated.v1",
    ]
    told = facts().last().data
    assert told["changes"] == {"tags": {"before": [], "after": ["garden", "home"]}}
    assert [tag["name"] for tag in told["task"]["tags"]] == ["garden", "home"]


def test_a_tag_is_found_whatever_its_case(task):
    change(task, tags=["Straße"])

    assert change(task, tags=["STRASSE"]).version == 2
    assert Tag.objects.count() == 1


def test_the_same_tags_in_another_order_are_no_change(task):
    change(task, tags=["a", "b"])
    events = facts().count()

    assert (change(task, tags=["b", "a"]).version, facts().count()) == (2, events)


def test_a_task_has_at_most_fifty_tags(task):
    refused(task, "tags", "at most 50", tags=[f"tag {number}" for number in range(51)])
    assert Tag.objects.count() == 0


def test_tags_come_and_go_without_rewriting_the_others(task):
    change(task, tags=["a", "b"])

    tagged = services.tag_task(task_id=task.pk, actor=task.owner, add=["c", "A"], remove=["B", "unknown"], now=NOW)

    assert last_changes() == {"tags": {"before": ["a", "b"], "after": ["a", "c"]}}
    assert tagged.version == 3


def test_adding_what_is_there_is_no_change(task):
    change(task, tags=["a"])

    assert services.tag_task(task_id=task.pk, actor=task.owner, add=["A"], now=NOW).version == 2


def test_an_event_names_the_list_a_task_moved_to(task, owner):
    home = services.create_list(owner=owner, actor=owner, name="Home", now=NOW)

    change(task, list=home.pk)

    assert last_changes() == {"list": {"before": None, "after": {"id": str(home.pk), "name": "Home"}}}


def test_a_list_of_somebody_else_is_not_there(task):
    grace = person("grace")
    hers = services.create_list(owner=grace, actor=grace, name="Hers", now=NOW)
    before = facts().count()

    with pytest.raises(ListNotFound):
        change(task, list=hers.pk)

    assert (Task.objects.get(pk=task.pk).list_id, facts().count()) == (None, before)


def test_a_new_task_stands_after_all_that_were_made_before(owner):
    first = task_of(owner, title="First")
    second = services.create_task(owner=owner, actor=owner, title="Second", now=NOW + timedelta(microseconds=1))

    assert list(Task.objects.order_by("position")) == [first, second]


def test_a_position_keeps_all_its_digits(owner):
    position = "1795250400.12345678901234567891"

    task_of(owner, position=Decimal(position))

    assert facts().get().data["task"]["position"] == position


def test_a_task_can_stand_between_any_two(owner):
    low, high = Decimal(1), Decimal(2)
    task = task_of(owner, position=low)
    for _ in range(60):
        high = (low + high) / 2
        assert change(task, position=high).position < 2
        assert Task.objects.get(pk=task.pk).position > low


# --- recurrence -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "rule"),
    [("daily", "FREQ=DAILY"), ("weekly", "FREQ=WEEKLY"), (" Monthly", "FREQ=MONTHLY"), ("FREQ=WEEKLY;BYDAY=MO", None)],
)
def test_plain_words_become_a_rule_and_open_a_series(task, words, rule):
    changed = change(task, due_at=SOON, recurrence=words)

    policies = {"from": "schedule", "month_end": "clamp", "catch_up": "latest"}
    assert changed.recurrence == {"rule": rule or words, **policies}
    assert isinstance(changed.series_id, UUID)
    assert (last_changes()["recurrence"]["after"], last_changes()["series_id"]["after"]) == (
        changed.recurrence,
        str(changed.series_id),
    )


def test_another_rule_keeps_the_series_and_an_end_and_new_begin_is_another(task):
    first = change(task, due_at=SOON, recurrence="daily").series_id

    assert change(task, recurrence="weekly").series_id == first
    assert change(task, recurrence=None).series_id == first
    assert change(task, recurrence="weekly").series_id != first


def test_from_completion_needs_no_due(task):
    changed = change(task, recurrence={"rule": "daily", "from": "completion"})

    assert changed.recurrence["from"] == "completion"


@pytest.mark.parametrize(
    ("recurrence", "field", "words"),
    [
        ("when it rains", "recurrence.rule", "daily"),
        ("FREQ=SECONDLY", "recurrence.rule", "hourly"),
        ("FREQ=DAILY;COUNT=0", "recurrence.rule", "COUNT"),
        ({"rule": "daily", "from": "nowhere"}, "recurrence.from", "nowhere is none of"),
        ({"rule": "daily", "until": "x"}, "recurrence.until", "Not a part"),
        ({"from": "schedule"}, "recurrence", "Give words"),
        (5, "recurrence", "Give words"),
        ("FREQ=DAILY;UNTIL=20200101T000000Z", "recurrence.rule", "end before it starts"),
        ("FREQ=DAILY;UNTIL=20200101", "recurrence.rule", "end before it starts"),
    ],
)
def test_a_recurrence_that_cannot_be_is_refused(task, recurrence, field, words):
    refused(task, field, words, due_at=SOON, recurrence=recurrence)


@pytest.mark.parametrize("rule", ["FREQ=HOURLY", "FREQ=DAILY;BYHOUR=9", "FREQ=DAILY;UNTIL=20300101T000000Z"])
def test_what_is_due_on_a_day_repeats_by_days(task, rule):
    refused(task, "recurrence.rule", "starts on a date", due_on=date(2026, 12, 24), recurrence=rule)


def test_a_rule_may_end_with_the_calendar(owner):
    owner.time_zone = "Asia/Tokyo"

    assert task_of(owner, due_at=SOON, recurrence="FREQ=DAILY;UNTIL=99991231T235959Z").version == 1


def test_moving_the_due_before_a_reminder_is_refused(task):
    change(task, due_at=SOON, reminders=[{"trigger_at": "2026-11-22T08:00:00Z"}])

    refused(task, "reminders.0.trigger_at", "move it too", due_at=SOON - timedelta(hours=2))


def test_a_schedule_without_a_start_is_refused(task):
    refused(task, "recurrence", "needs a due", recurrence="daily")


def test_a_task_that_repeats_by_schedule_keeps_its_due(task):
    change(task, due_at=SOON, recurrence="daily")

    refused(task, "recurrence", "needs a due", due_at=None)


# --- reminders --------------------------------------------------------------------------------------


def test_reminders_get_ids_and_keep_them(task):
    first = change(task, due_at=SOON, reminders=[{"before_due": "PT30M"}]).reminders
    assert [UUID(one["id"]).version for one in first] == [7]

    both = change(task, reminders=[*first, {"trigger_at": "2026-11-21T10:00:00+01:00"}]).reminders

    assert both[0] == first[0]
    assert both[1]["trigger_at"] == "2026-11-21T09:00:00Z"


def test_no_reminders_differ_from_the_owners_default(task):
    assert task.reminders is None
    assert change(task, reminders=[]).reminders == []
    assert last_changes() == {"reminders": {"before": None, "after": []}}


@pytest.mark.parametrize(
    ("reminders", "field", "words"),
    [
        ([{"before_due": "PT30M"}] * 2, "reminders.1", "twice"),
        ([{"trigger_at": "2026-11-20T08:59:00Z"}], "reminders.0.trigger_at", "in the past"),
        ([{"before_due": "P3D"}], "reminders.0.before_due", "in the past"),
        ([{"trigger_at": "2026-11-22T09:00:01Z"}], "reminders.0.trigger_at", "after due"),
        ([{"trigger_at": "2026-11-21T09:00:00"}], "reminders.0.trigger_at", "offset"),
        ([{"trigger_at": "soon"}], "reminders.0.trigger_at", "Not an instant"),
        ([{"before_due": "half an hour"}], "reminders.0.before_due", "PT30M"),
        ([{"before_due": "-PT30M"}], "reminders.0.before_due", "positive"),
        ([{"before_due": "PT5M", "trigger_at": "2026-11-21T09:00:00Z"}], "reminders.0", "Give"),
        ([{}], "reminders.0", "Give"),
        (["PT5M"], "reminders.0", "Give"),
        ([{"before_due": "PT5M", "sound": "bell"}], "reminders.0.sound", "Not a part"),
        ([{"before_due": "PT5M", "id": str(uuid4())}], "reminders.0.id", "no reminder of that id"),
        ({"before_due": "PT5M"}, "reminders", "Give a list"),
        ([{"before_due": f"PT{minutes}M"} for minutes in range(21)], "reminders", "at most 20"),
    ],
)
def test_a_reminder_that_cannot_be_is_refused(task, reminders, field, words):
    refused(task, field, words, due_at=SOON, reminders=reminders)


def test_a_relative_reminder_needs_a_due(task):
    refused(task, "reminders.0.before_due", "needs a due", reminders=[{"before_due": "PT5M"}])


def test_taking_the_due_away_from_under_a_reminder_is_refused(task):
    change(task, due_at=SOON, reminders=[{"before_due": "PT5M"}])

    refused(task, "reminders.0.before_due", "needs a due", due_at=None)


def test_on_a_day_a_reminder_counts_from_nine_in_the_morning(task):
    """Europe/Berlin: 09:00 on 21 November is 08:00 in UTC, and NOW is 09:00 in UTC the day before."""
    assert change(task, due_on=date(2026, 11, 21), reminders=[{"before_due": "PT22H"}]).version == 2
    refused(task, "reminders.0.before_due", "in the past", reminders=[{"before_due": "PT23H1M"}])


def test_a_reminder_that_was_there_may_lie_in_the_past(task):
    kept = change(task, due_at=SOON, reminders=[{"before_due": "P1D"}]).reminders

    later = services.update_task(
        task_id=task.pk,
        actor=task.owner,
        changes={"reminders": [*kept, {"before_due": "PT1M"}]},
        now=SOON - timedelta(hours=1),
    )

    assert len(later.reminders) == 2


def test_a_person_has_at_most_a_thousand_tags(owner, monkeypatch):
    monkeypatch.setattr("apps.tasks.services.tags.MAX_TAGS_OF_OWNER", 2)
    task = task_of(owner, tags=["a", "b"])

    with pytest.raises(TooMany, match="at most 2 tags"):
        change(task, tags=["a", "c"])

    assert Tag.objects.count() == 2
