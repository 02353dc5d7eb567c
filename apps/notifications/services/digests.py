"""The daily digest: what is overdue and what is due that day, at the hour its owner chose.

Invariant: a digest is claimed by its owner's row, told and moved on to the next day in one transaction; of a local
date there is one, also after days on which nobody was there to send it.
"""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.db import transaction
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.calendar import zones
from apps.notifications.choices import switches, wording
from apps.notifications.choices.quiet import digest_of, next_digest
from apps.notifications.kinds import Kind
from apps.notifications.models import Preferences
from apps.notifications.selectors.clock import database_now
from apps.notifications.services import each_apart
from apps.notifications.services.news import News
from apps.tasks.models import Task
from apps.tasks.selectors import Agenda, agenda

log = structlog.get_logger(__name__)

AT_ONCE = 50
# Of either kind; how many there are is told beside them.
MOST_TASKS = 50
# A day that is over needs no digest, but for one that was to come just before it ended.
_TOO_LATE = timedelta(hours=1)
# One that cannot be made holds up nobody, and is tried again after so long.
_PUT_OFF = timedelta(hours=1)
_TITLE_IN_TEXT = 100


@transaction.atomic
def send_digests(*, most: int = AT_ONCE) -> int:
    """Tell the digests that are due, the oldest first; how many people were looked at. Fewer than `most`: all."""
    due = Preferences.objects.filter(next_digest_at__lte=Now(), owner__is_active=True).select_related("owner")
    rows = list(due.order_by("next_digest_at", "pk").select_for_update(skip_locked=True, of=("self",))[:most])
    if not rows:
        return 0
    now = database_now()
    made = each_apart.each(
        rows, lambda row: (_news_of(row, now=now), _next(row, now=now)), sweep="digests", named=lambda row: str(row.pk)
    )
    _, untold = each_apart.told([news for _, (news, _) in made if news], sweep="digests", now=now)
    follows = {row.pk: after for row, (news, after) in made if news is None or news.once not in untold}
    for row in rows:
        row.next_digest_at = follows.get(row.pk, now + _PUT_OFF)
        row.save(update_fields=["next_digest_at"])
    return len(rows)


def _news_of(row: Preferences, *, now: datetime) -> News | None:
    """Nothing where nothing is due, nobody wants it, or the day is over."""
    owner, zone = row.owner, zones.zone(row.owner.time_zone)
    if row.digest_at is None or not switches.is_on_anywhere(row.switches, kind=Kind.DIGEST):
        return None
    at = _latest(row, zone=zone, now=now)
    day = zones.local_date(at, zone)
    if day != zones.local_date(now, zone) and now - at > _TOO_LATE:
        log.info("digest_left_out", owner_id=str(owner.pk), day=day.isoformat(), because="the day is over")
        return None
    found = agenda(owner, today=day, zone=zone, now=now, most=MOST_TASKS)
    return _told(owner, found, at=at, day=day, zone=zone, now=now) if found.overdue_total + found.today_total else None


def _told(owner: User, found: Agenda, *, at: datetime, day: date, zone: ZoneInfo, now: datetime) -> News:
    left_out = found.overdue_total + found.today_total - len(found.overdue) - len(found.today)
    lines = {
        name: [
            wording.line_of_digest(_short(task.title), task.due_at, task.due_on, now=now, zone=zone) for task in tasks
        ]
        for name, tasks in (("overdue", found.overdue), ("today", found.today))
    }
    return News(
        owner_id=owner.pk,
        kind=Kind.DIGEST,
        once=f"digest/{owner.pk}/{day.isoformat()}",
        title=wording.title_of_digest(overdue=found.overdue_total, today=found.today_total),
        text=wording.of_digest(lines["overdue"], lines["today"], left_out=left_out),
        about_at=at,
        late_seconds=(now - at).total_seconds(),
        data={
            "overdue": [_as_json(task) for task in found.overdue],
            "overdue_total": found.overdue_total,
            "today": [_as_json(task) for task in found.today],
            "today_total": found.today_total,
        },
    )


def _latest(row: Preferences, *, zone: ZoneInfo, now: datetime) -> datetime:
    """The instant of the last digest that is due."""
    assert row.digest_at is not None
    today = zones.local_date(now, zone)
    at = digest_of(today, row.digest_at, zone=zone)
    return at if at <= now else digest_of(today - timedelta(days=1), row.digest_at, zone=zone)


def _next(row: Preferences, *, now: datetime) -> datetime | None:
    if row.digest_at is None:
        return None
    return next_digest(row.digest_at, after=now, zone=zones.zone(row.owner.time_zone))


def _short(title: str) -> str:
    return title if len(title) <= _TITLE_IN_TEXT else f"{title[: _TITLE_IN_TEXT - 1]}…"


def _as_json(task: Task) -> dict[str, Any]:
    return {
        "task_id": str(task.pk),
        "title": task.title,
        "due_at": zones.instant_text(task.due_at),
        "due_on": task.due_on.isoformat() if task.due_on else None,
        "priority": str(task.priority),
    }
