"""Keeps the reminders of tasks as the tasks ask for them.

Invariant: what is heard of a task that is not newer than what was heard before changes nothing.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.accounts.models import User
from apps.calendar.zones import instant_text
from apps.events import doorbells
from apps.events.envelope import Envelope
from apps.notifications.events import ReminderEvent
from apps.notifications.models import Preferences, RemindedTask, Reminder
from apps.notifications.services.reminders import Changes, in_waves, take_turns
from apps.notifications.wanted import Because, Defaults, Fate, Picture, Wanted, due_of, fate, wanted

Status = Reminder.Status

_PAINTED = ("pk", "version", "title", "status", "priority", "due_at", "due_on", "due_time_zone")
_REPAINT = """
UPDATE notifications_remindedtask AS t
SET version = v.version, title = v.title, status = v.status, priority = v.priority, due_at = v.due_at,
    due_on = v.due_on, due_time_zone = v.due_time_zone, reminders = v.reminders
FROM unnest(%s::uuid[], %s::integer[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::date[], %s::text[],
            %s::jsonb[])
    AS v(task_id, version, title, status, priority, due_at, due_on, due_time_zone, reminders)
WHERE t.task_id = v.task_id
"""

# Tasks follow by their ids, from before the first.
FROM_THE_FIRST = UUID(int=0)
# So many tasks follow a change of their owner's defaults or time zone at once.
MOST_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What is heard of a task, since when it is so, and what told it; `reason` is why reminders move because of it."""

    picture: Picture
    at: datetime
    cause: Envelope | None = None
    actor_id: UUID | None = None
    reason: str = "task"


@transaction.atomic
def follow_tasks(events: Sequence[Envelope], *, now: datetime) -> None:
    """Plan, move and cancel the reminders of tasks by what happened to them, in order."""
    heard = [
        Heard(
            picture=Picture.told(event),
            at=event.occurred_at,
            cause=event,
            actor_id=event.actor_id,
            reason="reopened" if event.type.startswith(("task.reopened.", "task.restored.")) else "task",
        )
        for event in events
    ]
    _turns(heard)  # of all at once, before the first is changed
    for wave in in_waves(heard, of=lambda one: one.picture.task_id):
        follow(wave, now=now)


def follow(heard: Sequence[Heard], *, now: datetime, again: bool = False) -> None:
    """Plan anew by what is heard of tasks, one news of each. In a transaction of the caller's.

    `again`: also by what is no newer than what was heard before, where a default or a zone is another.
    """
    turns = _turns(heard)
    by_task = {news.picture.task_id: news for news in heard}
    behind = 0 if again else 1
    fresh = {pk: task for pk, task in turns.items() if by_task[pk].picture.version >= task.version + behind}
    defaults = defaults_of({task.owner_id for task in fresh.values()}) if fresh else {}
    # Who is erased meanwhile is told nothing any more.
    fresh = {pk: task for pk, task in fresh.items() if task.owner_id in defaults}
    if not fresh:
        return
    reminders = _by_task(fresh)
    changes = Changes(now=now)
    for pk, task in fresh.items():
        _follow_one(task, reminders[pk], by_task[pk], defaults=defaults[task.owner_id], changes=changes)
    changes.keep()
    _remember(fresh, by_task)


def defaults_of(owner_ids: Collection[UUID]) -> dict[UUID, Defaults]:
    """What these people want by default, and where they live; those who are erased are left out."""
    preferences = Preferences.objects.in_bulk(owner_ids)
    people = User.objects.filter(pk__in=owner_ids, erased_at=None).values_list("pk", "time_zone")
    return {pk: Defaults.of(preferences.get(pk), time_zone=zone) for pk, zone in people}


@transaction.atomic
def follow_up(*, owner_id: UUID, now: datetime) -> bool:
    """Let the next tasks of a person follow a change of their defaults or time zone; whether some are left."""
    preferences = Preferences.objects.select_for_update().filter(pk=owner_id, follows_up_from__isnull=False).first()
    if preferences is None:
        return False
    tasks = RemindedTask.objects.filter(owner_id=owner_id, pk__gt=preferences.follows_up_from).order_by("pk")
    step = list(tasks[:MOST_AT_ONCE])
    if step:
        turns = take_turns([task.pk for task in step])
        heard = [Heard(picture=Picture.remembered(task), at=now, reason="default") for task in turns.values()]
        follow(heard, now=now, again=True)
    left = len(step) == MOST_AT_ONCE
    preferences.follows_up_from = step[-1].pk if left else None
    preferences.save(update_fields=["follows_up_from"])
    return left


def follow_up_all(*, owner_ids: Collection[UUID], now: datetime) -> None:
    """Let all tasks of these people follow a change of their time zone: from here on a job's work, step by step.

    Here only their preferences are locked, which everybody locks before anything else.
    """
    people = User.objects.filter(pk__in=owner_ids, erased_at=None).order_by("pk").values_list("pk", flat=True)
    rows = [Preferences(owner_id=pk, version=0, updated_at=now, follows_up_from=FROM_THE_FIRST) for pk in people]
    Preferences.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["owner"], update_fields=["follows_up_from"]
    )
    doorbells.ring("notifications.follow_up")


def _turns(heard: Sequence[Heard]) -> dict[UUID, RemindedTask]:
    """The rows of these tasks, locked; new ones for those that may want reminders."""
    turns = take_turns([one.picture.task_id for one in heard])
    new = {
        one.picture.task_id: one.picture
        for one in heard
        if one.picture.task_id not in turns and _is_of_interest(one.picture)
    }
    if not new:
        return turns
    owner_ids = {picture.owner_id for picture in new.values()}
    there = set(User.objects.filter(pk__in=owner_ids, erased_at=None).values_list("pk", flat=True))
    rows = [_row(new[pk]) for pk in sorted(new) if new[pk].owner_id in there]
    RemindedTask.objects.bulk_create(rows, ignore_conflicts=True)
    return turns | take_turns([row.pk for row in rows])


def _is_of_interest(picture: Picture) -> bool:
    return picture.may_want_any and not picture.purged


def _row(picture: Picture) -> RemindedTask:
    """As nobody has heard of it yet."""
    return RemindedTask(**picture.columns() | {"version": 0})


def _remember(fresh: Mapping[UUID, RemindedTask], by_task: Mapping[UUID, Heard]) -> None:
    gone = [pk for pk in fresh if by_task[pk].picture.purged]
    for pk, task in fresh.items():
        for name, value in by_task[pk].picture.columns().items():
            setattr(task, name, value)
    _repaint([task for pk, task in fresh.items() if pk not in gone])
    if gone:
        Reminder.objects.filter(task_id__in=gone).delete()
        RemindedTask.objects.filter(pk__in=gone).delete()


def _repaint(tasks: Sequence[RemindedTask]) -> None:
    columns: list[list[Any]] = [[getattr(task, name) for task in tasks] for name in _PAINTED]
    columns.append([None if task.reminders is None else json.dumps(task.reminders) for task in tasks])
    with connection.cursor() as cursor:
        cursor.execute(_REPAINT, columns)


def _by_task(fresh: Mapping[UUID, RemindedTask]) -> dict[UUID, dict[UUID, Reminder]]:
    found: dict[UUID, dict[UUID, Reminder]] = {pk: {} for pk in fresh}
    for reminder in Reminder.objects.filter(task_id__in=list(fresh)):
        found[reminder.task_id][reminder.pk] = reminder
    return found


def _follow_one(
    task: RemindedTask, reminders: Mapping[UUID, Reminder], heard: Heard, *, defaults: Defaults, changes: Changes
) -> None:
    picture = heard.picture
    asked = wanted(picture, defaults=defaults)
    due, moved = picture.due(defaults.time_zone), due_of(task) != due_of(picture)
    for pk in [*asked, *(pk for pk in reminders if pk not in asked)]:
        reminder, want = reminders.get(pk), asked.get(pk)
        end = fate(reminder, want, picture, moved=moved, due=due, asked_at=heard.at)
        if end is None:
            continue
        if end.because is not None and reminder is not None:
            _cancel(reminder, end.because, heard=heard, changes=changes)
        elif end.at is not None and want is not None:
            _plan(reminder or _new(pk, task), want, end, heard=heard, changes=changes)


def _new(pk: UUID, task: RemindedTask) -> Reminder:
    return Reminder(pk=pk, owner_id=task.owner_id, task=task, version=0)


def _plan(reminder: Reminder, want: Wanted, end: Fate, *, heard: Heard, changes: Changes) -> None:
    assert end.at is not None
    values = {"before_due": want.before_due, "planned_for": want.planned_for, "origin": want.origin}
    if reminder.version == 0:
        for name, value in (values | {"trigger_at": end.at}).items():
            setattr(reminder, name, value)
        changes.make(reminder, actor_id=heard.actor_id, cause=heard.cause)
        return
    told = {
        "before": instant_text(reminder.trigger_at) if reminder.waits else None,
        "after": instant_text(end.at),
        "because": heard.reason,
    }
    status = reminder.status if end.stays else Status.PLANNED
    changes.change(
        reminder,
        ReminderEvent.RESCHEDULED,
        values=values | {"trigger_at": end.at, "status": status, "because": ""},
        told=told,
        actor_id=heard.actor_id,
        cause=heard.cause,
    )


def _cancel(reminder: Reminder, because: Because, *, heard: Heard, changes: Changes) -> None:
    changes.change(
        reminder,
        ReminderEvent.CANCELLED,
        values={"status": Status.CANCELLED, "because": because},
        told={"because": str(because)},
        actor_id=heard.actor_id,
        cause=heard.cause,
    )
