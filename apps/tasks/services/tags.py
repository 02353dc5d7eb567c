"""Writes tags, and finds the tags that tasks are to carry."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.events.envelope import Envelope
from apps.tasks import signals, values
from apps.tasks.exceptions import InvalidTask, NameTaken, TagNotFound, TooMany
from apps.tasks.models import Tag, Task
from apps.tasks.services import changes as writing
from apps.tasks.services.changes import MAX_TASKS_AT_ONCE

MAX_TAGS_OF_OWNER = 1000


@transaction.atomic
def create_tag(*, owner: User, actor: User, name: str, now: datetime) -> Tag:
    """Raises `InvalidTask`, `NameTaken` and `TooMany`."""
    name = values.checked_name(name)
    writing.take_turn(owner.pk)
    _check_free(name, owner_id=owner.pk)
    return _insert(name, owner_id=owner.pk, actor=actor, now=now)


@transaction.atomic
def update_tag(
    *, tag_id: UUID, actor: User, changes: Mapping[str, Any], now: datetime, expected_version: int | None = None
) -> Tag:
    """Rename a tag; its tasks carry it on. Raises `TagNotFound`, `StaleVersion`, `InvalidTask` and `NameTaken`."""
    tag = _in_turn(tag_id, expected_version=expected_version)
    if unknown := set(changes) - {"name"}:
        raise InvalidTask(field=min(unknown), reason="This field cannot be changed.")
    name = values.checked_name(changes.get("name", tag.name))
    if name == tag.name:
        return tag
    _check_free(name, owner_id=tag.owner_id, but=tag.pk)
    told = {"name": (tag.name, name)}
    renamed = {"name": name, "folded_name": values.folded(name)}
    writing.change(tag, renamed, signals.tag_updated, actor=actor, now=now, told=told)
    return tag


@transaction.atomic
def delete_tag(*, tag_id: UUID, actor: User, now: datetime, expected_version: int | None = None) -> None:
    """Take a tag from all its tasks, each with its event, and away. Raises `TagNotFound`, `StaleVersion`, `TooMany`."""
    tag = _in_turn(tag_id, expected_version=expected_version)
    tasks = Task.objects.select_for_update(of=("self",)).filter(owner_id=tag.owner_id, tag_ids__contains=[tag.pk])
    carrying = list(tasks.order_by("pk")[: MAX_TASKS_AT_ONCE + 1])
    if len(carrying) > MAX_TASKS_AT_ONCE:
        raise TooMany(
            f"More than {MAX_TASKS_AT_ONCE:,} tasks carry this tag, too many to change in one go; "
            f"take it from some of them first (tasks/bulk/); deleted ones count too (status=deleted)."
        )
    gone = writing.announce_end(tag, signals.tag_deleted, actor=actor, now=now)
    for task in carrying:
        set_tags(task, [tag_id for tag_id in task.tag_ids if tag_id != tag.pk], actor=actor, now=now, cause=gone)
    writing.take_away(tag)


def tags_named(names: Sequence[str], *, owner_id: UUID, actor: User | None, now: datetime) -> list[Tag]:
    """The owner's tags of these names; one that is missing is made. The owner's turn has been taken.

    Raises `InvalidTask` and `TooMany`.
    """
    names = values.checked_tag_names(names)
    folded = [values.folded(name) for name in names]
    found = {tag.folded_name: tag for tag in Tag.objects.filter(owner_id=owner_id, folded_name__in=folded)}
    for name, folded_name in zip(names, folded, strict=True):
        if folded_name not in found:
            found[folded_name] = _insert(name, owner_id=owner_id, actor=actor, now=now)
    return [found[folded_name] for folded_name in folded]


def ids_named(names: Sequence[str], *, owner_id: UUID) -> set[UUID]:
    """The owner's tags of these names, as far as there are any."""
    folded = [values.folded(name) for name in names]
    return set(Tag.objects.filter(owner_id=owner_id, folded_name__in=folded).values_list("pk", flat=True))


def set_tags(
    task: Task, tag_ids: Sequence[UUID], *, actor: User | None, now: datetime, cause: Envelope | None = None
) -> None:
    """Change the tags of a locked task and nothing else of it."""
    told = {"tags": (names_of(task.tag_ids), names_of(tag_ids))}
    changed = {"tag_ids": list(tag_ids)}
    writing.change(task, changed, signals.task_updated, actor=actor, now=now, told=told, cause=cause)


def names_of(tag_ids: Sequence[UUID]) -> list[str]:
    """As events tell them."""
    if not tag_ids:
        return []
    return list(Tag.objects.filter(pk__in=tag_ids).order_by("folded_name").values_list("name", flat=True))


def _in_turn(tag_id: UUID, *, expected_version: int | None) -> Tag:
    owner_id = Tag.objects.filter(pk=tag_id).values_list("owner_id", flat=True).first()
    if owner_id is None:
        raise TagNotFound(tag_id)
    writing.take_turn(owner_id)
    tag: Tag = writing.locked(Tag, tag_id, missing=TagNotFound(tag_id), expected_version=expected_version)
    return tag


def _check_free(name: str, *, owner_id: UUID, but: UUID | None = None) -> None:
    others = Tag.objects.filter(owner_id=owner_id, folded_name=values.folded(name))
    if but is not None:
        others = others.exclude(pk=but)
    if others.exists():
        raise NameTaken(name)


def _insert(name: str, *, owner_id: UUID, actor: User | None, now: datetime) -> Tag:
    if Tag.objects.filter(owner_id=owner_id).count() >= MAX_TAGS_OF_OWNER:
        raise TooMany(f"A person has at most {MAX_TAGS_OF_OWNER:,} tags; delete some that nothing carries.")
    tag = Tag(owner_id=owner_id, name=name, folded_name=values.folded(name))
    writing.insert(tag, signals.tag_created, actor=actor, now=now)
    return tag
