"""What happened to a series of repeating tasks, in a person's words."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import words

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
WEEKLY = {"rule": "FREQ=WEEKLY", "from": "schedule", "month_end": "clamp", "catch_up": "latest"}
SERIES = {
    "task_id": "1",
    "recurrence": WEEKLY,
    "start": "20260504",
    "time_zone": "Europe/London",
    "generated": 2,
    "last_recurrence_id": "20260511",
    "paused_at": None,
    "ended_at": None,
}


def told(type, *, actor=None, **data):
    return words.sentence(type, {"series": SERIES, **data}, actor=actor, zone=LONDON, now=NOW, naming=True)


def made(**fields):
    occurrence = {"recurrence_id": "20260511", "number": 2, "task_id": "2", "due_at": None, "due_on": None} | fields
    return {"occurrence": occurrence, "after": {"task_id": "1", "recurrence_id": ""}}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (made(due_on="2026-05-11"), "The platform made the next one, due 11 May"),
        (made(due_on="2027-05-11"), "The platform made the next one, due 11 May 2027"),
        (made(due_at="2026-05-11T08:00:00Z"), "The platform made the next one, due 11 May at 09:00"),
        (
            made(due_at="2026-05-11T13:00:00Z") | {"series": SERIES | {"time_zone": "America/New_York"}},
            "The platform made the next one, due 11 May at 09:00 (America/New_York)",
        ),
        (made(), "The platform made the next one"),
    ],
)
def test_the_next_occurrence_is_told_with_its_due(data, sentence):
    assert told("recurrence.generated.v1", **data) == sentence


@pytest.mark.parametrize(
    ("skipped", "because", "sentence"),
    [
        (["20260511"], "asked", "skipped 11 May"),
        (["20260511T090000"], "asked", "skipped 11 May at 09:00"),
        (["20260511", "20270518"], "asked", "skipped 11 May and 18 May 2027"),
        (["20260511"], "catch_up", "skipped 11 May, as it was missed"),
        (["20260511", "20260518"], "catch_up", "skipped 11 May and 18 May, as they were missed"),
        (
            ["20260511", "20260512", "20260513", "20260514"],
            "catch_up",
            "skipped 4 dates, from 11 May to 14 May, as they were missed",
        ),
        (
            ["20251231T220000", "20251231T230000", "20260101T000000", "20260101T010000"],
            "paused",
            "skipped 4 dates, from 31 December 2025 at 22:00 to 1 January at 01:00, as the series was paused",
        ),
        (["20260511", "20260518"], "paused", "skipped 11 May and 18 May, as the series was paused"),
    ],
)
def test_dates_that_were_skipped_are_told_with_the_reason(skipped, because, sentence):
    data = {"skipped": skipped, "count": len(skipped), "because": because}

    assert told("recurrence.skipped.v1", **data) == f"The platform {sentence}"


def test_of_more_dates_than_the_event_names_the_number_is_told():
    assert told("recurrence.skipped.v1", skipped=["20260511"], count=1_200, because="catch_up") == (
        "The platform skipped 1,200 dates, from 11 May on, as they were missed"
    )


@pytest.mark.parametrize(
    ("because", "sentence"),
    [
        ("count", "ended the series: its last occurrence was done"),
        ("until", "ended the series: no date is left before its end"),
        ("never", "ended the series: its rule names no date any more"),
        ("stopped", "ended the series: the task no longer repeats"),
        ("deleted", "ended the series: the task was deleted"),
        ("erased", "ended the series: its owner was erased"),
        ("asked", "ended the series"),
        ("of tomorrow", "ended the series"),
    ],
)
def test_the_end_of_a_series_is_told_with_the_reason(because, sentence):
    assert told("recurrence.ended.v1", actor="Ada", because=because) == f"Ada {sentence}"


@pytest.mark.parametrize(
    ("change", "changes", "sentence"),
    [
        ("opened", {}, "opened the series, repeating every week"),
        ("paused", {"paused_at": {"before": None, "after": "2026-05-11T08:00:00Z"}}, "paused the series"),
        ("resumed", {"paused_at": {"before": "2026-05-11T08:00:00Z", "after": None}}, "resumed the series"),
        ("reopened", {}, "opened the series again"),
        (
            "time_zone",
            {"time_zone": {"before": "Europe/London", "after": "America/New_York"}},
            "moved the series from the clocks of Europe/London to those of America/New_York",
        ),
        (
            "rule",
            {"recurrence": {"before": WEEKLY, "after": WEEKLY | {"rule": "FREQ=DAILY"}}},
            "changed how the series repeats, from every week to every day",
        ),
        (
            "rule",
            {"recurrence": {"before": WEEKLY, "after": WEEKLY | {"catch_up": "all"}}},
            "changed how the series repeats: catching up",
        ),
        (
            "rule",
            {"start_number": {"before": 1, "after": 2}, "anchor": {"before": "", "after": "x"}},
            "changed the series",
        ),
        (
            "rule",
            {
                "recurrence": {"before": WEEKLY | {"rule": "FREQ=WEEKLY;COUNT=9"}, "after": WEEKLY},
                "start": {"before": "20260504", "after": "20260511"},
                "ended_at": {"before": "2026-05-11T08:00:00Z", "after": None},
            },
            "changed how the series repeats, from every week, 9 times to every week and opened the series again",
        ),
        (
            "rule",
            {"recurrence": {"before": WEEKLY, "after": WEEKLY | {"exdates": ["20260511"]}}},
            "changed how the series repeats: the dates left out",
        ),
        ("of tomorrow", {}, "changed the series"),
    ],
)
def test_a_change_of_a_series_has_its_words(change, changes, sentence):
    assert told("recurrence.changed.v1", actor="Ada", change=change, changes=changes) == f"Ada {sentence}"


MOVED = [
    ("FREQ=DAILY", "20260504T090000", "20260506T110000", "moved the series from 09:00 to 11:00"),
    ("FREQ=WEEKLY", "20260504", "20260519", "moved the series from Mondays to Tuesdays"),
    (
        "FREQ=WEEKLY",
        "20260504T090000",
        "20260519T110030",
        "moved the series from Mondays at 09:00 to Tuesdays at 11:00:30",
    ),
    ("FREQ=WEEKLY", "20260504T090000", "20260519T090000", "moved the series from Mondays to Tuesdays"),
    ("FREQ=WEEKLY;BYDAY=MO", "20260504T090000", "20260519T110000", "moved the series from 09:00 to 11:00"),
    ("FREQ=MONTHLY", "20260531", "20260630", "moved the series from the 31st to the 30th"),
    ("FREQ=YEARLY", "20240229", "20260301", "moved the series from 29 February to 1 March"),
    ("FREQ=DAILY", "20260504", "20260506T110000", "moved the series to 11:00"),
    ("FREQ=DAILY", "20260504T090000", "20260506", "moved the series from 09:00 to days without a time"),
    ("FREQ=DAILY;INTERVAL=3", "20260504", "20260506", "had the series count from 6 May"),
]


@pytest.mark.parametrize(("rule", "before", "after", "sentence"), MOVED)
def test_a_series_that_was_moved_is_told_by_what_it_takes_from_its_start(rule, before, after, sentence):
    changes = {"start": {"before": before, "after": after}, "start_number": {"before": 1, "after": 3}}
    series = SERIES | {"recurrence": WEEKLY | {"rule": rule}}

    said = told("recurrence.changed.v1", actor="Ada", change="rule", changes=changes, series=series)

    assert said == f"Ada {sentence}"


@pytest.mark.parametrize(("rule", "before", "after", "sentence"), MOVED[:3])
def test_of_a_series_that_was_moved_with_a_count_the_move_is_told(rule, before, after, sentence):
    counted = [
        WEEKLY | {"rule": f"{rule};COUNT={count}", "exdates": [moved]}
        for count, moved in [(10, "20270510"), (8, "20270511")]
    ]
    changes = {
        "start": {"before": before, "after": after},
        "recurrence": {"before": counted[0], "after": counted[1]},
    }

    said = told(
        "recurrence.changed.v1",
        actor="Ada",
        change="rule",
        changes=changes,
        series=SERIES | {"recurrence": counted[1]},
    )

    assert said == f"Ada {sentence}"


def test_a_series_that_was_moved_to_other_clocks_is_told_so():
    changes = {
        "start": {"before": "20260504T090000", "after": "20260504T100000"},
        "time_zone": {"before": "Europe/London", "after": "Europe/Berlin"},
        "follows_owner": {"before": True, "after": False},
    }

    assert told("recurrence.changed.v1", actor="Ada", change="rule", changes=changes) == (
        "Ada moved the series from 09:00 to 10:00 and moved the series from the clocks of Europe/London"
        " to those of Europe/Berlin"
    )


def test_another_count_is_told_where_nothing_moved():
    counted = [WEEKLY | {"rule": f"FREQ=WEEKLY;COUNT={count}"} for count in (10, 8)]
    changes = {
        "start": {"before": "20260504", "after": "20260518"},
        "recurrence": {"before": counted[0], "after": counted[1]},
    }

    said = told("recurrence.changed.v1", actor="Ada", change="rule", changes=changes)

    assert said == "Ada changed how the series repeats, from every week, 10 times to every week, 8 times"


def test_that_the_series_of_a_deleted_task_goes_on_is_told():
    data = {"task": {"title": "Water"}, "changes": {"status": {"before": "pending", "after": "deleted"}}}

    def deleted(**more):
        return words.sentence("task.deleted.v1", data | more, actor="Ada", zone=LONDON, now=NOW)

    assert deleted(series="continues") == "Ada deleted it; its series goes on"
    assert deleted() == deleted(series="ends") == "Ada deleted it"


@pytest.mark.parametrize(
    ("type", "sentence"),
    [
        ("recurrence.generated.v1", "The platform made the next one (what it held has been erased)"),
        ("recurrence.skipped.v1", "The platform skipped a date (what it held has been erased)"),
        ("recurrence.ended.v1", "The platform ended the series (what it held has been erased)"),
        ("recurrence.changed.v1", "The platform changed the series (what it held has been erased)"),
    ],
)
def test_what_was_erased_is_told_as_erased(type, sentence):
    assert words.sentence(type, None, actor=None, zone=LONDON, now=NOW) == sentence


@pytest.mark.parametrize(
    ("type", "cause", "sentence"),
    [
        ("task.created.v1", "recurrence.generated.v1", "The platform created it, as the next of its series"),
        ("task.deleted.v1", "recurrence.skipped.v1", "The platform deleted it, as its date was skipped"),
    ],
)
def test_a_task_that_a_series_made_or_took_away_is_told_so(type, cause, sentence):
    data = {"task": {"title": "Water the plants"}, "changes": {}}

    assert words.sentence(type, data, actor=None, zone=LONDON, now=NOW, cause=cause) == sentence


odd = st.sampled_from([None, True, 0, 10**30, "", "x", "20260511", "20260511T250000", "99991231", "count", "rule"])
odder = odd | st.lists(odd, max_size=3) | st.dictionaries(st.sampled_from(["recurrence", "time_zone", "due_at"]), odd)


@given(
    verb=st.sampled_from(["generated", "skipped", "ended", "changed"]),
    data=st.dictionaries(
        st.sampled_from(["series", "occurrence", "skipped", "count", "because", "change", "changes"]), odder
    ),
)
def test_whatever_an_event_of_a_series_holds_there_is_a_sentence(verb, data):
    sentence = words.sentence(f"recurrence.{verb}.v1", data, actor=None, zone=LONDON, now=NOW, naming=True)

    assert sentence.startswith("The platform ")
