"""Rules that somebody makes to cost much: neither a preview nor a new task works more than what it has to tell."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from apps.calendar import rules
from apps.recurrence import catching_up, preview, schedule
from apps.tasks import intents
from apps.tasks.due import Due
from apps.tasks.exceptions import InvalidTask
from tests.support.work import LINES, executed

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 11, 21, 2, 30)  # noqa: DTZ001 - a wall has no zone
# Far enough for more dates to be passed over than are counted.
HALF_A_CENTURY_LATER = datetime(2076, 11, 21, tzinfo=UTC)
LINES_OF_A_COMPLETION = 1_500_000
EVERY_OTHER_DAY = ",".join(str(day) for day in range(1, 366, 2))

HAPPENS = [
    "FREQ=MONTHLY;BYDAY=5MO;BYMONTH=2;COUNT=1000",
    "FREQ=MONTHLY;BYDAY=5MO;BYMONTH=2;BYMONTHDAY=29;COUNT=10000",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;COUNT=10000",
    "FREQ=DAILY;COUNT=10000",
    "FREQ=HOURLY;COUNT=10000",
    "FREQ=HOURLY;INTERVAL=9973",
    "FREQ=HOURLY;INTERVAL=9973;BYDAY=MO",
    "FREQ=HOURLY;INTERVAL=1001;BYHOUR=3",
    "FREQ=HOURLY;INTERVAL=25;BYMONTHDAY=29;BYMONTH=2;BYHOUR=3;COUNT=10000",
    "FREQ=HOURLY;INTERVAL=48;BYYEARDAY=" + EVERY_OTHER_DAY,
    "FREQ=HOURLY;INTERVAL=48;BYMONTHDAY=31;BYYEARDAY=" + EVERY_OTHER_DAY,
    "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;BYHOUR=3",
    "FREQ=DAILY;INTERVAL=9973;BYMONTHDAY=29;BYMONTH=2",
    "FREQ=WEEKLY;INTERVAL=9999;BYMONTH=2;BYDAY=MO;BYSETPOS=1",
    "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-5",
    "FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU;BYMONTH=1",
    "FREQ=YEARLY;INTERVAL=500",
]
NEVER_HAPPENS = [
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;INTERVAL=7;BYDAY=TU;COUNT=10000",
    "FREQ=DAILY;INTERVAL=9999;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
    "FREQ=HOURLY;INTERVAL=24;BYHOUR=5",
    "FREQ=HOURLY;INTERVAL=9973;BYHOUR=3;BYMONTHDAY=29;BYMONTH=2",
    "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30;BYDAY=MO;BYYEARDAY=60;BYHOUR=2",
    "FREQ=WEEKLY;INTERVAL=773;BYMONTH=2;BYDAY=MO,TU;BYSETPOS=-3",
    "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30;BYMONTH=2;BYDAY=MO;BYSETPOS=1",
    "FREQ=MONTHLY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=31;BYHOUR=1,2;BYSETPOS=2",
    "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO;BYMONTH=6",
    "FREQ=YEARLY;INTERVAL=400;BYMONTHDAY=29;BYMONTH=2",
]


def intent_of(rule, **policies):
    given = {"rule": rule, "month_end": "skip"} | policies
    return intents.checked_recurrence(given, today=NOW.date())


@pytest.mark.parametrize("origin", ["schedule", "completion"])
@pytest.mark.parametrize("rule", HAPPENS + NEVER_HAPPENS)
def test_a_preview_works_no_more_than_what_it_shows(rule, origin):
    intent = intent_of(rule, **{"from": origin})
    told = []

    lines = executed(lambda: told.append(preview.preview(intent, start=START, zone=BERLIN, count=50, now=NOW)))

    assert told[0].dates[0].recurrence_id == "20261121T023000"
    assert lines < LINES


@pytest.mark.parametrize("rule", HAPPENS + NEVER_HAPPENS)
def test_a_completion_is_tried_out_in_bounded_work(rule):
    intent = intent_of(rule)
    told = []

    lines = executed(
        lambda: told.append(
            preview.preview(intent, start=START, zone=BERLIN, count=1, now=NOW, completed_at=HALF_A_CENTURY_LATER)
        )
    )

    assert told[0].completion.skipped_count <= catching_up.MOST_COUNTED + 1
    assert lines < LINES_OF_A_COMPLETION


@pytest.mark.parametrize("rule", HAPPENS)
def test_that_a_rule_happens_is_found_out_in_bounded_work(rule):
    assert executed(lambda: rules.check_happens(rules.parse(rule), start=START, zone=BERLIN)) < LINES


@pytest.mark.parametrize("rule", NEVER_HAPPENS)
def test_a_task_that_would_never_repeat_is_refused_in_bounded_work(rule):
    intent = intent_of(rule)
    due = Due(at=datetime(2026, 11, 21, 1, 30, tzinfo=UTC), on=None, zone=BERLIN)
    refused = []

    def ask():
        try:
            intents.check_recurrence_fits(intent, due=due, now=NOW)
        except InvalidTask as reason:
            refused.append(reason.field)

    lines = executed(ask)

    assert refused == ["recurrence.rule"]
    assert lines < LINES


def test_walking_to_all_that_a_rule_counts_would_be_more_work():
    """What a preview must not do, so that the bound above means something."""
    intent = intent_of("daily") | {"rule": "FREQ=HOURLY;COUNT=100000"}
    planned = schedule.schedule_of(intent, start=START, zone=BERLIN)

    assert executed(lambda: sum(1 for _ in planned.recurrence.dates())) > LINES


def test_a_date_before_the_horizon_is_found_and_none_behind_it():
    planned = schedule.schedule_of(intent_of("daily"), start=date(2026, 11, 21), zone=BERLIN)

    found = list(planned.recurrence.dates(after=date(2026, 11, 22), before=date(2026, 11, 25)))

    assert found == [date(2026, 11, 23), date(2026, 11, 24)]
