"""How notifications are changed: locked by id, changed with their versions, announced.

Invariant: a change and its event are kept together; what was decided about a notification is kept without one.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from apps.events.envelope import Envelope
from apps.notifications import signals
from apps.notifications.events import NotificationEvent
from apps.notifications.models import Notification
from apps.notifications.publishers import notification_state, plain
from apps.notifications.signals import Change

# Of what is heard of again and again nobody wants to read each time.
MOST_CHOICES = 40

_KEEP = """
UPDATE notifications_notification AS n SET choices = v.choices
FROM json_to_recordset(%s::json) AS v(id uuid, choices jsonb) WHERE n.id = v.id
"""
_ADD = """
UPDATE notifications_notification AS n SET choices = n.choices || v.choices
FROM json_to_recordset(%s::json) AS v(id uuid, choices jsonb)
WHERE n.id = v.id AND jsonb_array_length(n.choices) < %s
"""
_CHANGE = """
UPDATE notifications_notification AS n
SET status = v.status, because = v.because, read_at = v.read_at, snoozed_until = v.snoozed_until,
    version = v.version, updated_at = v.updated_at
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::integer[],
            %s::timestamptz[]) AS v(id, status, because, read_at, snoozed_until, version, updated_at)
WHERE n.id = v.id AND n.version = v.version - 1
"""
_COLUMNS = ("pk", "status", "because", "read_at", "snoozed_until", "version", "updated_at")


def insert(notifications: Sequence[Notification]) -> set[UUID]:
    """Keep new ones, but those whose `once` is there already; the ids of the others.

    As one parameter: arrays of JSON cost more in escaping than all the rest of writing them.
    """
    columns = Notification._meta.concrete_fields  # noqa: SLF001 - Django's documented API
    rows = [{str(one.column): getattr(row, one.attname) for one in columns} for row in notifications]
    with connection.cursor() as cursor:
        cursor.execute(_insert(), [json.dumps(rows, default=str)])
        return {row[0] for row in cursor.fetchall()}


@cache
def _insert() -> str:
    columns = Notification._meta.concrete_fields  # noqa: SLF001 - Django's documented API
    names = ", ".join(str(column.column) for column in columns)
    return (
        f"INSERT INTO notifications_notification ({names}) SELECT {names} FROM "  # noqa: S608 - our own names
        "json_populate_recordset(NULL::notifications_notification, %s::json) "
        "ON CONFLICT (once) DO NOTHING RETURNING id"
    )


def keep_choices(choices: Mapping[UUID, Sequence[Mapping[str, Any]]], *, add: bool = False) -> None:
    """What was decided about these; with `add` behind what was decided before."""
    ids = sorted(choices)
    values = json.dumps([{"id": str(pk), "choices": list(choices[pk])} for pk in ids])
    if add:
        locked(Q(pk__in=ids))
    with connection.cursor() as cursor:
        cursor.execute(_ADD if add else _KEEP, [values, *([MOST_CHOICES] if add else [])])


def locked(which: Q, *, most: int | None = None) -> list[Notification]:
    """Locked in one order for everybody."""
    return list(Notification.objects.filter(which).order_by("pk").select_for_update()[:most])


def change(
    notifications: Sequence[Notification],
    values: Mapping[str, Any],
    *,
    kind: str,
    now: datetime,
    actor_id: UUID | None = None,
    causes: Mapping[UUID, Envelope] | None = None,
) -> None:
    """Set these columns of locked rows and tell what became of each: `read`, `unread`, `snoozed`, `done`.

    `causes` are the events that led to it, by the ids of notifications.
    """
    if not notifications:
        return
    facts = [
        _changed(one, values, kind=kind, now=now, actor_id=actor_id, cause=(causes or {}).get(one.pk))
        for one in notifications
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CHANGE, [[getattr(one, name) for one in notifications] for name in _COLUMNS])
        assert cursor.rowcount == len(notifications), "their rows are locked"
    signals.notifications_changed.send(sender=Notification, changes=facts, occurred_at=now)


def _changed(
    one: Notification,
    values: Mapping[str, Any],
    *,
    kind: str,
    now: datetime,
    actor_id: UUID | None,
    cause: Envelope | None,
) -> Change:
    before = {name: getattr(one, name) for name in values}
    for name, value in values.items():
        setattr(one, name, value)
    one.version += 1
    one.updated_at = now
    told = {
        name: {"before": plain(before[name]), "after": plain(value)}
        for name, value in values.items()
        if before[name] != value
    }
    return Change(
        fact=NotificationEvent.UPDATED,
        row=one,
        version=one.version,
        state=notification_state(one),
        actor_id=actor_id,
        cause=cause,
        told={"change": kind, "changes": told},
    )
