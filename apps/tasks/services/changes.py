"""How every change is made: lock the row, change it with its version, announce it.

Invariant: a command that may touch several rows of an owner first waits for the owner's turn, so no two of
them hold what the other wants; a command on one row locks that row alone.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.dispatch import Signal

from apps.accounts.models import User
from apps.events.envelope import Envelope
from apps.tasks.exceptions import NotFound, StaleVersion, TaskNotFound
from apps.tasks.models import Evented, Tag, Task, TaskList

# What one transaction changes at most: some two seconds of writing, in which the owner's other commands wait.
MAX_TASKS_AT_ONCE = 1000

Changes = Mapping[str, tuple[Any, Any]]

# What a signal and an event call the thing.
_NAME: dict[type[Evented], str] = {Task: "task", TaskList: "list", Tag: "tag"}


def take_turn(owner_id: UUID) -> None:
    """Wait until no other command on several rows of this owner runs; held to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(owner_id)])


def locked_task(task_id: UUID, *, expected_version: int | None, family: bool = False) -> Task:
    """The task's row, locked; with `family` its owner's turn is taken first.

    Raises `TaskNotFound`, and `StaleVersion` when the row is not at the version the writer has seen.
    """
    if family:
        owner_id = Task.objects.filter(pk=task_id).values_list("owner_id", flat=True).first()
        if owner_id is None:
            raise TaskNotFound(task_id)
        take_turn(owner_id)
    task: Task = locked(Task, task_id, missing=TaskNotFound(task_id), expected_version=expected_version)
    return task


def locked(model: type[Evented], pk: UUID, *, missing: NotFound, expected_version: int | None) -> Any:
    """A row, locked. Raises `missing` when it is not there and `StaleVersion` as above."""
    thing = model.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if thing is None:
        raise missing
    if expected_version is not None and thing.version != expected_version:
        raise StaleVersion(thing)
    return thing


def insert(
    thing: Evented, signal: Signal, *, actor: User | None, now: datetime, cause: Envelope | None = None
) -> Envelope:
    """Keep a new thing and announce it; the event."""
    thing.created_at = thing.updated_at = now
    thing.save(force_insert=True)
    return announce(thing, signal, actor=actor, now=now, changes={}, cause=cause)


def change(
    thing: Evented,
    values: Mapping[str, Any],
    signal: Signal,
    *,
    actor: User | None,
    now: datetime,
    told: Changes,
    cause: Envelope | None = None,
    beside: Mapping[str, Any] | None = None,
) -> Envelope:
    """Set columns of a locked row, count the change and announce it; the event.

    `beside` is what the event tells of the command itself, beside the thing and what changed.
    """
    for field, value in values.items():
        setattr(thing, field, value)
    thing.advance(now=now)
    thing.save(update_fields=[*values, "version", "updated_at"])
    return announce(thing, signal, actor=actor, now=now, changes=told, cause=cause, beside=beside)


def announce_end(thing: Evented, signal: Signal, *, actor: User | None, now: datetime) -> Envelope:
    """Tell that a locked row goes, as one more version that no row will have; `take_away` it before the commit."""
    thing.advance(now=now)
    return announce(thing, signal, actor=actor, now=now, changes={})


def take_away(thing: Evented) -> None:
    with connection.cursor() as cursor:
        # The collector of Django would look for rows to cascade to; there are none, and no cascades.
        cursor.execute(f"DELETE FROM {thing._meta.db_table} WHERE id = %s", [thing.pk])  # noqa: S608, SLF001


def announce(
    thing: Evented,
    signal: Signal,
    *,
    actor: User | None,
    now: datetime,
    changes: Changes,
    cause: Envelope | None = None,
    beside: Mapping[str, Any] | None = None,
) -> Envelope:
    answers = signal.send(
        sender=type(thing),
        **{_NAME[type(thing)]: thing},
        actor=actor,
        occurred_at=now,
        changes=changes,
        cause=cause,
        beside=beside or {},
    )
    # Others may listen too; the publisher is the one that answers with the event.
    told: list[Any] = [answer for _, answer in answers]
    return next(answer for answer in told if isinstance(answer, Envelope))
