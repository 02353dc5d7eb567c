"""What a series comes to next and what it leaves out, as pages and answers show it. Changes nothing."""

from datetime import datetime

from apps.calendar import zones
from apps.calendar.errors import CalendarError
from apps.recurrence import preview, selectors
from apps.recurrence.models import Series
from apps.recurrence.preview import PlannedDate


def upcoming(series: Series, *, most: int, now: datetime) -> list[PlannedDate]:
    """The next dates that are not made yet; none where a rule that was once checked cannot be read any more.

    Whoever looks is not to be turned away for that.
    """
    try:
        zone = series.zone
        today = zones.local_date(now, zone)
        planned = selectors.planned(series, most=most, now=now)
    except CalendarError:
        return []
    return [preview.planned_date(one.wall, zone=zone, today=today) for one in planned]


def left_out(series: Series, *, now: datetime) -> list[PlannedDate]:
    """Dates that get no task, in order; none where that cannot be read any more."""
    try:
        zone = series.zone
        today = zones.local_date(now, zone)
        return [preview.planned_date(wall, zone=zone, today=today) for wall in selectors.left_out(series)]
    except CalendarError:
        return []
