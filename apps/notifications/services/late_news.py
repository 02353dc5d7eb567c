"""Reminders that were triggered in time and heard of too late: they are `stale`, as if they had been found late.

Invariant: inside the caller's transaction, who took the turns of their tasks.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from apps.notifications.choices import standing
from apps.notifications.events import ReminderEvent
from apps.notifications.models import Notification, Preferences, Reminder
from apps.notifications.services.news import News
from apps.notifications.services.reminders import Changes

Status = Reminder.Status


def let_go(
    told: Sequence[tuple[Notification, News]], *, preferences: Mapping[UUID, Preferences], now: datetime
) -> None:
    late = {row.reminder_id: news for row, news in told if row.because == standing.TOO_LATE and row.reminder_id}
    if not late:
        return
    changes = Changes(now=now)
    for reminder in Reminder.objects.filter(pk__in=list(late), status=Status.TRIGGERED).order_by("pk"):
        news, hours = late[reminder.pk], preferences[reminder.owner_id].stale_after_hours
        assert hours is not None, "without a limit nothing is too late"
        changes.change(
            reminder,
            ReminderEvent.STALE,
            values={"status": Status.STALE, "because": Reminder.Because.TOO_LATE},
            told={"late_seconds": round(news.late_seconds, 3), "limit_seconds": hours * 3600.0},
            cause=news.cause,
        )
    changes.keep()
