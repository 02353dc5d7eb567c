"""What is due and what is overdue, by the clock: for nudges of everybody, and for one person's day.

Invariant: whatever the number of tasks, an answer reads by an index about as many as it gives; a day hangs in its
owner's zone, by our own database of time zones.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Q

from apps.accounts.models import User
from apps.calendar import zones
from apps.tasks.due import Due
from apps.tasks.models import WHEN_PASSED, Task
from apps.tasks.selectors.things import OPEN, tasks_of

_DAY = timedelta(days=1)
# Nowhere is the morning after a day further from that day in UTC.
_FURTHEST = 2 * _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueTask:
    """An open task whose due passed; `nudge_at` is the instant its owner is to be nudged."""

    id: UUID
    owner_id: UUID
    version: int
    title: str
    priority: str
    due_at: datetime | None
    due_on: date | None
    due_time_zone: str
    nudge_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """A person's day: the first few of what has passed, the oldest first, and of what is still due that day, by the
    clock and then without an hour; of each how many there are.
    """

    overdue: list[Task]
    overdue_total: int
    today: list[Task]
    today_total: int


def overdue_between(*, after: datetime, until: datetime, most: int, past: UUID | None = None) -> list[OverdueTask]:
    """Open tasks of everybody who may come in, whose instant to be nudged (`Due.nudge_at`) lies after the one and not
    after the other; oldest first, at most so many.

    To go on where `most` cut it short give the instant of the last as `after` and its id as `past`: many tasks share
    an instant. A task that is due sooner than its transaction commits is seen only by a window that reaches back.
    """
    found = [*_passed(after, until, past, most=most), *_days_over(after, until, past, most=most)]
    return sorted(found, key=lambda one: (one.nudge_at, one.id))[:most]


def agenda(owner: User, *, today: date, zone: ZoneInfo, now: datetime, most: int) -> Agenda:
    """What the person has before them on a day in the zone, at most so many of either kind, as it is at the instant
    `now`: what passed earlier that day is overdue. Three questions.
    """
    start, end = zones.start_of_day(today, zone), zones.end_of_day(today, zone)
    present = zones.local_date(now, zone)
    left = Q(due_at__lt=start) | Q(due_at__lte=now) | Q(due_on__lt=max(today, present))
    due = Q(due_at__gte=start, due_at__gt=now, due_at__lt=end) | Q(due_on=today, due_on__gte=present)
    # By the index of what is open; a day is sorted as its end in UTC.
    tasks = tasks_of(owner=owner).filter(status__in=OPEN, due_order_at__lt=end + _FURTHEST)
    totals = tasks.aggregate(left=Count("pk", filter=left), due=Count("pk", filter=due))
    return Agenda(
        overdue=list(tasks.filter(left).order_by("due_order_at", "id")[:most]),
        overdue_total=totals["left"],
        today=list(tasks.filter(due).order_by(F("due_at").asc(nulls_last=True), "id")[:most]),
        today_total=totals["due"],
    )


def _passed(after: datetime, until: datetime, past: UUID | None, *, most: int) -> Iterator[OverdueTask]:
    """Those due at an instant."""
    behind = Q(due_at__gt=after) | (Q(due_at=after, pk__gt=past) if past else Q())
    tasks = _open_of_everybody().filter(behind, due_at__isnull=False, passed__gte=after, passed__lte=until)
    for task in tasks.order_by("passed", "id")[:most]:
        yield _overdue(task, nudge_at=task["due_at"])


def _days_over(after: datetime, until: datetime, past: UUID | None, *, most: int) -> Iterator[OverdueTask]:
    """Those due on a day, morning by morning; as soon as there are enough no further morning is looked at."""
    found = 0
    for morning, groups in _mornings_between(after, until, at_start=past is not None):
        for day, names in groups:
            behind = Q(pk__gt=past) if past and morning == after else Q()
            over = datetime.combine(day + _DAY, time(), UTC)
            tasks = _open_of_everybody().filter(behind, due_on=day, passed=over, owner__time_zone__in=names)
            for task in tasks.order_by("id")[:most]:
                found += 1
                yield _overdue(task, nudge_at=morning)
        if found >= most:
            return


def _open_of_everybody() -> Any:
    names = [name for name in OverdueTask.__slots__ if name != "nudge_at"]
    return Task.objects.alias(passed=WHEN_PASSED).filter(status__in=OPEN, owner__is_active=True).values(*names)


def _overdue(task: Mapping[str, Any], *, nudge_at: datetime) -> OverdueTask:
    return OverdueTask(**task, nudge_at=nudge_at)


def _mornings_between(
    after: datetime, until: datetime, *, at_start: bool
) -> Iterator[tuple[datetime, Sequence[tuple[date, Sequence[str]]]]]:
    """The instants at which somebody is nudged for a day, in order: of each the days, with the zones."""
    mornings: dict[datetime, list[tuple[date, Sequence[str]]]] = defaultdict(list)
    day = after.date() - _FURTHEST
    while day <= until.date():
        for morning, names in _mornings_after(day).items():
            if after < morning <= until or (at_start and morning == after):
                mornings[morning].append((day, names))
        day += _DAY
    yield from sorted(mornings.items())


@lru_cache(maxsize=64)
def _mornings_after(day: date) -> dict[datetime, Sequence[str]]:
    """The instants at which the tasks of a day are to be nudged for, each with the zones in which it is that."""
    by_morning: dict[datetime, list[str]] = defaultdict(list)
    for name in sorted(zones.time_zone_names()):
        morning = Due(at=None, on=day, zone=zones.zone(name)).nudge_at
        if morning is not None:
            by_morning[morning].append(name)
    return dict(by_morning)
