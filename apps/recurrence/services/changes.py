"""How every change of a series is made: lock its row, change it with its version, announce it.

Invariant: a series is locked before anything of tasks, and who changes several of its tasks takes their owner's turn
before the first: so nobody waits in a circle, neither with another change of series nor with one of tasks.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import Signal

from apps.accounts.models import User
from apps.calendar.recurrences import parse_wall, wall_text
from apps.calendar.zones import instant_text
from apps.events.envelope import Envelope
from apps.recurrence import schedule as scheduling
from apps.recurrence import signals
from apps.recurrence.catching_up import Advance
from apps.recurrence.exceptions import SeriesEnded, SeriesNotFound
from apps.recurrence.models import Occurrence, Series
from apps.tasks.exceptions import StaleVersion


def locked(series_id: UUID, *, expected_version: int | None = None) -> Series:
    """The row, locked. Raises `SeriesNotFound` and `StaleVersion`."""
    series: Series | None = Series.objects.select_for_update(of=("self",)).filter(pk=series_id).first()
    if series is None:
        raise SeriesNotFound(series_id)
    if expected_version is not None and series.version != expected_version:
        raise StaleVersion(series)
    return series


def found(series_id: UUID | None) -> Series | None:
    """The row, locked, if there is one: an event may tell of a series that is gone, or never was."""
    if series_id is None:
        return None
    series: Series | None = Series.objects.select_for_update(of=("self",)).filter(pk=series_id).first()
    return series


def check_goes_on(series: Series) -> None:
    """Raises `SeriesEnded`."""
    if not series.is_active:
        raise SeriesEnded


def change(
    series: Series,
    values: Mapping[str, Any],
    signal: Signal,
    *,
    actor: User | None,
    now: datetime,
    told: Mapping[str, Any],
) -> Envelope:
    """Set columns of a locked row, count the change and announce it; the event."""
    for name, value in values.items():
        setattr(series, name, value)
    series.looks_at = _next_look(series)
    series.advance(now=now)
    series.save(update_fields=[*values, "looks_at", "version", "updated_at"])
    return announce(series, signal, actor=actor, now=now, told=told)


def announce(series: Series, signal: Signal, *, actor: User | None, now: datetime, told: Mapping[str, Any]) -> Envelope:
    answers = signal.send(sender=Series, series=series, actor=actor, occurred_at=now, told=told)
    # Others may listen too; the publisher is the one that answers with the event.
    told_of: list[Any] = [answer for _, answer in answers]
    return next(answer for answer in told_of if isinstance(answer, Envelope))


def insert(series: Series, *, actor: User | None, now: datetime) -> None:
    series.created_at = series.updated_at = now
    series.looks_at = _next_look(series)
    series.save(force_insert=True)
    told = {"change": "opened", "changes": {}}
    announce(series, signals.series_changed, actor=actor, now=now, told=told)


def skip(
    series: Series,
    passed: Advance,
    *,
    because: str,
    actor: User | None,
    now: datetime,
    values: Mapping[str, Any] | None = None,
) -> None:
    """Tell of dates that get no task."""
    named = [wall_text(wall) for wall in passed.skipped]
    told = {"skipped": named, "count": passed.skipped_count, "because": because}
    change(series, values or {}, signals.dates_skipped, actor=actor, now=now, told=told)


def look_again(series: Series, *, at: datetime | None = None) -> None:
    """When it is looked at, as usual if not `at`: no change of the series, and so no event."""
    series.looks_at = at or _next_look(series)
    series.save(update_fields=["looks_at"])


def owe(series: Series) -> None:
    """Remember, while it is paused, that a next one is due when it goes on."""
    series.owes_next = True
    series.save(update_fields=["owes_next"])


def end(series: Series, *, because: Series.Ended, actor: User | None, now: datetime) -> None:
    ended = {"ended_at": now, "ended_because": because, "paused_at": None}
    change(series, ended, signals.series_ended, actor=actor, now=now, told={"because": str(because)})


def changed(series: Series, values: Mapping[str, Any], *, kind: str, actor: User | None, now: datetime) -> None:
    """Set columns and tell which, with their values before and after."""
    differing = {name: value for name, value in values.items() if getattr(series, name) != value}
    told = {
        name: {"before": _plain(getattr(series, name)), "after": _plain(value)} for name, value in differing.items()
    }
    change(series, values, signals.series_changed, actor=actor, now=now, told={"change": kind, "changes": told})


def occurrence_of(series: Series, task_id: UUID) -> Occurrence | None:
    return Occurrence.objects.filter(series=series, task_id=task_id).first()


def _next_look(series: Series) -> datetime | None:
    """One that makes every date is looked at when the last one made has come."""
    if not series.makes_every_date or not series.is_active or series.paused_at is not None:
        return None
    return scheduling.comes_at(parse_wall(series.last_recurrence_id), zone=series.zone)


def _plain(value: Any) -> Any:
    return instant_text(value) if isinstance(value, datetime) else value
