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

from apps.accounts.models import User
from apps.calendar import rules
from apps.calendar.expansion import TooCostly, Wall
from apps.calendar.recurrences import parse_wall, wall_text
from apps.events import crash
from apps.recurrence import schedule as scheduling
from apps.recurrence import signals
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.publishers import instant_text
from apps.recurrence.schedule import Advance
from apps.recurrence.services import changes as writing
from apps.tasks import selectors as task_selectors
from apps.tasks import services as task_services

log = structlog.get_logger(__name__)

# The events of a completion arrive within a moment; what is not there after so long is made by the sweep.
REPAIRED_AFTER = timedelta(minutes=2)
# Of a series that waits for nobody so many tasks may be open; then it is looked at now and then.
MOST_OPEN = 100
LOOKED_AT_AGAIN_AFTER = timedelta(hours=1)


@transaction.atomic
def advance_series(*, series_id: UUID, task_id: UUID, completed_at: datetime, now: datetime) -> bool:
    """Make what follows an occurrence that is done; whether there was something to make or to end.

    Nothing for one that has a successor already, and nothing while the series is paused or ended.
    """
    series = writing.found(series_id)
    if series is None or not series.is_active or series.paused_at is not None:
        return False
    if series.last_task_id != task_id:
        return False
    go_on(series, completed_at=completed_at, now=now)
    return True


def go_on(
    series: Series, *, completed_at: datetime, now: datetime, actor: User | None = None, catch_up: str = ""
) -> None:
    """Make what follows the last occurrence of a locked series, or end it."""
    after, over = parse_wall(series.last_recurrence_id), _why_over(series)
    try:
        following = scheduling.advance(
            series.schedule, after=after, completed_at=completed_at, now=now, catch_up=catch_up
        )
    except TooCostly:  # so far away that nobody would wait for it
        following, over = Advance(), Series.Ended.NEVER
    if not task_selectors.is_there(series.last_task_id):  # purged, a month after it was deleted
        following, over = Advance(), Series.Ended.DELETED
    if following.skipped_count:
        _tell_skipped(series, following, because="paused" if catch_up else "catch_up", now=now)
    for wall in following.made:
        _make(series, wall, now=now)
    if not following.made:
        writing.end(series, because=over, actor=actor, now=now)


@transaction.atomic
def make_due(*, series_id: UUID, now: datetime) -> int:
    """Make the dates of a series that waits for nobody, up to the first that has not come; how many were made."""
    series = writing.found(series_id)
    if series is None or series.looks_at is None or series.looks_at > now:
        return 0
    before = series.last_number
    if _too_many_are_open(series):
        writing.look_again(series, at=now + LOOKED_AT_AGAIN_AFTER)
        return 0
    go_on(series, completed_at=now, now=now)
    return series.last_number - before


def repair(*, now: datetime, most: int = 500) -> int:
    """Go on with series whose last occurrence was completed a while ago and has no successor; how many."""
    done = task_selectors.completed(before=now - REPAIRED_AFTER)
    stuck = Series.objects.filter(ended_at=None, paused_at=None, last_task_id__in=done.values("pk")).order_by("pk")
    rows = list(stuck.values_list("pk", "last_task_id")[:most])
    completed_at = task_selectors.completed_among([task_id for _, task_id in rows])
    repaired = 0
    for series_id, task_id in rows:
        then = completed_at.get(task_id, now)
        if advance_series(series_id=series_id, task_id=task_id, completed_at=then, now=now):
            repaired += 1
            log.warning("series_repaired", series_id=str(series_id), task_id=str(task_id))
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


def _tell_skipped(series: Series, following: Advance, *, because: str, now: datetime) -> None:
    named = [wall_text(wall) for wall in following.skipped]
    told = {"skipped": named, "count": following.skipped_count, "because": because}
    writing.change(series, {}, signals.dates_skipped, actor=None, now=now, told=told)


def _why_over(series: Series) -> Series.Ended:
    rule = rules.parse(series.recurrence["rule"])
    if rule.count is not None:
        return Series.Ended.COUNT
    return Series.Ended.NEVER if rule.until is None else Series.Ended.UNTIL


def _too_many_are_open(series: Series) -> bool:
    newest = series.occurrences.order_by("-number").values_list("task_id", flat=True)[:MOST_OPEN]
    return len(task_selectors.open_among(newest)) >= MOST_OPEN
