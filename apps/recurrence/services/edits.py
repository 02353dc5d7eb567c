"""Changes of one occurrence, of it and those behind it, or of all; and dates that are to be left out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.calendar import rules
from apps.calendar.errors import CalendarError
from apps.calendar.expansion import Wall
from apps.calendar.recurrences import parse_wall, wall_text
from apps.recurrence import schedule as scheduling
from apps.recurrence import signals
from apps.recurrence.exceptions import NoSeries, NothingToSkip
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.services import changes as writing
from apps.recurrence.services.series import open_tasks
from apps.tasks import selectors as task_selectors
from apps.tasks import services as task_services
from apps.tasks.exceptions import InvalidTask
from apps.tasks.models import Task
from apps.tasks.services.occurrences import KEPT

Scope = Literal["this", "following", "all"]

_DUE = frozenset({"due_at", "due_on", "due_time_zone"})
# So far ahead a date is looked for that somebody names.
_MOST_LOOKED_AT = 1000


@transaction.atomic
def skip_occurrence(
    *,
    series_id: UUID,
    actor: User,
    now: datetime,
    recurrence_id: str | None = None,
    expected_version: int | None = None,
) -> Series:
    """Leave out a date: the one named, or the next that is not made yet. Of an open occurrence the task is deleted.

    Raises `SeriesNotFound`, `StaleVersion`, `SeriesEnded` and `NothingToSkip`.
    """
    series = writing.locked(series_id, expected_version=expected_version)
    writing.check_goes_on(series)
    made = series.occurrences.filter(recurrence_id=recurrence_id).first() if recurrence_id else None
    if made is not None:
        _delete_made(made, actor=actor, now=now)
        left_out, values = made.recurrence_id, {}
    else:
        left_out = wall_text(_date_ahead(series, recurrence_id))
        values = {"exdates": sorted({*series.exdates, left_out})}
    told = {"skipped": [left_out], "count": 1, "because": "asked"}
    writing.change(series, values, signals.dates_skipped, actor=actor, now=now, told=told)
    return series


@transaction.atomic
def change_occurrences(
    *,
    task_id: UUID,
    actor: User,
    scope: Scope,
    changes: Mapping[str, Any],
    now: datetime,
    expected_version: int | None = None,
) -> Task:
    """Change fields of an occurrence's task: of `this` one only, of it and those `following`, or of `all` open ones.

    The rule and the time of day are the series': with them it goes on from this one. `expected_version` is the
    task's. Raises `NoSeries`, `SeriesEnded` and what `tasks.services.update_task` raises.
    """
    series, occurrence = _series_of(task_id)
    writing.check_goes_on(series)
    if scope == "this":
        if "recurrence" in changes:
            told = 'How a series repeats is not of one occurrence: change it with the scope "following".'
            raise InvalidTask(field="recurrence", reason=told)
        _keep_for_the_series(occurrence, changes)
        return _update(task_id, changes, actor=actor, now=now, expected_version=expected_version)
    if kept := set(occurrence.only_here) & changes.keys():
        occurrence.only_here = {name: value for name, value in occurrence.only_here.items() if name not in kept}
        occurrence.save(update_fields=["only_here"])
    starts_anew = bool(_DUE & changes.keys()) and "recurrence" not in changes
    if starts_anew:
        changes = {**changes, "recurrence": _what_is_left(series, occurrence)}
    task = _update(task_id, changes, actor=actor, now=now, expected_version=expected_version)
    if starts_anew:
        _start_anew(series, occurrence, task, actor=actor, now=now)
    shared = {name: value for name, value in changes.items() if name in KEPT}
    if shared:
        for other in _others(series, occurrence, scope):
            _update(other, shared, actor=actor, now=now)
    return task


def _update(
    task_id: UUID, changes: Mapping[str, Any], *, actor: User, now: datetime, expected_version: int | None = None
) -> Task:
    return task_services.update_task(
        task_id=task_id, actor=actor, changes=changes, now=now, expected_version=expected_version
    )


def _series_of(task_id: UUID) -> tuple[Series, Occurrence]:
    """Of the series that the task carries now; it may have been of another before."""
    occurrence = Occurrence.objects.filter(task_id=task_id).order_by("-pk").first()
    if occurrence is None:
        raise NoSeries(task_id)
    return writing.locked(occurrence.series_id), occurrence


def _keep_for_the_series(occurrence: Occurrence, changes: Mapping[str, Any]) -> None:
    """Remember what the next one is to have; of what was kept before, that is it."""
    now_has = task_selectors.given(occurrence.task_id, fields=KEPT & changes.keys())
    if fresh := {name: value for name, value in now_has.items() if name not in occurrence.only_here}:
        occurrence.only_here = {**occurrence.only_here, **fresh}
        occurrence.save(update_fields=["only_here"])


def _others(series: Series, occurrence: Occurrence, scope: Scope) -> list[UUID]:
    numbers = dict(series.occurrences.filter(task_id__in=open_tasks(series)).values_list("task_id", "number"))
    return [
        task_id
        for task_id, number in sorted(numbers.items(), key=lambda pair: pair[1])
        if task_id != occurrence.task_id and (scope == "all" or number > occurrence.number)
    ]


def _what_is_left(series: Series, occurrence: Occurrence) -> dict[str, Any]:
    """The recurrence with as much of a count as there is from this occurrence on."""
    rule = rules.parse(series.recurrence["rule"])
    if rule.count is None:
        return dict(series.recurrence)
    left = max(1, rule.count - (occurrence.number - series.start_number))
    return {**series.recurrence, "rule": rules.with_count(rule, left).text}


def _start_anew(series: Series, occurrence: Occurrence, task: Task, *, actor: User, now: datetime) -> None:
    """Count the rule from where this occurrence is now."""
    if not (task.due_at or task.due_on):
        return
    wall = scheduling.wall_of(task.due_at, task.due_on, zone=series.zone, now=now)
    made = {"start": wall_text(wall), "start_number": occurrence.number, "recurrence": task.recurrence}
    writing.changed(series, made, kind="rule", actor=actor, now=now)


def _date_ahead(series: Series, recurrence_id: str | None) -> Wall:
    """The date named, which must be one that the rule will come to; or the next. Raises `NothingToSkip`."""
    schedule = series.schedule
    if schedule.from_completion:
        raise NothingToSkip("A series that counts from completion has no dates ahead: skip the open occurrence.")
    dates = scheduling.planned(schedule, after=parse_wall(series.last_recurrence_id))
    if recurrence_id is None:
        following = next(dates, None)
        if following is None:
            raise NothingToSkip("The series has no further date.")
        return following
    try:
        named = parse_wall(recurrence_id)
    except CalendarError as reason:
        raise NothingToSkip(str(reason)) from reason
    for wall, _ in zip(dates, range(_MOST_LOOKED_AT), strict=False):
        if wall == named:
            return wall
        if type(wall) is type(named) and wall > named:
            break
    raise NothingToSkip(f"{recurrence_id[:32]} is no date that the series will come to.")


def _delete_made(made: Occurrence, *, actor: User, now: datetime) -> None:
    if not task_selectors.open_among([made.task_id]):
        raise NothingToSkip("That occurrence is done or deleted already.")
    task_services.delete_task(task_id=made.task_id, actor=actor, now=now, series="continues")
