"""Opens series, changes how they go on, and ends them."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.calendar import zones
from apps.calendar.errors import CalendarError
from apps.calendar.recurrences import wall_text
from apps.events.erasure import erased_among
from apps.recurrence import catching_up, rule_changes
from apps.recurrence import schedule as scheduling
from apps.recurrence.exceptions import NotPaused, SeriesPaused
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.rule_changes import Due
from apps.recurrence.services import advancing, open_tasks, owners
from apps.recurrence.services import changes as writing
from apps.tasks import selectors as task_selectors


@transaction.atomic
def open_series(
    *,
    series_id: UUID,
    owner_id: UUID,
    task_id: UUID,
    recurrence: Mapping[str, Any],
    due: Due,
    now: datetime,
) -> None:
    """Begin a series with the task that was told to repeat as its first occurrence, at `now`.

    Nothing where there is such a series already, and nothing for who was erased.
    """
    if Series.objects.filter(pk=series_id).exists() or erased_among([owner_id]):
        return
    owner = User.objects.get(pk=owner_id)
    zone = due.zone or due.owner_zone or owner.time_zone
    start = wall_text(scheduling.wall_of(due.at, due.on, zone=zones.zone(zone), now=now))
    series = Series(
        pk=series_id,
        owner=owner,
        opened_by=task_id,
        recurrence=dict(recurrence),
        start=start,
        anchor=start,
        time_zone=zone,
        follows_owner=not due.zone,
        last_recurrence_id=start,
        last_task_id=task_id,
    )
    writing.insert(series, actor=None, now=now)
    Occurrence.objects.create(
        series=series, number=1, recurrence_id=start, task_id=task_id, due_at=due.at, due_on=due.on, created_at=now
    )
    owners.follow(series, now=now)  # perhaps moved since, which is heard of on another topic


@transaction.atomic
def change_rule(
    *,
    series_id: UUID,
    task_id: UUID,
    recurrence: Mapping[str, Any],
    due: Due,
    actor_id: UUID | None,
    now: datetime,
) -> None:
    """Go on by another rule from this occurrence on; a series that had come to its end goes on too.

    One that a person ended stays ended: what they wished before that is late.
    """
    series = writing.found(series_id)
    occurrence = writing.occurrence_of(series, task_id) if series else None
    if series is None or occurrence is None or series.recurrence == recurrence:
        return
    if not rule_changes.takes_rules(series, wished_at=now):
        return
    begins_again = not series.is_active
    made = rule_changes.changed(series, occurrence, recurrence, due=due, now=now)
    writing.changed(series, made, kind="rule", actor=_person(actor_id), now=now)
    open_tasks.tell(series, recurrence, now=now)
    if begins_again and not task_selectors.open_among([series.last_task_id]):
        _go_on(series, now=now)


def _go_on(series: Series, *, now: datetime) -> None:
    """From when the last one was done."""
    done = task_selectors.completed_among([series.last_task_id])
    advancing.go_on(series, completed_at=done.get(series.last_task_id, now), now=now)


@transaction.atomic
def stop_series(*, series_id: UUID, actor_id: UUID | None, now: datetime) -> None:
    """The task was told to repeat no more. Nothing for a series that has ended or never was."""
    series = writing.found(series_id)
    if series is not None and series.is_active:
        _end(series, because=Series.Ended.STOPPED, actor=_person(actor_id), now=now)


@transaction.atomic
def leave_deleted(
    *,
    series_id: UUID,
    task_id: UUID,
    was_open: bool,
    goes_on: bool,
    actor_id: UUID | None,
    deleted_at: datetime,
    now: datetime,
) -> None:
    """The newest occurrence was deleted while it was open: the series ends with it, or goes on as if it were done.

    The deletion of another one changes nothing: what comes after it is there already.
    """
    series = writing.found(series_id)
    if series is None or not series.is_active or not was_open or series.last_task_id != task_id:
        return
    if not goes_on:
        writing.end(series, because=Series.Ended.DELETED, actor=_person(actor_id), now=deleted_at)
    elif series.paused_at is not None:
        writing.owe(series)
    else:
        advancing.go_on(series, completed_at=deleted_at, now=now)


@transaction.atomic
def reopen_restored(*, series_id: UUID, task_id: UUID, actor_id: UUID | None, now: datetime) -> None:
    """The deletion that ended a series is taken back, and so is the end."""
    series = writing.found(series_id)
    if series is None or series.ended_because != Series.Ended.DELETED or series.last_task_id != task_id:
        return
    going_on = {"ended_at": None, "ended_because": ""}
    writing.changed(series, going_on, kind="reopened", actor=_person(actor_id), now=now)


@transaction.atomic
def pause_series(*, series_id: UUID, actor: User, now: datetime, expected_version: int | None = None) -> Series:
    """Make nothing more until it is resumed. Raises `SeriesNotFound`, `StaleVersion`, `SeriesEnded`, `SeriesPaused`."""
    series = writing.locked(series_id, expected_version=expected_version)
    writing.check_goes_on(series)
    if series.paused_at is not None:
        raise SeriesPaused
    writing.changed(series, {"paused_at": now}, kind="paused", actor=actor, now=now)
    return series


@transaction.atomic
def resume_series(*, series_id: UUID, actor: User, now: datetime, expected_version: int | None = None) -> Series:
    """Go on; dates that passed meanwhile are skipped.

    Raises `SeriesNotFound`, `StaleVersion`, `SeriesEnded` and `NotPaused`.
    """
    series = writing.locked(series_id, expected_version=expected_version)
    writing.check_goes_on(series)
    paused_at = series.paused_at
    if paused_at is None:
        raise NotPaused
    owes_next = series.owes_next
    writing.changed(series, {"paused_at": None, "owes_next": False}, kind="resumed", actor=actor, now=now)
    with suppress(CalendarError):
        _pass_over(series, since=paused_at, actor=actor, now=now)
    if owes_next and not task_selectors.open_among([series.last_task_id]):
        _go_on(series, now=now)
    return series


def _pass_over(series: Series, *, since: datetime, actor: User, now: datetime) -> None:
    """Skip what has passed since, and tell it. What had passed before is still to be made where the policy says so."""
    schedule = series.schedule
    if schedule.from_completion:
        return
    before = max(series.after, catching_up.last_passed(schedule, now=since))
    passed = catching_up.still_ahead(schedule, after=before, now=now)
    if not passed.skipped_count:
        return
    values: dict[str, Any] = {"passed_over": wall_text(catching_up.last_passed(schedule, now=now))}
    is_behind = next(scheduling.planned(schedule, after=series.after)) <= before
    if is_behind and passed.skipped_count == len(passed.skipped):
        values = {"exdates": sorted({*series.exdates, *map(wall_text, passed.skipped)})}
    writing.skip(series, passed, because="paused", values=values, actor=actor, now=now)


@transaction.atomic
def end_series(*, series_id: UUID, actor: User, now: datetime, expected_version: int | None = None) -> Series:
    """Make no more; what is open stays, and repeats no more. Raises `SeriesNotFound`, `StaleVersion`, `SeriesEnded`."""
    series = writing.locked(series_id, expected_version=expected_version)
    writing.check_goes_on(series)
    _end(series, because=Series.Ended.ASKED, actor=actor, now=now)
    return series


def _end(series: Series, *, because: Series.Ended, actor: User | None, now: datetime) -> None:
    """By a person's will: what is open stays, and repeats no more."""
    writing.end(series, because=because, actor=actor, now=now)
    open_tasks.tell(series, None, now=now)


def _person(actor_id: UUID | None) -> User | None:
    return User.objects.filter(pk=actor_id).first() if actor_id else None
