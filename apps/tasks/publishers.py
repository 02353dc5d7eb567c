"""Turns the signals of tasks, lists and tags into events: the one module that knows both.

Each change is told twice: the fact, for whoever acts on it, and a snapshot of what it led to, for screens.
Invariant: runs inside the transaction of the change, so a change and its events are kept together or not at all.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.dispatch import Signal

from apps.accounts.models import User
from apps.calendar.zones import instant_text
from apps.events import envelope, outbox
from apps.events.envelope import Envelope
from apps.events.event_types import EventType
from apps.tasks import selectors, signals, values
from apps.tasks.events import ListEvent, TagEvent, TaskEvent
from apps.tasks.models import Evented, Tag, Task, TaskList

Changes = Mapping[str, tuple[Any, Any]]

PUBLISHED: dict[Signal, EventType] = {
    signals.task_created: TaskEvent.CREATED,
    signals.task_updated: TaskEvent.UPDATED,
    signals.task_completed: TaskEvent.COMPLETED,
    signals.task_reopened: TaskEvent.REOPENED,
    signals.task_deleted: TaskEvent.DELETED,
    signals.task_restored: TaskEvent.RESTORED,
    signals.task_purged: TaskEvent.PURGED,
    signals.list_created: ListEvent.CREATED,
    signals.list_updated: ListEvent.UPDATED,
    signals.list_deleted: ListEvent.DELETED,
    signals.tag_created: TagEvent.CREATED,
    signals.tag_updated: TagEvent.UPDATED,
    signals.tag_deleted: TagEvent.DELETED,
}
_SNAPSHOT = {"task": TaskEvent.SNAPSHOT, "list": ListEvent.SNAPSHOT, "tag": TagEvent.SNAPSHOT}
# After these the thing is no more, and its snapshot is empty.
_LAST = {TaskEvent.PURGED, ListEvent.DELETED, TagEvent.DELETED}


def publish(
    thing: Evented,
    *,
    signal: Signal,
    actor: User | None,
    occurred_at: datetime,
    changes: Changes,
    cause: Envelope | None,
    beside: Mapping[str, Any],
    **_: Any,
) -> Envelope:
    """Append the fact and the snapshot; the fact."""
    if actor is not None and actor.pk == thing.owner_id:
        thing.owner = actor  # else its row is read again, of each of many tasks changed at once
    fact = describe(
        PUBLISHED[signal],
        thing,
        actor_id=actor.pk if actor else None,
        occurred_at=occurred_at,
        changes=changes,
        cause=cause,
        beside=beside,
    )
    outbox.append(fact, _snapshot_after(fact, thing))
    return fact


def describe(
    event_type: EventType,
    thing: Evented,
    *,
    actor_id: UUID | None,
    occurred_at: datetime,
    changes: Changes,
    cause: Envelope | None = None,
    beside: Mapping[str, Any] | None = None,
) -> Envelope:
    """The event that tells of a thing: how it now is, per changed field the value before and after, and what the
    command was beside that.
    """
    kind = _kind(thing)
    data: dict[str, Any] = {kind: _state(thing), **(beside or {})}
    if changes:
        data["changes"] = {
            field: {"before": _plain(before), "after": _plain(after)} for field, (before, after) in changes.items()
        }
    return envelope.new(
        event_type,
        subject_type=kind,
        subject_id=thing.pk,
        version=thing.version,
        owner_id=thing.owner_id,
        actor_id=actor_id,
        occurred_at=occurred_at,
        data=data,
        cause=cause,
    )


def _snapshot_after(fact: Envelope, thing: Evented) -> Envelope:
    kind = fact.subject_type
    state = None if fact.type in {event_type.name for event_type in _LAST} else dict(fact.data[kind])
    if state is not None:
        state |= {"created_at": _plain(thing.created_at), "updated_at": _plain(thing.updated_at)}
    return envelope.new(
        _SNAPSHOT[kind],
        subject_type=kind,
        subject_id=thing.pk,
        version=None,
        owner_id=thing.owner_id,
        actor_id=fact.actor_id,
        occurred_at=fact.occurred_at,
        data={"id": str(thing.pk), "version": thing.version, kind: state},
        key=str(thing.owner_id),
        cause=fact,
    )


def _kind(thing: Evented) -> str:
    return {Task: "task", TaskList: "list", Tag: "tag"}[type(thing)]


def _state(thing: Evented) -> dict[str, Any]:
    match thing:
        case Task():
            return _task_state(thing)
        case TaskList():
            return {"name": thing.name, "position": _plain(thing.position)}
        case Tag():
            return {"name": thing.name}
    raise TypeError(f"{type(thing).__name__} has no events.")


def _task_state(task: Task) -> dict[str, Any]:
    # Where the clock hangs by which it repeats, unless its due has a zone of its own; and where its day begins.
    zone = {"time_zone": task.owner.time_zone} if task.recurrence or task.due_on else {}
    return zone | {
        "title": task.title,
        "description": task.description,
        "status": str(task.status),
        "priority": str(task.priority),
        "due_at": _plain(task.due_at),
        "due_on": _plain(task.due_on),
        "due_time_zone": task.due_time_zone or None,
        "tags": [{"id": str(tag.pk), "name": tag.name} for tag in selectors.tags_on(task)],
        "list": _plain(task.list) if task.list_id else None,
        "parent": _plain(task.parent_id),
        "position": _plain(task.position),
        "recurrence": task.recurrence,
        "reminders": task.reminders,
        "series_id": _plain(task.series_id),
        "recurrence_id": task.recurrence_id or None,
        "completed_at": _plain(task.completed_at),
        "deleted_at": _plain(task.deleted_at),
    }


def _plain(value: Any) -> Any:
    """As JSON has it."""
    match value:
        case datetime():
            return instant_text(value)
        case date():
            return value.isoformat()
        case Decimal():
            return values.position_text(value)
        case UUID():
            return str(value)
        case TaskList():
            return {"id": str(value.pk), "name": value.name}
    return value


def _publish_task(task: Task, **signalled: Any) -> Envelope:
    return publish(task, **signalled)


def _publish_list(list: TaskList, **signalled: Any) -> Envelope:
    return publish(list, **signalled)


def _publish_tag(tag: Tag, **signalled: Any) -> Envelope:
    return publish(tag, **signalled)


_RECEIVERS: dict[str, Callable[..., Envelope]] = {"task": _publish_task, "list": _publish_list, "tag": _publish_tag}
for _signal, _event_type in PUBLISHED.items():
    _signal.connect(_RECEIVERS[_event_type.name.partition(".")[0]])
