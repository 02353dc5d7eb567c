"""Reads of reminders."""

from typing import Any
from uuid import UUID

from django.db import connection

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
SELECT owner_id FROM notifications_preferences WHERE follows_up_from IS NOT NULL ORDER BY owner_id LIMIT %s
"""


def reminders_of(*, owner: User) -> Any:
    """All reminders a person may see, those that are over among them."""
    return owned_by(Reminder.objects.all(), owner)


def seconds_ahead(*, within: float) -> list[float]:
    """In how many seconds, by the database's clock, reminders are due that will be soon: one for each second."""
    with connection.cursor() as cursor:
        cursor.execute(_SECONDS_AHEAD, [within])
        return [float(row[0]) for row in cursor.fetchall()]


def owners_to_follow_up(*, most: int) -> list[UUID]:
    """People whose tasks have still to follow a change of their defaults or time zone."""
    with connection.cursor() as cursor:
        cursor.execute(_OWNERS_TO_FOLLOW_UP, [most])
        return [row[0] for row in cursor.fetchall()]
