"""Changes of how a person wants to be told, and what follows from one at once.

Invariant: what is kept can be kept to: both ends of quiet hours or none, known switches, a digest with its next
instant. What quiet hours hold goes by the quiet hours there now are.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from apps.accounts.models import User
from apps.calendar import durations, zones
from apps.calendar.errors import CalendarError
from apps.notifications.choices import switches
from apps.notifications.choices.quiet import next_digest
from apps.notifications.exceptions import InvalidPreferences
from apps.notifications.models import Delivery, Preferences
from apps.notifications.selectors.preferences import defaults, of, quiet_until
from apps.tasks.exceptions import StaleVersion

__all__ = ["change", "defaults", "follow_time_zone", "of"]

MOST_HOURS = 24 * 366
# A change of these gives the person's tasks other reminders.
_PLANNED_BY = ("default_before_due", "default_on_day")
# Tasks are followed up by their ids, from before the first.
_FROM_THE_FIRST = UUID(int=0)


@transaction.atomic
def change(
    *, owner: User, changes: Mapping[str, Any], now: datetime, expected_version: int | None = None
) -> Preferences:
    """Set what is named: `switches` on top of those there are; durations as ISO 8601 text, times of day as `time`.

    Raises `InvalidPreferences` with the field, and `StaleVersion` when the row is not at the version the writer has
    seen (0: never changed). What changes nothing counts as no change.
    """
    preferences = _locked(owner.pk, now=now)
    if expected_version is not None and preferences.version != expected_version:
        raise StaleVersion(preferences)
    before = {field: getattr(preferences, field) for field in _CHECKED}
    for field, value in _checked(changes, preferences).items():
        setattr(preferences, field, value)
    _check_together(preferences)
    changed = {field for field, value in before.items() if getattr(preferences, field) != value}
    if changed:
        _follow(preferences, changed, zone=zones.zone(owner.time_zone), now=now)
        _save(preferences, now=now)
    return preferences


@transaction.atomic
def follow_time_zone(*, owner_id: UUID, time_zone: str, now: datetime) -> None:
    """The same walls in another zone: the digest's hour, and the end of quiet hours that hold something."""
    preferences = Preferences.objects.select_for_update().filter(pk=owner_id).first()
    if preferences is None:
        return
    _follow(preferences, {"digest_at", "quiet_from"}, zone=zones.zone(time_zone), now=now)
    preferences.save(update_fields=["next_digest_at"])


def _locked(owner_id: UUID, *, now: datetime) -> Preferences:
    """The person's row, made where there is none."""
    Preferences.objects.bulk_create([Preferences(owner_id=owner_id, version=0, updated_at=now)], ignore_conflicts=True)
    return Preferences.objects.select_for_update().get(pk=owner_id)


def _save(preferences: Preferences, *, now: datetime) -> None:
    preferences.version += 1
    preferences.updated_at = now
    preferences.save()


def _follow(preferences: Preferences, changed: set[str], *, zone: ZoneInfo, now: datetime) -> None:
    if changed & set(_PLANNED_BY):
        preferences.follows_up_from = _FROM_THE_FIRST
    if "digest_at" in changed:
        at = preferences.digest_at
        preferences.next_digest_at = next_digest(at, after=now, zone=zone) if at is not None else None
    if changed & {"quiet_from", "quiet_until"}:
        held = Delivery.objects.filter(
            owner_id=preferences.pk, status__in=Delivery.TO_COME, held_quiet=True, urgent=False, send_at__gt=now
        )
        # Locked in the order in which everybody locks them.
        ids = list(held.order_by("pk").select_for_update().values_list("pk", flat=True))
        Delivery.objects.filter(pk__in=ids).update(send_at=quiet_until(preferences, now=now, zone=zone) or now)


def _checked(changes: Mapping[str, Any], preferences: Preferences) -> dict[str, Any]:
    for field in changes:
        if field not in _CHECKED:
            reason = f"There is no such preference; there are: {', '.join(_CHECKED)}."
            raise InvalidPreferences(field=field, reason=reason)
    asked = dict(changes)
    if "switches" in asked:
        asked["switches"] = switches.changed(preferences.switches, asked["switches"])
    return {field: _CHECKED[field](field, value) for field, value in asked.items()}


def _check_together(preferences: Preferences) -> None:
    begins, ends = preferences.quiet_from, preferences.quiet_until
    if (begins is None) != (ends is None):
        lacking = "quiet_from" if begins is None else "quiet_until"
        raise InvalidPreferences(field=lacking, reason="Quiet hours have both ends: give both, or null for both.")
    if begins is not None and begins == ends:
        raise InvalidPreferences(
            field="quiet_until", reason="Quiet hours that end when they begin are none: give another time, or null."
        )


def _as_it_is(_: str, value: Any) -> Any:
    return value


def _time_of_day(field: str, value: Any) -> time | None:
    if value is None or (isinstance(value, time) and value.tzinfo is None):
        return value.replace(microsecond=0) if value else value
    raise InvalidPreferences(field=field, reason="Give a time of day such as 09:00, in your time zone, or null.")


def _before_due(field: str, value: Any) -> str | None:
    if value is None:
        return None
    try:
        duration = durations.parse(str(value))
    except CalendarError as reason:
        raise InvalidPreferences(field=field, reason=str(reason)) from reason
    if duration < timedelta():
        raise InvalidPreferences(field=field, reason="A reminder comes before due: write a length such as PT30M.")
    return durations.text(duration)


def _yes_or_no(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidPreferences(field=field, reason="That is true or false.")
    return value


def _hours(field: str, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_HOURS:
        reason = f"Give whole hours from 1 to {MOST_HOURS}, or null: then however late it is you are told."
        raise InvalidPreferences(field=field, reason=reason)
    return value


_CHECKED: dict[str, Callable[[str, Any], Any]] = {
    "switches": _as_it_is,
    "default_before_due": _before_due,
    "default_on_day": _time_of_day,
    "quiet_from": _time_of_day,
    "quiet_until": _time_of_day,
    "digest_at": _time_of_day,
    "batches": _yes_or_no,
    "stale_after_hours": _hours,
}
