"""From one occurrence to the next everything moves on the wall: what was at nine is at nine, in every time zone."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from apps.calendar import zones
from apps.tasks import steps
from apps.tasks.due import Due

wall = datetime.fromisoformat

DAYS = (date(2026, 1, 1), date(2026, 1, 1))
ZONES = st.sampled_from(sorted(zones.time_zone_names())).map(zones.zone)
WALLS = st.datetimes(wall("1971-01-01"), wall("2037-12-31")).map(lambda any_time: any_time.replace(microsecond=0))
BEFORE = st.integers(0, 3 * 24 * 3600).map(lambda seconds: timedelta(seconds=seconds))


def due(at, zone):
    return Due(at=zones.attach(at, zone), on=None, zone=zone)


@given(zone=ZONES, first=WALLS, further=st.integers(1, 4000), before=BEFORE)
def test_what_lies_some_hours_before_the_due_on_the_wall_lies_so_before_the_next(zone, first, further, before):
    following = first + timedelta(days=further)
    step = steps.between(due(first, zone), due(following, zone), planned=(first, following), otherwise=DAYS)
    shown = zones.attach(first - before, zone).astimezone(zone).replace(tzinfo=None)

    moved = step.moved_instant(zones.attach(first - before, zone), zone=zone)

    # What a gap moved on the first day is taken for what the person meant.
    assert moved == zones.attach(shown + timedelta(days=further), zone)


@given(zone=ZONES, first=WALLS, further=st.integers(1, 4000), part=st.dates(date(1971, 1, 1), date(2037, 1, 1)))
def test_days_move_by_whole_days_whatever_the_hour(zone, first, further, part):
    following = first + timedelta(days=further)
    step = steps.between(due(first, zone), due(following, zone), planned=(first, following), otherwise=DAYS)

    moved = step.moved(Due(at=None, on=part, zone=zone))

    assert moved.on == part + timedelta(days=further)


def test_from_a_day_to_an_hour_everything_moves_by_days():
    zone = zones.zone("Europe/Berlin")
    on_a_day = Due(at=None, on=date(2026, 5, 4), zone=zone)

    step = steps.between(on_a_day, due(wall("2026-05-06T18:00"), zone), planned=(None, None), otherwise=DAYS)

    assert step == steps.Step(days=timedelta(days=2), by=timedelta(days=2))


def test_by_the_hour_a_part_moves_by_hours_and_a_day_by_the_days_between():
    zone = zones.zone("UTC")
    first, following = wall("2026-05-04T23:00"), wall("2026-05-05T01:00")
    step = steps.between(due(first, zone), due(following, zone), planned=(None, None), otherwise=DAYS)

    assert step.moved(due(wall("2026-05-04T22:00"), zone)).at == datetime(2026, 5, 5, 0, tzinfo=UTC)
    assert step.moved(Due(at=None, on=date(2026, 5, 4), zone=zone)).on == date(2026, 5, 5)
