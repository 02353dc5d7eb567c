"""From the fields somebody asked for to the columns of a task, each checked by itself and against the others."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from apps.accounts.models import User
from apps.calendar import zones
from apps.tasks import due as dues
from apps.tasks import intents, values
from apps.tasks.due import Due, DueColumns
from apps.tasks.exceptions import CompletedAsItRepeats, InvalidTask, ListNotFound
from apps.tasks.models import Task, TaskList
from apps.tasks.services import family, tags

_SIMPLE: dict[str, Callable[[Any], Any]] = {
    "title": values.checked_title,
    "description": values.checked_description,
    "priority": values.checked_priority,
    "position": values.checked_position,
}
# These touch other rows of the owner.
_OF_SEVERAL_ROWS = {"tags", "list", "parent"}
SETTABLE = frozenset({*_SIMPLE, *dues.NAMES, *_OF_SEVERAL_ROWS, "status", "recurrence", "reminders"})


def touches_several_rows(asked: Mapping[str, Any]) -> bool:
    """Whether the owner's turn must be taken before the task is locked."""
    return not _OF_SEVERAL_ROWS.isdisjoint(asked)


def columns(task: Task, asked: Mapping[str, Any], *, actor: User | None, now: datetime) -> dict[str, Any]:
    """What `asked` (names and values as REST has them) sets on a task, as it now is.

    Raises `InvalidTask`, `StatusNeedsVerb`, `CompletedAsItRepeats`, `ListNotFound`, `ParentNotFound`, `ParentDeleted`
    and `TooMany`.
    """
    if unknown := sorted(set(asked) - SETTABLE):
        raise InvalidTask(field=unknown[0], reason="This field cannot be changed.")
    made: dict[str, Any] = {field: check(asked[field]) for field, check in _SIMPLE.items() if field in asked}
    if "status" in asked:
        made["status"] = values.checked_status(asked["status"], before=task.status)
    if not dues.NAMES.isdisjoint(asked):
        before, owner_zone = _columns_of(task), _owner(task, actor).time_zone
        made |= asdict(dues.asked_for(asked, before=before, owner_zone=owner_zone))
    if "parent" in asked:
        parent_id = asked["parent"]
        made["parent"] = None if parent_id is None else _parent(task, parent_id)
    if "list" in asked:
        made["list"] = None if asked["list"] is None else _list(task, asked["list"])
    if "tags" in asked:
        named = tags.tags_named(asked["tags"] or [], owner_id=task.owner_id, actor=actor, now=now)
        made["tag_ids"] = _same_set_as_before(task.tag_ids, [tag.pk for tag in named])
    made |= _intents(task, asked, made, actor=actor, now=now)
    return made


def changed(task: Task, made: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Per column that differs, its value before and after."""
    return {name: (getattr(task, name), value) for name, value in made.items() if getattr(task, name) != value}


def told(differing: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """The same by the names of REST, with what a person knows a thing by."""
    plain = dict(differing)
    if "tag_ids" in plain:
        before, after = plain.pop("tag_ids")
        plain["tags"] = (tags.names_of(before), tags.names_of(after))
    if "parent" in plain:
        plain["parent"] = tuple(parent.pk if parent else None for parent in plain["parent"])  # type: ignore[assignment]
    if "due_time_zone" in plain:
        plain["due_time_zone"] = tuple(name or None for name in plain["due_time_zone"])  # type: ignore[assignment]
    return plain


def due_of(task: Task, made: Mapping[str, Any], *, actor: User | None) -> Due:
    """The due a task has once `made` is set."""
    set_to = {name: made[name] for name in dues.NAMES if name in made}
    return replace(_columns_of(task), **set_to).in_zone_of(_owner(task, actor).time_zone)


def _columns_of(task: Task) -> DueColumns:
    return DueColumns(due_at=task.due_at, due_on=task.due_on, due_time_zone=task.due_time_zone)


def _owner(task: Task, actor: User | None) -> User:
    """Without reading the row again where the owner acts."""
    return actor if actor is not None and actor.pk == task.owner_id else task.owner


def _parent(task: Task, parent_id: UUID) -> Task:
    return task.parent if task.parent_id == parent_id and task.parent else family.parent_for(task, parent_id=parent_id)


def _list(task: Task, list_id: UUID) -> TaskList:
    found = TaskList.objects.filter(pk=list_id, owner_id=task.owner_id).first()
    if found is None:
        raise ListNotFound(list_id)
    return found


def _same_set_as_before(before: list[UUID], after: list[UUID]) -> list[UUID]:
    """The order of tags means nothing, so another order is no change."""
    return before if set(before) == set(after) else after


def _intents(
    task: Task, asked: Mapping[str, Any], made: Mapping[str, Any], *, actor: User | None, now: datetime
) -> dict[str, Any]:
    """Recurrence and reminders, and whether they still fit when only the due was asked for."""
    if dues.NAMES.isdisjoint(asked) and "recurrence" not in asked and "reminders" not in asked:
        return {}
    due = due_of(task, made, actor=actor)
    found = _recurrence(task, asked, due=due, now=now)
    if "reminders" in asked:
        default = intents.default_id(task.pk) if task.reminders is None else ""
        found["reminders"] = intents.checked_reminders(
            asked["reminders"], before=task.reminders, due=due, now=now, default=default
        )
    intents.check_reminders_fit(found.get("reminders", task.reminders), due=due)
    return found


def _recurrence(task: Task, asked: Mapping[str, Any], *, due: Due, now: datetime) -> dict[str, Any]:
    """Where it is the same as before, only the due of this one occurrence moves, and need not fit the rule."""
    wanted = task.recurrence
    if "recurrence" in asked:
        today = zones.local_date(now, due.zone)
        wanted = intents.checked_recurrence(asked["recurrence"], today=today, before=task.recurrence)
    if wanted == task.recurrence:
        intents.check_recurrence_starts(wanted, due=due)
        return {}
    if task.status == Task.Status.COMPLETED:
        raise CompletedAsItRepeats
    intents.check_recurrence_fits(wanted, due=due, now=now)
    begins = {"series_id": uuid7(), "recurrence_id": ""} if task.recurrence is None else {}
    return {"recurrence": wanted, **begins}
