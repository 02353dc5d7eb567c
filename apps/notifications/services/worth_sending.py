"""What of deliveries whose time has come is still worth sending, and whether it may go out at this hour.

Invariant: asked before each attempt, by tasks and preferences as they are; the rows are locked by the caller. What was
asked for by hand goes whatever was read meanwhile, and once at whatever hour.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from apps.calendar import zones
from apps.calendar.errors import CalendarError
from apps.notifications.choices import standing, switches
from apps.notifications.models import Delivery, Notification, Preferences
from apps.notifications.selectors import preferences
from apps.notifications.selectors.clock import database_now
from apps.notifications.transports.base import Transport
from apps.tasks import selectors as tasks
from apps.tasks.selectors import TaskPicture

Status = Delivery.Status
# Why a delivery is sent again whatever was read meanwhile.
ASKED_AGAIN = "asked_again"
# Why one waits that was to go out.
QUIET = "quiet"
SWITCHED_OFF = "switched_off"


def keep_what_may_go(
    rows: list[Delivery], items: dict[UUID, list[Notification]], *, transport: Transport
) -> list[Delivery]:
    """Those that go out now. What has nothing to tell any more is dropped, what quiet hours hold waits for their end;
    items that need nobody are taken out of `items`.
    """
    if not rows:
        return []
    now, wishes = database_now(), preferences.of({row.owner_id for row in rows})
    wanted = _drop_what_is_settled(rows, items, wishes=wishes, transport=transport, now=now)
    return _hold_what_is_quiet(wanted, wishes=wishes, now=now)


def _drop_what_is_settled(
    rows: list[Delivery],
    items: dict[UUID, list[Notification]],
    *,
    wishes: Mapping[UUID, Preferences],
    transport: Transport,
    now: datetime,
) -> list[Delivery]:
    seen = _tasks_of(one for notifications in items.values() for one in notifications)
    wanted = []
    for row in rows:
        if _by_hand(row):
            wanted.append(row)
            continue
        kept = wishes[row.owner_id].switches
        told = [
            (one, _settled_because(one, seen) or _off_because(one, kept, transport=transport)) for one in items[row.pk]
        ]
        if all(because for _, because in told):
            Delivery.objects.filter(pk=row.pk).update(
                status=Status.DROPPED, because=_common(because for _, because in told), finished_at=now
            )
        else:
            items[row.pk] = [one for one, because in told if not because]
            wanted.append(row)
    return wanted


def _hold_what_is_quiet(rows: list[Delivery], *, wishes: Mapping[UUID, Preferences], now: datetime) -> list[Delivery]:
    held = []
    for row in rows:
        if until := _quiet_until(row, wishes[row.owner_id], now=now):
            row.status, row.send_at, row.held_quiet = Status.WAITING, until, True
            row.because = row.because or QUIET
            held.append(row)
    if held:
        Delivery.objects.bulk_update(held, ["status", "send_at", "held_quiet", "because"])
    return [row for row in rows if row not in held]


def _quiet_until(row: Delivery, wishes: Preferences, *, now: datetime) -> datetime | None:
    if row.urgent or row.kind == Delivery.Kinds.TEST or (_by_hand(row) and row.attempts == 0):
        return None
    try:
        return preferences.quiet_until(wishes, now=now, zone=zones.zone(row.owner.time_zone))
    except CalendarError:
        # Nobody knows their hours; they are not to wait for that.
        return None


def _by_hand(row: Delivery) -> bool:
    return row.kind == Delivery.Kinds.TEST or row.redelivery_of_id is not None or row.because == ASKED_AGAIN


def _settled_because(one: Notification, seen: Mapping[UUID, TaskPicture]) -> str:
    """Why nobody needs to be told of it any more; empty when they do."""
    if one.status != Notification.Status.UNREAD:
        return str(one.status)
    task = seen.get(one.task_id) if one.task_id else None
    return standing.over_because(one, task) if task else ""


def _off_because(one: Notification, kept: switches.Switches, *, transport: Transport) -> str:
    return "" if switches.is_on(kept, kind=one.kind, transport=transport) else SWITCHED_OFF


def _tasks_of(notifications: Iterable[Notification]) -> dict[UUID, TaskPicture]:
    """One that nobody knows is not there."""
    asked = {one.task_id for one in notifications if one.task_id}
    return tasks.pictures(asked, lock=False) if asked else {}


def _common(reasons: Iterable[str]) -> str:
    different = sorted(set(reasons))
    return different[0] if len(different) == 1 else "settled"
