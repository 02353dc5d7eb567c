"""Puts the declared schedules into django-celery-beat's tables, where people may change them in the admin.

Invariant: a row that a person changed is never touched again. What was declared is kept in the row's
description, so that a later release can tell a changed declaration from a changed row.
"""

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

_DECLARED = "Declared by the project; a change made here is kept. "


@dataclass(frozen=True, slots=True)
class Schedule:
    """Ring `job` in `queue` every so many seconds."""

    job: str
    queue: str
    every_seconds: int
    arguments: dict[str, Any]


_of_other_apps: dict[str, Schedule] = {}


def declare(name: str, schedule: Schedule) -> None:
    """For the apps above, from their `ready`. Raises `ValueError` when another schedule has the name."""
    if _of_other_apps.setdefault(name, schedule) != schedule:
        raise ValueError(f"The schedule {name} is declared twice.")


def declared() -> dict[str, Schedule]:
    """Every schedule by its name: what beats in this system."""
    first_queue = settings.CONSUMER_GROUPS[0]
    return {
        **_of_other_apps,
        **{
            f"Reconcile {group}": Schedule("events.reconcile_group", group, 60, {"group": group})
            for group in settings.CONSUMER_GROUPS
        },
        "Finish erasures": Schedule("events.erase_again", first_queue, 60, {}),
        "Prune the event log": Schedule("events.prune_log", first_queue, 900, {}),
    }


def synchronise() -> dict[str, str]:
    """Create what is missing, bring untouched rows up to date; per name what was done, in words."""
    return {name: _synchronise(name, schedule) for name, schedule in declared().items()}


@transaction.atomic
def _synchronise(name: str, schedule: Schedule) -> str:
    row = PeriodicTask.objects.select_for_update().filter(name=name).first()
    if row is None:
        # As if it had been rung before, so that beat rings it at its first tick and not a whole period later.
        row = PeriodicTask(name=name, last_run_at=timezone.now() - timedelta(seconds=schedule.every_seconds))
        done = "created"
    elif not row.enabled or (was := _declaration_in(row)) is None or _of(row) != was:
        return "kept as changed in the admin"
    elif _of(row) == schedule:
        return "up to date"
    else:
        done = "updated"
    row.task = schedule.job
    row.queue = schedule.queue
    row.kwargs = json.dumps(schedule.arguments)
    row.interval = IntervalSchedule.objects.get_or_create(
        every=schedule.every_seconds, period=IntervalSchedule.SECONDS
    )[0]
    # A ring that nobody answered in time is worth nothing: the next one does the same.
    row.expire_seconds = max(schedule.every_seconds, 10)
    row.description = _DECLARED + json.dumps(asdict(schedule))
    row.save()
    return done


def _of(row: PeriodicTask) -> Schedule | None:
    if row.interval is None or row.interval.period != IntervalSchedule.SECONDS:
        return None
    return Schedule(row.task, row.queue or "", row.interval.every, json.loads(row.kwargs or "{}"))


def _declaration_in(row: PeriodicTask) -> Schedule | None:
    try:
        return Schedule(**json.loads(row.description.removeprefix(_DECLARED)))
    except (ValueError, TypeError):
        return None
