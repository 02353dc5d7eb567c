"""Nudges people about what is overdue, as time passes: no rows in advance, a sweep asks.

Invariants: who is nudged is decided by the database's clock and by the task as it is, which cannot change before the
nudge is kept; of one due of a task there is one nudge, whatever becomes of it. How far the sweep has come is moved in
the same transaction, and never past a task that somebody was just changing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.db import transaction

from apps.calendar import zones
from apps.notifications.choices import switches, wording
from apps.notifications.kinds import Kind
from apps.notifications.models import Notification, Preferences, Watermark
from apps.notifications.selectors.clock import database_now
from apps.notifications.selectors.preferences import of
from apps.notifications.services import each_apart
from apps.notifications.services.news import News
from apps.tasks.selectors import OPEN, OverdueTask, TaskPicture, overdue_between, pictures

log = structlog.get_logger(__name__)

WATERMARK = "overdue"
AT_ONCE = 500
# A task may be due sooner than its transaction commits.
REACH_BACK = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Round:
    """How far a sweep has come: the last task looked at; the first that was just being changed. `over`: to its end."""

    after: datetime | None = None
    past: UUID | None = None
    held_back: datetime | None = None
    nudged: int = 0
    over: bool = False


@transaction.atomic
def nudge_overdue(before: Round | None = None, *, most: int = AT_ONCE) -> Round:
    """One round of a sweep, from where the one before ended; oldest first."""
    now = database_now()
    mark = _locked_watermark(now)
    if mark is None:
        return Round(over=True)
    before = before or Round(after=mark.until - REACH_BACK)
    assert before.after is not None, "a round that is not over ended somewhere"
    found = overdue_between(after=before.after, until=now, most=most, past=before.past)
    busy, news = _news(found, now=now)
    told, _ = each_apart.told(news, sweep="overdue", now=now)
    over = len(found) < most
    reached = now if over else found[-1].nudge_at
    held_back = min([*busy, *([before.held_back] if before.held_back else [])], default=None)
    mark.until = max(mark.until, min(reached, held_back) if held_back else reached)
    mark.swept_at = now
    mark.save()
    past = None if over else found[-1].id
    return Round(after=reached, past=past, held_back=held_back, nudged=len(told), over=over)


def _locked_watermark(now: datetime) -> Watermark | None:
    """Nothing while another sweep is at it. The first one of all looks at what is overdue from now on."""
    Watermark.objects.bulk_create([Watermark(name=WATERMARK, until=now)], ignore_conflicts=True)
    return Watermark.objects.select_for_update(skip_locked=True).filter(name=WATERMARK).first()


def _news(found: Sequence[OverdueTask], *, now: datetime) -> tuple[list[datetime], list[News]]:
    """The instants of those that somebody is just changing, and what is to be told of the others."""
    told = set(Notification.objects.filter(once__in=[_once(one) for one in found]).values_list("once", flat=True))
    fresh = [one for one in found if _once(one) not in told]
    if not fresh:
        return [], []
    wanted = _wanted(fresh, now=now)
    held = pictures([one.id for one in wanted], lock=True)
    busy = [one.nudge_at for one in wanted if one.id not in held]
    still = [one for one in wanted if one.id in held and _still_overdue(one, held[one.id])]
    zone_of = {one.id: held[one.id].owner_time_zone for one in still}
    made = each_apart.each(
        still,
        lambda one: _news_of(one, zone=zones.zone(zone_of[one.id]), now=now),
        sweep="overdue",
        named=lambda one: str(one.id),
    )
    return busy, [news for _, news in made]


def _wanted(found: Sequence[OverdueTask], *, now: datetime) -> list[OverdueTask]:
    preferences = of({one.owner_id for one in found})
    wanted = [one for one in found if switches.is_on_anywhere(preferences[one.owner_id].switches, kind=Kind.OVERDUE)]
    in_time = [one for one in wanted if not _too_late(one, preferences, now=now)]
    if len(in_time) < len(wanted):
        log.info("overdue_left_out", tasks=len(wanted) - len(in_time), because="later than their owners' limit")
    return in_time


def _too_late(one: OverdueTask, preferences: Mapping[UUID, Preferences], *, now: datetime) -> bool:
    hours = preferences[one.owner_id].stale_after_hours
    return hours is not None and now - one.nudge_at > timedelta(hours=hours)


def _still_overdue(one: OverdueTask, task: TaskPicture) -> bool:
    return task.status in OPEN and (task.due_at, task.due_on) == (one.due_at, one.due_on)


def _news_of(one: OverdueTask, *, zone: ZoneInfo, now: datetime) -> News:
    return News(
        owner_id=one.owner_id,
        kind=Kind.OVERDUE,
        once=_once(one),
        title=one.title,
        text=wording.of_overdue(one.due_at, one.due_on, now=now, zone=zone),
        about_at=one.nudge_at,
        task_id=one.id,
        urgent=one.priority == "urgent",
        due_at=one.due_at,
        due_on=one.due_on,
        late_seconds=(now - one.nudge_at).total_seconds(),
    )


def _once(one: OverdueTask) -> str:
    due = one.due_on.isoformat() if one.due_on else zones.instant_text(one.due_at)
    return f"overdue/{one.id}/{due}"
