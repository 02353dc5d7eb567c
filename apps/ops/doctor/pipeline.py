"""Whether the loops of the platform come round: heartbeats, outbox, dead letters, reconcile, schedules."""

from collections.abc import Iterator
from datetime import datetime

from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from apps.events import schedules, selectors
from apps.events.subscriptions import groups
from apps.ops.doctor.examination import Verdict, warning, well, worst_of, wrong
from apps.ops.pipeline import OUTBOX_LATE_SECONDS, RECONCILE_LATE_SECONDS

# A ring that is late by so much more than its pace was missed.
_PATIENCE_SECONDS = 60
_START = "start it again: `make run` on a laptop, its deployment elsewhere."


def heartbeats() -> Verdict:
    lives = selectors.role_lives()
    dead = []
    for life in lives:
        if not life.lives:
            age = life.youngest_age_seconds
            ago = "never, or not within a day" if age is None else f"{age:.0f} s ago"
            dead.append(wrong(f"{life.role} last beat {ago}", fix=f"Look at the log of {life.role}, and {_START}"))
    return worst_of(dead, otherwise=", ".join(f"{life.role} {life.processes}" for life in lives))


def outbox() -> Verdict:
    found = selectors.outbox_status()
    told = f"{found.depth:,} events wait, the oldest for {found.oldest_age_seconds:.1f} s"
    if found.oldest_age_seconds > OUTBOX_LATE_SECONDS:
        return wrong(told, fix=f"Look at the log of relay and at kafka; if it hangs, {_START}")
    return well(told if found.depth else "empty")


def dead_letters() -> Verdict:
    parked = selectors.parked_by_group()
    if parked:
        return warning(
            "; ".join(f"{group} gave up on {count} events" for group, count in sorted(parked.items())),
            fix="Read why: `manage.py dead_letters list`; mend it, then `manage.py dead_letters replay --group GROUP`.",
        )
    return well("none")


def reconcile() -> Verdict:
    progress = {status.group: status for status in selectors.group_progress()}
    problems = []
    for group in groups():
        status = progress.get(group.name)
        look = f"Look at the log of worker-{group.name} and beat, and {_START}"
        if status is None or status.checked_at is None:
            problems.append(wrong(f"{group.name} has never reconciled", fix=look))
            continue
        age = (timezone.now() - status.checked_at).total_seconds()
        if age > RECONCILE_LATE_SECONDS:
            problems.append(wrong(f"{group.name} reconciled {age:.0f} s ago", fix=look))
        if status.repaired:
            problems.append(
                warning(
                    f"{group.name} had {status.repaired:,} events repaired",
                    fix="Events were lost on the way to it: `manage.py verify_events`, and the log for their ids.",
                )
            )
    return worst_of(problems, otherwise=f"{', '.join(progress)}: within {RECONCILE_LATE_SECONDS} s")


def beating() -> Verdict:
    rows = {row.name: row for row in PeriodicTask.objects.select_related("interval")}
    declared = schedules.declared()
    problems = [
        problem
        for name, schedule in declared.items()
        for problem in _problems_of(name, rows.get(name), every_seconds=schedule.every_seconds, now=timezone.now())
    ]
    return worst_of(problems, otherwise=f"{len(declared)} schedules, each rang in time")


def _problems_of(name: str, row: PeriodicTask | None, *, every_seconds: int, now: datetime) -> Iterator[Verdict]:
    if row is None:
        yield wrong(f"{name!r} is not there", fix="Run `manage.py sync_schedules`.")
        return
    if not row.enabled:
        yield warning(f"{name!r} is switched off", fix="Switch it on in the admin, under periodic tasks.")
        return
    pace = row.interval.every if row.interval and row.interval.period == "seconds" else every_seconds
    # Of a schedule that never rang, since it was made.
    silent = (now - (row.last_run_at or row.date_changed)).total_seconds()
    if silent > pace * 2 + _PATIENCE_SECONDS:
        yield wrong(f"{name!r} last rang {silent:.0f} s ago", fix=f"Look at the log of beat, and {_START}")
