"""Opens series, changes how they go on, and ends them."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.calendar.recurrences import wall_text
from apps.events.erasure import erased_among
from apps.recurrence import schedule as scheduling
from apps.recurrence.exceptions import NotPaused, SeriesPaused
from apps.recurrence.models import Occurrence, Series
from apps.recurrence.services import advancing
from apps.recurrence.services import changes as writing
from apps.tasks import selectors as task_selectors
from apps.tasks import services as task_services
from apps.tasks.exceptions import TaskRefused

# What of a recurrence decides which dates there are; with others of these the rule is counted anew.
_OF_DATES = ("rule", "from", "rdates")


@transaction.atomic
def open_series(
    *,
    series_id: UUID,
    owner_id: UUID,
    task_id: UUID,
    recurrence: Mapping[str, Any],
    due_at: datetime | None,
    due_on: date | None,
    due_time_zone: str | None,
    now: datetime,
) -> None:
    """Begin a series with the task that was told to repeat as its first occurrence, at `now`.

    Nothing where there is such a series already, and nothing for who was erased.
    """
    if Series.objects.filter(pk=series_id).exists() or erased_among([owner_id]):
        return
    owner = User.objects.get(pk=owner_id)
    series = Series(
        pk=series_id,
        owner=owner,
        opened_by=task_id,
        recurrence=dict(recurrence),
        time_zone=due_time_zone or owner.time_zone,
        follows_owner=not due_time_zone,
        last_task_id=task_id,
    )
    wall = scheduling.wall_of(due_at, due_on, zone=series.zone, now=now)
    series.start = series.last_recurrence_id = wall_text(wall)
    writing.insert(series, actor=None, now=now)
    Occurrence.objects.create(
        series=series,
        number=1,
        recurrence_id=series.start,
        task_id=task_id,
        due_at=due_at,
        due_on=due_on,
        created_at=now,
    )


@transaction.atomic
def change_rule(
    *,
    series_id: UUID,
    task_id: UUID,
    recurrence: Mapping[str, Any],
    due_at: datetime | None,
    due_on: date | None,
    actor_id: UUID | None,
    now: datetime,
) -> None:
    """Go on by another rule from this occurrence on; a series that had ended goes on too."""
    series = writing.found(series_id)
    occurrence = writing.occurrence_of(series, task_id) if series else None
    if series is None or occurrence is None or series.recurrence == recurrence:
        return
    made: dict[str, Any] = {"recurrence": dict(recurrence)}
    if any(series.recurrence.get(name) != recurrence.get(name) for name in _OF_DATES):
        wall = scheduling.wall_of(due_at, due_on, zone=series.zone, now=now)
        made |= {"start": wall_text(wall), "start_number": occurrence.number, "exdates": []}
    if not series.is_active:
        made |= {"ended_at": None, "ended_because": ""}
    person = _person(actor_id)
    writing.changed(series, made, kind="rule", actor=person, now=now)
    tell_open_tasks(series, recurrence, but=task_id, actor=person, now=now)


@transaction.atomic
def stop_series(*, series_id: UUID, actor_id: UUID | None, now: datetime) -> None:
    """The task was told to repeat no more. Nothing for a series that has ended or never was."""
    series = writing.found(series_id)
    if series is not None and series.is_active:
        _end(series, because=Series.Ended.STOPPED, actor=_person(actor_id), now=now)


@transaction.atomic
def leave_deleted(
    *, series_id: UUID, task_id: UUID, was_open: bool, goes_on: bool, actor_id: UUID | None, now: datetime
) -> None:
    """An occurrence was deleted: the series ends, or goes on as if it were done.

    One that was completed before is history, and its deletion changes nothing.
    """
    series = writing.found(series_id)
    occurrence = writing.occurrence_of(series, task_id) if series else None
    if series is None or occurrence is None or not series.is_active or not was_open:
        return
    if not goes_on:
        _end(series, because=Series.Ended.DELETED, actor=_person(actor_id), now=now)
    elif occurrence.number == series.last_number and series.paused_at is None:
        advancing.go_on(series, completed_at=now, now=now)


@transaction.atomic
def reopen_restored(*, series_id: UUID, task_id: UUID, actor_id: UUID | None, now: datetime) -> None:
    """A deletion is taken back, and with it the end of the series that it was."""
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
    if series.paused_at is None:
        raise NotPaused
    writing.changed(series, {"paused_at": None}, kind="resumed", actor=actor, now=now)
    if not task_selectors.open_among([series.last_task_id]):
        done = task_selectors.completed_among([series.last_task_id])
        advancing.go_on(series, completed_at=done.get(series.last_task_id, now), now=now, catch_up="skip")
    return series


@transaction.atomic
def end_series(*, series_id: UUID, actor: User, now: datetime, expected_version: int | None = None) -> Series:
    """Make no more; what is open stays, and repeats no more. Raises `SeriesNotFound`, `StaleVersion`, `SeriesEnded`."""
    series = writing.locked(series_id, expected_version=expected_version)
    writing.check_goes_on(series)
    _end(series, because=Series.Ended.ASKED, actor=actor, now=now)
    return series


def open_tasks(series: Series) -> list[UUID]:
    """Of the newest occurrences those whose tasks are open, the newest first."""
    newest = list(series.occurrences.order_by("-number").values_list("task_id", flat=True)[: advancing.MOST_OPEN])
    still_open = task_selectors.open_among(newest)
    return [task_id for task_id in newest if task_id in still_open]


def tell_open_tasks(
    series: Series, recurrence: Mapping[str, Any] | None, *, but: UUID | None, actor: User | None, now: datetime
) -> None:
    """Let the open tasks carry what the series does now; one that it does not fit keeps what it has."""
    for task_id in open_tasks(series):
        if task_id != but:
            with suppress(TaskRefused):
                task_services.update_task(task_id=task_id, actor=actor, changes={"recurrence": recurrence}, now=now)


def _end(series: Series, *, because: Series.Ended, actor: User | None, now: datetime) -> None:
    """By a person's will: what is open stays, and repeats no more."""
    writing.end(series, because=because, actor=actor, now=now)
    tell_open_tasks(series, None, but=None, actor=actor, now=now)


def _person(actor_id: UUID | None) -> User | None:
    return User.objects.filter(pk=actor_id).first() if actor_id else None
