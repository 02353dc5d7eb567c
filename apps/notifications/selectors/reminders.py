"""Reads of reminders."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.notifications.models import Reminder
from apps.notifications.selectors.whose import owned_by

_SECONDS_AHEAD = """
SELECT extract(epoch FROM max(trigger_at) - clock_timestamp())
FROM notifications_reminder
WHERE status IN ('planned', 'snoozed') AND trigger_at > now() AND trigger_at <= now() + make_interval(secs => %s)
GROUP BY date_trunc('second', trigger_at)
"""
_OWNERS_TO_FOLLOW_UP = """
SELECT owner_id FROM notifications_preferences
WHERE follows_up_from IS NOT NULL AND owner_id <> ALL(%s::uuid[]) ORDER BY owner_id LIMIT %s
"""
_IS_ANY_DUE = """
SELECT EXISTS (
    SELECT FROM notifications_reminder r JOIN accounts_user u ON u.id = r.owner_id
    WHERE r.status IN ('planned', 'snoozed') AND r.trigger_at <= statement_timestamp() AND u.is_active
    AND r.id <> ALL(%s::uuid[])
)
"""


def reminders_of(*, owner: User) -> QuerySet[Reminder]:
    """All reminders a person may see, with their tasks; those that are over among them."""
    found: QuerySet[Reminder] = owned_by(Reminder.objects.select_related("task"), owner)
    return found


def seconds_ahead(*, within: float) -> list[float]:
    """In how many seconds, by the database's clock, reminders are due that will be soon: one for each second."""
    with connection.cursor() as cursor:
        cursor.execute(_SECONDS_AHEAD, [within])
        return [float(row[0]) for row in cursor.fetchall()]


def is_any_due(*, but: Collection[UUID]) -> bool:
    """Whether something is due that nobody triggered yet: somebody may hold its task just now."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_ANY_DUE, [list(but)])
        return bool(cursor.fetchone()[0])


def owners_to_follow_up(*, most: int, but: Collection[UUID] = ()) -> list[UUID]:
    """People whose tasks have still to follow a change of their defaults or time zone."""
    with connection.cursor() as cursor:
        cursor.execute(_OWNERS_TO_FOLLOW_UP, [list(but), most])
        return [row[0] for row in cursor.fetchall()]
