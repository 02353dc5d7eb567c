"""What becomes of a person's series when their clock is hung elsewhere, or when they are erased."""

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from apps.accounts.models import User
from apps.recurrence import signals
from apps.recurrence.models import Series
from apps.recurrence.services import changes as writing
from apps.recurrence.services import open_tasks

# So many at once; the others wait for the sweep, and everybody else for no more than these.
MOST_MOVED_AT_ONCE = 50

_LOOK_AT_THOSE_LEFT = """
UPDATE recurrence_series SET looks_at = %s
WHERE owner_id = %s AND follows_owner AND ended_at IS NULL AND time_zone <> %s
"""


@transaction.atomic
def move_to_time_zone(*, owner_id: UUID, now: datetime) -> int:
    """Keep the wall-clock times of a person's series in the zone they live in now; how many series moved.

    Also of occurrences that are open and still due when they were planned. A series with a zone of its own stays.
    """
    owner = User.objects.get(pk=owner_id)
    following = Series.objects.filter(owner_id=owner_id, follows_owner=True, ended_at=None)
    elsewhere = following.exclude(time_zone=owner.time_zone).select_for_update(of=("self",)).order_by("pk")
    moved = list(elsewhere[:MOST_MOVED_AT_ONCE])
    for series in moved:
        follow(series, now=now)
    if len(moved) == MOST_MOVED_AT_ONCE:
        with connection.cursor() as cursor:
            cursor.execute(_LOOK_AT_THOSE_LEFT, [now, owner_id, owner.time_zone])
    return len(moved)


def follow(series: Series, *, now: datetime) -> None:
    """Move a locked series to where its owner lives now, if it goes along and is not there yet."""
    zone = series.owner.time_zone
    if series.follows_owner and series.time_zone != zone:
        writing.changed(series, {"time_zone": zone}, kind="time_zone", actor=None, now=now)
        open_tasks.move(series, lambda wall: wall, above=0, now=now)


@transaction.atomic
def forget_owner(*, owner_id: UUID, now: datetime, most: int = 100) -> int:
    """Take away up to `most` series of a person, each with its last event; how many. 0 when none is left."""
    going = list(Series.objects.filter(owner_id=owner_id).select_for_update(of=("self",)).order_by("pk")[:most])
    for series in going:
        series.advance(now=now)
        told = {"because": str(Series.Ended.ERASED)}
        writing.announce(series, signals.series_ended, actor=None, now=now, told=told)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM recurrence_occurrence WHERE series_id = %s", [series.pk])
            cursor.execute("DELETE FROM recurrence_series WHERE id = %s", [series.pk])
    return len(going)
