"""How people want to be told."""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.notifications.choices.quiet import QuietHours
from apps.notifications.models import Preferences

# Nobody has changed anything yet.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def of(owner_ids: Collection[UUID]) -> dict[UUID, Preferences]:
    """Each person's; who never changed anything has the defaults, as version 0."""
    kept = Preferences.objects.in_bulk(list(owner_ids))
    return {owner_id: kept.get(owner_id) or defaults(owner_id) for owner_id in owner_ids}


def defaults(owner_id: UUID) -> Preferences:
    """Of who never changed anything, not kept."""
    return Preferences(owner_id=owner_id, version=0, updated_at=_NEVER)


def quiet_until(preferences: Preferences, *, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours that hold now end, in UTC; nothing where none hold."""
    hours = quiet_hours(preferences)
    return hours.end(now, zone=zone) if hours else None


def quiet_hours(preferences: Preferences) -> QuietHours | None:
    begins, ends = preferences.quiet_from, preferences.quiet_until
    return QuietHours(begins, ends) if begins is not None and ends is not None else None
