"""Makes the next occurrence of a task that repeats: a copy of the one before, open again and due later.

Invariant: nothing here refuses for what a person could not have known, such as a reminder that has passed or a list
that is gone: the copy does without.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from uuid_utils.compat import uuid7

from apps.calendar import zones
from apps.events.envelope import Envelope
from apps.tasks import selectors, signals, steps
from apps.tasks.due import Due
from apps.tasks.exceptions import TaskNotFound
from apps.tasks.models import Task, TaskList
from apps.tasks.services import changes as writing
from apps.tasks.services import family, fields, tags

# What may hold for a series where the occurrence before differs.
KEPT = frozenset({"title", "description", "priority", "tags", "list", "reminders"})


@transaction.atomic
def create_occurrence(
    *,
    of: UUID,
    owner_id: UUID,
    series_id: UUID,
    recurrence_id: str,
    recurrence: Mapping[str, Any],
    now: datetime,
    due_at: datetime | None = None,
    due_on: date | None = None,
    due_time_zone: str | None = None,
    keep: Mapping[str, Any] | None = None,
    task_id: UUID | None = None,
    cause: Envelope | None = None,
) -> Task:
    """The next occurrence, made by the platform as a copy of the task `of`, whatever became of that one.

    `keep` has values of `KEPT` that go before those of `of`: tags by name, the list by id, as far as they still exist.
    Subtasks come along, open again and moved as far as the due; those that repeat by themselves do not. Where
    the parent is done or deleted, or its tree so large that one command could not change it, the occurrence has none.
    `task_id` is the id it is to have, `cause` the event that led to it. Raises `TaskNotFound`.
    """
    writing.take_turn(owner_id)
    before: Task | None = Task.objects.select_for_update(of=("self",)).filter(pk=of, owner_id=owner_id).first()
    if before is None:
        raise TaskNotFound(of)
    parts = _parts(before)
    due = Due(at=due_at, on=due_on, zone=zones.zone(due_time_zone or before.owner.time_zone))
    step = _step(before, due, recurrence_id=recurrence_id, now=now)
    selectors.with_tags([before, *parts])
    made = _copy(before, due=due, step=step) | _kept(keep or {}, owner_id=owner_id, due=due, step=step)
    made |= {"due_time_zone": due_time_zone or "", "recurrence": dict(recurrence)}
    made |= {"id": task_id or uuid7(), "series_id": series_id, "recurrence_id": recurrence_id}
    task = Task(parent_id=_parent_id(before, parts=parts), **made)
    fact = writing.insert(task, signals.task_created, actor=None, now=now, cause=cause)
    _copy_parts(parts, whole=(before, task), step=step, now=now, cause=fact)
    return task


@transaction.atomic
def move_occurrence(*, task_id: UUID, due_at: datetime | None, due_on: date | None, now: datetime) -> Task:
    """Move an open occurrence to where its series plans it now, and its reminders as far; nothing of it is refused.

    Raises `TaskNotFound`.
    """
    task = writing.locked_task(task_id, expected_version=None)
    was = _due(task)
    due = replace(was, at=due_at, on=due_on)
    today = zones.local_date(now, due.zone)
    step = steps.between(was, due, planned=(None, None), otherwise=(today, today))
    made = {"due_at": due_at, "due_on": due_on, "reminders": steps.moved(task.reminders, step=step, due=due)}
    if differing := fields.changed(task, made):
        after = {name: value for name, (_, value) in differing.items()}
        told = fields.told(differing)
        writing.change(task, after, signals.task_updated, actor=None, now=now, told=told)
    return task


def _copy_parts(
    parts: Sequence[Task], *, whole: tuple[Task, Task], step: steps.Step, now: datetime, cause: Envelope
) -> None:
    before, task = whole
    copies = {before.pk: task.pk}
    for part in parts:  # parents come before their children; what is part of a part left out is left out with it
        if part.parent_id in copies and part.recurrence is None:
            copy = Task(parent_id=copies[part.parent_id], **_copy(part, due=step.moved(_due(part)), step=step))
            writing.insert(copy, signals.task_created, actor=None, now=now, cause=cause)
            copies[part.pk] = copy.pk


def _parts(task: Task) -> list[Task]:
    """What was part of a task while it was there: of a deleted one also what was deleted with it."""
    below = family.subtasks(task)
    parts = [part for part in below if part.status != Task.Status.DELETED or part.deleted_at == task.deleted_at]
    parts = parts[: family.MAX_TREE - 1]  # they are open again, and a tree has no more
    for part in parts:
        part.owner = task.owner  # read once
        if part.list_id == task.list_id:
            part.list = task.list
    return parts


def _copy(task: Task, *, due: Due, step: steps.Step) -> dict[str, Any]:
    return {
        "owner": task.owner,
        "title": task.title,
        "description": task.description,
        "priority": task.priority,
        "position": task.position,
        "due_at": due.at,
        "due_on": due.on,
        "due_time_zone": task.due_time_zone if due.at is not None else "",
        "list": task.list,
        "tag_ids": [tag.pk for tag in selectors.tags_on(task)],
        "reminders": steps.carried(task.reminders, step=step, due=due),
    }


def _kept(keep: Mapping[str, Any], *, owner_id: UUID, due: Due, step: steps.Step) -> dict[str, Any]:
    if unknown := sorted(set(keep) - KEPT):
        raise ValueError(f"An occurrence does not keep {unknown[0]}.")
    columns = dict(keep)
    if "tags" in keep:
        columns["tag_ids"] = sorted(tags.ids_named(columns.pop("tags"), owner_id=owner_id))
    if keep.get("list") is not None:
        columns["list"] = TaskList.objects.filter(pk=keep["list"], owner_id=owner_id).first()
    if "reminders" in keep:
        columns["reminders"] = steps.carried(keep["reminders"], step=step, due=due)
    return columns


def _step(before: Task, due: Due, *, recurrence_id: str, now: datetime) -> steps.Step:
    was = _due(before)
    made_on, today = zones.local_date(before.created_at, was.zone), zones.local_date(now, due.zone)
    planned = _planned(before.recurrence_id), _planned(recurrence_id)
    return steps.between(was, due, planned=planned, otherwise=(made_on, today))


def _due(task: Task) -> Due:
    return Due(at=task.due_at, on=task.due_on, zone=zones.zone(task.due_time_zone or task.owner.time_zone))


def _planned(recurrence_id: str) -> datetime | None:
    """The wall-clock time that the series meant; `None` for a day, and of what opened the series."""
    return datetime.fromisoformat(recurrence_id) if "T" in recurrence_id else None


def _parent_id(before: Task, *, parts: Sequence[Task]) -> UUID | None:
    parent = before.parent
    if parent is None or parent.status not in selectors.OPEN:
        return None  # what is done or gone gets no open part
    roomy = family.has_room(parent.pk, more=1 + len(parts), most=writing.MAX_TASKS_AT_ONCE)
    return parent.pk if roomy else None
