"""Changes of one occurrence, of it and those behind it, or of all; and dates that are to be left out."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Literal
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.calendar import rules, zones
from apps.calendar.errors import CalendarError
from apps.calendar.expansion import Wall
from apps.calendar.recurrences import parse_wall, wall_text
from apps.recurrence import catching_up, rule_changes, selectors
from apps.recurrence import schedule as scheduling
from apps.recurrence.catching_up import Advance
from apps.recurrence.exceptions import NoSeries, NothingToSkip
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.services import changes as writing
from apps.recurrence.services import open_tasks
from apps.recurrence.services import series as opening
from apps.tasks import selectors as task_selectors
from apps.tasks import services as tasks
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

    Raises `SeriesNotFound`, `StaleVersion`, `SeriesEnded`, `NothingToSkip`, and `InvalidTask` for no recurrence id.
    """
    series = writing.locked(series_id, expected_version=expected_version)
    writing.check_goes_on(series)
    made = series.occurrences.filter(recurrence_id=recurrence_id).first() if recurrence_id else None
    values: dict[str, Any] = {}
    if made is not None:
        _delete_made(made, actor=actor, now=now)
        passed = Advance(skipped=[parse_wall(made.recurrence_id)], skipped_count=1)
    else:
        passed, values = _leave_out(series, recurrence_id, now=now)
    writing.skip(series, passed, because="asked", values=values, actor=actor, now=now)
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
    series, occurrence = _locked(task_id)
    writing.check_goes_on(series)
    if scope == "this" and "recurrence" in changes:
        told = 'How a series repeats is not of one occurrence: change it with the scope "following".'
        raise InvalidTask(field="recurrence", reason=told)
    tasks.take_turn(series.owner_id)
    _remember(occurrence, changes, here_alone=scope == "this")
    carried = task_selectors.given(task_id, fields=["recurrence"])
    task = tasks.update_task(task_id=task_id, actor=actor, changes=changes, now=now, expected_version=expected_version)
    if scope == "this":
        return task
    repeats_otherwise = task.recurrence != carried.get("recurrence")  # of that its event tells
    if _DUE & changes.keys() and not repeats_otherwise and (task.due_at or task.due_on):
        _move_series(series, occurrence, task, scope=scope, actor=actor, now=now)
        task.refresh_from_db()
    if shared := {name: value for name, value in changes.items() if name in KEPT}:
        for other in _others(series, occurrence, scope):
            tasks.update_task(task_id=other, actor=actor, changes=shared, now=now)
    return task


def _locked(task_id: UUID) -> tuple[Series, Occurrence]:
    """The series that the task belongs to now, and its occurrence there. Raises `NoSeries`."""
    occurrence = selectors.occurrence_of_task(task_id) or _opened_early(task_id)
    if occurrence is None:
        raise NoSeries(task_id)
    series = writing.locked(occurrence.series_id)
    return series, Occurrence.objects.get(pk=occurrence.pk)  # as it is now that nobody else changes it


def _opened_early(task_id: UUID) -> Occurrence | None:
    """The first occurrence of a series that is about to be opened by the event of its task: whoever comes first."""
    task = task_selectors.in_bulk([task_id]).get(task_id)
    if task is None or task.series_id is None or task.recurrence is None or task.recurrence_id:
        return None
    opening.open_series(
        series_id=task.series_id,
        owner_id=task.owner_id,
        task_id=task.pk,
        recurrence=task.recurrence,
        due=rule_changes.due_of(task),
        now=task.updated_at,
    )
    return selectors.occurrence_of_task(task_id)


def _remember(occurrence: Occurrence, changes: Mapping[str, Any], *, here_alone: bool) -> None:
    """What the series goes on with where this occurrence alone is changed; what it was before the first such change."""
    kept = dict(occurrence.only_here)
    if here_alone:
        kept = task_selectors.given(occurrence.task_id, fields=KEPT & changes.keys()) | kept
    else:
        kept = {name: value for name, value in kept.items() if name not in changes}
    if kept != occurrence.only_here:
        occurrence.only_here = kept
        occurrence.save(update_fields=["only_here"])


def _others(series: Series, occurrence: Occurrence, scope: Scope) -> list[UUID]:
    """The other open tasks that a change is for, the oldest first."""
    still_open = [task.pk for task in selectors.open_tasks_of(series) if task.pk != occurrence.task_id]
    above = 0 if scope == "all" else occurrence.number
    meant = series.occurrences.filter(task_id__in=still_open, number__gt=above).order_by("number")
    return list(meant.values_list("task_id", flat=True))


def _move_series(
    series: Series, occurrence: Occurrence, task: Task, *, scope: Scope, actor: User, now: datetime
) -> None:
    """Go on from where this occurrence is due now: its days and its time of day are those of all that come.

    The rule is counted from the last one made, of a count what is left. What was left out or put in moves along.
    """
    zone = task.due_time_zone or task.owner.time_zone
    moved = _moving(parse_wall(occurrence.recurrence_id), task, zone=zone)
    last, schedule = parse_wall(series.last_recurrence_id), series.schedule
    start, keeps_day = moved(last), moved(last).timetuple()[:3] == last.timetuple()[:3]
    recurrence = dict(series.recurrence)
    if (left := scheduling.count_left(schedule, at=last)) is not None:
        recurrence["rule"] = rules.with_count(rules.parse(recurrence["rule"]), left).text
    for name in ("exdates", "rdates"):
        if name in recurrence:
            recurrence[name] = _all_moved(recurrence[name], moved, was=schedule.start)
    made = {
        "start": wall_text(start),
        "start_number": series.last_number,
        "anchor": series.anchor if keeps_day else wall_text(start),
        "time_zone": zone,
        "follows_owner": not task.due_time_zone,
        "recurrence": recurrence,
        "exdates": _all_moved(series.exdates, moved, was=schedule.start),
        "passed_over": wall_text(moved(parse_wall(series.passed_over))) if series.passed_over else "",
    }
    writing.changed(series, made, kind="rule", actor=actor, now=now)
    occurrence.due_at, occurrence.due_on = task.due_at, task.due_on
    occurrence.save(update_fields=["due_at", "due_on"])
    open_tasks.move(series, moved, above=0 if scope == "all" else occurrence.number, now=now)
    open_tasks.tell(series, recurrence, now=now)


def _moving(was: Wall, task: Task, *, zone: str) -> Callable[[Wall], Wall]:
    """What leads from the wall that was planned to where the task is due, for every wall of its series."""
    new = scheduling.wall_of(task.due_at, task.due_on, zone=zones.zone(zone), now=task.updated_at)
    days = timedelta(days=new.toordinal() - was.toordinal())

    def moved(wall: Wall) -> Wall:
        day = date.fromordinal(wall.toordinal()) + days
        return datetime.combine(day, new.time()) if isinstance(new, datetime) else day

    return moved


def _all_moved(texts: list[str], moved: Callable[[Wall], Wall], *, was: Wall) -> list[str]:
    """Of dates with an hour those that had the series' own; others stay at theirs."""
    hour = was.time() if isinstance(was, datetime) else None

    def own(wall: Wall) -> bool:
        return hour is None or not isinstance(wall, datetime) or wall.time() == hour

    walls = [parse_wall(text) for text in texts]
    return sorted({wall_text(moved(wall) if own(wall) else wall) for wall in walls})


def _leave_out(series: Series, recurrence_id: str | None, *, now: datetime) -> tuple[Advance, dict[str, Any]]:
    """The dates that get no task, and what the series remembers of it. Raises `NothingToSkip`."""
    schedule = series.schedule
    if schedule.from_completion:
        raise NothingToSkip("A series that counts from completion has no dates ahead: skip the open occurrence.")
    following = catching_up.advance(schedule, after=series.after, completed_at=now, now=now)
    if not following.made:
        raise NothingToSkip("The series has no further date.")
    if recurrence_id is None or recurrence_id == wall_text(following.made[0]):
        # Those before it, which the policy leaves out anyway, would come back in its place.
        upto = following.made[0]
        named = [*following.skipped, upto][-catching_up.MOST_NAMED :]
        return Advance(skipped=named, skipped_count=following.skipped_count + 1), {"passed_over": wall_text(upto)}
    one = _ahead(series, recurrence_id)
    return Advance(skipped=[one], skipped_count=1), {"exdates": sorted({*series.exdates, wall_text(one)})}


def _ahead(series: Series, recurrence_id: str) -> Wall:
    """The date named, which must be one that the rule will come to. Raises `NothingToSkip` and `InvalidTask`."""
    try:
        named = parse_wall(recurrence_id)
    except CalendarError as reason:
        raise InvalidTask(field="recurrence_id", reason=str(reason)) from reason
    for wall in islice(scheduling.planned(series.schedule, after=series.after), _MOST_LOOKED_AT):
        if wall == named:
            return wall
        if type(wall) is type(named) and wall > named:
            break
    raise NothingToSkip(f"{recurrence_id[:32]} is no date that the series will come to.")


def _delete_made(made: Occurrence, *, actor: User, now: datetime) -> None:
    if not task_selectors.open_among([made.task_id]):
        raise NothingToSkip("That occurrence is done or deleted already.")
    tasks.delete_task(task_id=made.task_id, actor=actor, now=now, series="continues")
