"""Makes what comes next in a series.

Invariant: an occurrence has one successor, whoever makes it and however often it is tried: the series is locked, and
the successor's number and recurrence id are unique in it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from uuid_utils.compat import uuid7

from apps.calendar import rules, zones
from apps.calendar.errors import CalendarError
from apps.calendar.expansion import Wall
from apps.calendar.recurrences import parse_wall, wall_text
from apps.calendar.zones import instant_text
from apps.events import crash
from apps.recurrence import catching_up, metrics, selectors, signals
from apps.recurrence import schedule as scheduling
from apps.recurrence.catching_up import Advance
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.services import changes as writing
from apps.recurrence.services import owners
from apps.tasks import selectors as task_selectors
from apps.tasks import services as task_services

log = structlog.get_logger(__name__)

# The events of a completion arrive within a moment; what is not there after so long is made by the sweep.
REPAIRED_AFTER = timedelta(minutes=2)
# One of which as many tasks are open as may be is looked at now and then.
LOOKED_AT_AGAIN_AFTER = timedelta(hours=1)


@transaction.atomic
def advance_series(*, series_id: UUID, task_id: UUID, completed_at: datetime, now: datetime) -> bool:
    """Make what follows an occurrence that is done; whether there was something to make or to end.

    Nothing for one that has a successor already, and nothing while the series is paused or ended.
    """
    series = writing.found(series_id)
    if series is None or not series.is_active:
        return False
    if series.last_task_id != task_id:
        if series.makes_every_date:
            writing.look_again(series)  # one open task less
        return False
    if series.paused_at is not None:
        writing.owe(series)
        return False
    go_on(series, completed_at=completed_at, now=now)
    return True


def go_on(series: Series, *, completed_at: datetime, now: datetime) -> None:
    """Make what follows the last occurrence of a locked series, or end it; one, as it may be of many tasks."""
    owners.follow(series, now=now)
    if selectors.is_full(series):
        writing.look_again(series, at=now + LOOKED_AT_AGAIN_AFTER)
        return
    over, taken = _why_over(series), _taken(series, since=completed_at)
    try:
        following = catching_up.advance(
            series.schedule, after=series.after, completed_at=completed_at, now=now, taken=taken
        )
    except CalendarError:  # so far away that nobody would wait for it
        following, over = Advance(), Series.Ended.NEVER
    if not task_selectors.is_there(series.last_task_id):  # purged, a month after it was deleted
        following, over = Advance(), Series.Ended.DELETED
    if following.skipped_count:
        writing.skip(series, following, because="catch_up", actor=None, now=now)
    if not following.made:
        writing.end(series, because=over, actor=None, now=now)
    for wall in following.made:
        _make(series, wall, now=now)


def _taken(series: Series, *, since: datetime) -> set[Wall]:
    """Of a series that counts from completion the dates it has used; one done early may come to them again."""
    if series.recurrence["from"] != "completion":
        return set()
    day = wall_text(zones.local_date(since, series.zone))
    used = series.occurrences.filter(recurrence_id__gte=day).values_list("recurrence_id", flat=True)
    return {scheduling.alike(parse_wall(text), parse_wall(series.start)) for text in used}


@transaction.atomic
def make_due(*, series_id: UUID, now: datetime) -> int:
    """Make the next date of a series that waits for nobody, when the last one has come; how many were made."""
    series = writing.found(series_id)
    if series is None or series.looks_at is None or series.looks_at > now:
        return 0
    owners.follow(series, now=now)
    if not series.makes_every_date or not series.is_active or series.paused_at is not None:
        writing.look_again(series)
        return 0
    before = series.last_number
    go_on(series, completed_at=now, now=now)
    return series.last_number - before


@transaction.atomic
def put_off(*, series_id: UUID, now: datetime) -> None:
    """Look at a series again later: the others are not to wait for what goes wrong with this one."""
    series = writing.found(series_id)
    if series is not None:
        writing.look_again(series, at=now + LOOKED_AT_AGAIN_AFTER)


def stuck(*, now: datetime, most: int) -> dict[UUID, tuple[UUID, datetime]]:
    """Series whose last occurrence was completed a while ago and has no successor: which task, and since when."""
    done = task_selectors.completed(before=now - REPAIRED_AFTER)
    waiting = Series.objects.filter(ended_at=None, paused_at=None, last_task_id__in=done.values("pk")).order_by("?")
    rows = dict(waiting.values_list("pk", "last_task_id")[:most])
    completed_at = task_selectors.completed_among(list(rows.values()))
    return {pk: (task_id, completed_at[task_id]) for pk, task_id in rows.items() if task_id in completed_at}


def repair(*, series_id: UUID, task_id: UUID, completed_at: datetime, now: datetime) -> bool:
    """Go on with a series that stands still; whether it did."""
    repaired = advance_series(series_id=series_id, task_id=task_id, completed_at=completed_at, now=now)
    if repaired:
        log.warning("series_repaired", series_id=str(series_id), task_id=str(task_id))
        transaction.on_commit(metrics.repaired.inc)
    return repaired


def _make(series: Series, wall: Wall, *, now: datetime) -> None:
    """The occurrence first, then its telling, which causes its task. Raises `TaskNotFound` without one to copy."""
    due_at, due_on = scheduling.dates_as_due(wall, zone=series.zone)
    before = Occurrence.objects.get(series=series, number=series.last_number)
    made = Occurrence.objects.create(
        series=series,
        number=before.number + 1,
        recurrence_id=wall_text(wall),
        task_id=uuid7(),
        due_at=due_at,
        due_on=due_on,
        created_at=now,
    )
    last = {"last_number": made.number, "last_recurrence_id": made.recurrence_id, "last_task_id": made.task_id}
    after = {"task_id": str(before.task_id), "recurrence_id": before.recurrence_id}
    told = {"occurrence": _told(made), "after": after}
    generated = writing.change(series, last, signals.occurrence_generated, actor=None, now=now, told=told)
    crash.at("recurrence.before_task")
    task_services.create_occurrence(
        of=before.task_id,
        task_id=made.task_id,
        owner_id=series.owner_id,
        series_id=series.pk,
        recurrence_id=made.recurrence_id,
        due_at=due_at,
        due_on=due_on,
        due_time_zone=None if series.follows_owner or due_at is None else series.time_zone,
        recurrence=series.recurrence,
        keep=before.only_here,
        now=now,
        cause=generated,
    )
    crash.at("recurrence.after_task")
    log.info("occurrence_generated", series_id=str(series.pk), number=made.number, task_id=str(made.task_id))


def _told(made: Occurrence) -> Mapping[str, Any]:
    return {
        "recurrence_id": made.recurrence_id,
        "number": made.number,
        "task_id": str(made.task_id),
        "due_at": instant_text(made.due_at),
        "due_on": made.due_on.isoformat() if made.due_on else None,
    }


def _why_over(series: Series) -> Series.Ended:
    rule = rules.parse(series.recurrence["rule"])
    if rule.count is not None:
        return Series.Ended.COUNT
    return Series.Ended.NEVER if rule.until is None else Series.Ended.UNTIL
