"""What becomes of a person's series when their clock is hung elsewhere, or when they are erased."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from apps.accounts.models import User
from apps.calendar import zones
from apps.calendar.recurrences import parse_wall
from apps.recurrence import schedule as scheduling
from apps.recurrence import signals
from apps.recurrence.models import Series
from apps.recurrence.services import changes as writing
from apps.recurrence.services.series import open_tasks
from apps.tasks import selectors as task_selectors
from apps.tasks import services as task_services


@transaction.atomic
def move_to_time_zone(*, owner_id: UUID, time_zone: str, now: datetime) -> int:
    """Keep the wall-clock times of a person's series in the zone they live in now; how many series moved.

    Also of occurrences that are open and still due when they were planned. A series with a zone of its own stays.
    """
    owner = User.objects.get(pk=owner_id)
    following = Series.objects.filter(owner_id=owner_id, follows_owner=True, ended_at=None)
    moved = list(following.exclude(time_zone=time_zone).select_for_update(of=("self",)).order_by("pk"))
    for series in moved:
        writing.changed(series, {"time_zone": time_zone}, kind="time_zone", actor=None, now=now)
        _move_open(series, owner, zone=zones.zone(time_zone), now=now)
    return len(moved)


def _move_open(series: Series, owner: User, *, zone: ZoneInfo, now: datetime) -> None:
    dues = dict(task_selectors.tasks_of(owner=owner).filter(pk__in=open_tasks(series)).values_list("pk", "due_at"))
    for occurrence in series.occurrences.filter(task_id__in=dues, due_at__isnull=False).order_by("number"):
        if dues[occurrence.task_id] != occurrence.due_at:
            continue  # a person has moved it
        occurrence.due_at, _ = scheduling.dates_as_due(parse_wall(occurrence.recurrence_id), zone=zone)
        occurrence.save(update_fields=["due_at"])
        task_services.update_task(
            task_id=occurrence.task_id, actor=owner, changes={"due_at": occurrence.due_at}, now=now
        )


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
