"""F19 in nights when clocks change: wherever people live, each is told at the one instant that is theirs, also where
the hour they named comes twice or not at all.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from apps.notifications.models import Reminder
from apps.notifications.services import preferences, triggering
from apps.tasks import services
from tests.faults import reminders
from tests.faults.evidence import Evidence
from tests.faults.verdict import Verdict
from tests.support.factories import person
from tests.support.reminding import Clock, standing_clock
from tests.support.told_once import Told
from tests.support.wishes import Defaults

pytestmark = pytest.mark.usefixtures("transactional_db")

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
# Where, which day, the hour named, and when that is: a gap moves forward by its length, of two the first counts.
NIGHTS = [
    ("America/New_York", date(2027, 3, 14), time(2, 30), datetime(2027, 3, 14, 7, 30, tzinfo=UTC)),
    ("Europe/London", date(2027, 3, 28), time(1, 30), datetime(2027, 3, 28, 1, 30, tzinfo=UTC)),
    ("Australia/Lord_Howe", date(2027, 4, 4), time(1, 45), datetime(2027, 4, 3, 14, 45, tzinfo=UTC)),
    ("Australia/Lord_Howe", date(2027, 10, 3), time(2, 15), datetime(2027, 10, 2, 15, 45, tzinfo=UTC)),
    ("Europe/London", date(2027, 10, 31), time(1, 30), datetime(2027, 10, 31, 0, 30, tzinfo=UTC)),
    ("America/New_York", date(2027, 11, 7), time(1, 30), datetime(2027, 11, 7, 5, 30, tzinfo=UTC)),
]


def _each_has_a_task(clock: Clock) -> dict[Any, Defaults]:
    """Due on their night, with the reminder that they have by default."""
    wanted = {}
    for zone, day, hour, _ in NIGHTS:
        owner = person(time_zone=zone)
        preferences.change(owner=owner, changes={"default_on_day": hour}, now=clock.now)
        services.create_task(owner=owner, actor=owner, title="Sleep", due_on=day, now=clock.now)
        wanted[owner.pk] = Defaults(on_day=hour)
    reminders.hear_all()
    return wanted


def _findings(wanted: dict[Any, Defaults], *, now: datetime) -> Verdict:
    told = Told(clock="occurred_at", defaults=lambda owner_id, _: wanted[owner_id])
    verdict = Verdict(events=len(told.triggered))
    verdict.other += [*told.early(), *told.versions(), *told.too_late_to_hold()]
    verdict.duplicated += told.twice()
    verdict.lost += [*told.untold(now=now), *told.unannounced()]
    return verdict


def _go_to(clock: Clock, instant: datetime) -> int:
    """How many were triggered there."""
    clock.advance(seconds=(instant - clock.now).total_seconds())
    triggered = triggering.trigger_due().triggered
    reminders.hear_all()
    return triggered


@pytest.mark.short
@pytest.mark.fault("F19", "nights on which clocks change, in three zones", bound=None)
def test_on_nights_when_clocks_change_each_is_told_at_one_instant(evidence: Evidence) -> None:
    with standing_clock(NEW_YEAR) as clock:
        wanted = _each_has_a_task(clock)

        told = [
            [_go_to(clock, at + timedelta(seconds=ahead)) for ahead in (-3600, -1, 0, 1, 3600)] for *_, at in NIGHTS
        ]

        verdict = _findings(wanted, now=clock.now)
    evidence.count(verdict)
    evidence.operations = len(NIGHTS)
    assert told == [[0, 0, 1, 0, 0]] * len(NIGHTS)
    verdict.hold()


@pytest.mark.short
@pytest.mark.control("F19", "an hour is read with the offset that its zone has when it is asked for")
def test_an_hour_read_with_todays_offset_is_seen(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    def attach_as_on_new_years_day(wall: datetime, zone: Any) -> datetime:
        offset = NEW_YEAR.astimezone(zone).utcoffset()
        assert offset is not None
        return (wall - offset).replace(tzinfo=UTC)

    with standing_clock(NEW_YEAR) as clock:
        with monkeypatch.context() as patched:
            patched.setattr("apps.calendar.zones.attach", attach_as_on_new_years_day)
            _each_has_a_task(clock)
        monkeypatch.undo()
        planned = set(Reminder.objects.values_list("trigger_at", flat=True))

    evidence.other = len({at for *_, at in NIGHTS} - planned)
    assert evidence.other == 3
