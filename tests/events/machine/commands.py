"""What people do with their tasks, lists and tags: each command with a small number that says to which."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.utils import timezone

from apps.accounts.models import User
from apps.tasks import services
from apps.tasks.models import Tag, Task, TaskList

_BULK: list[Any] = ["complete", "reopen", "delete", "restore"]


def _own(model: Any, owner: User, number: int) -> Any:
    """One of their things, the same at every run; `None` when there is none."""
    things = list(model.objects.filter(owner=owner).order_by("created_at", "pk"))
    return things[number % len(things)] if things else None


def _create(owner: User, number: int) -> None:
    if not owner.is_active:
        return  # who is being erased does not come in any more
    home = _own(TaskList, owner, number) if number % 2 else None
    services.create_task(
        owner=owner,
        actor=owner,
        now=timezone.now(),
        title=f"Task {number}",
        tags=["some"] if number > 5 else [],
        list=home.pk if home else None,
    )


def _create_part(owner: User, number: int) -> None:
    if owner.is_active and (task := _own(Task, owner, number)):
        services.create_task(owner=owner, actor=owner, now=timezone.now(), title=f"Part {number}", parent=task.pk)


def _create_list(owner: User, number: int) -> None:
    if owner.is_active:
        services.create_list(owner=owner, actor=owner, now=timezone.now(), name=f"List {number}")


def _create_tag(owner: User, number: int) -> None:
    if owner.is_active:
        services.create_tag(owner=owner, actor=owner, now=timezone.now(), name=f"tag-{number}")


def _duplicate(owner: User, number: int) -> None:
    if owner.is_active:
        _to_a_task(services.duplicate_task, owner, number)


def _to_a_task(service: Callable[..., object], owner: User, number: int, **arguments: Any) -> None:
    if task := _own(Task, owner, number):
        service(task_id=task.pk, actor=owner, now=timezone.now(), **arguments)


def _update(owner: User, number: int) -> None:
    # Another title each time, or it would be no change.
    title = f"Title {number} of {Task.objects.filter(owner=owner).count()} {timezone.now()}"
    _to_a_task(services.update_task, owner, number, changes={"title": title})


def _rename_list(owner: User, number: int) -> None:
    if found := _own(TaskList, owner, number):
        changes = {"name": f"List {number} {found.version}"}
        services.update_list(list_id=found.pk, actor=owner, now=timezone.now(), changes=changes)


def _delete_list(owner: User, number: int) -> None:
    if found := _own(TaskList, owner, number):
        with_tasks: Any = "delete" if number % 2 else "keep"
        services.delete_list(list_id=found.pk, actor=owner, now=timezone.now(), tasks=with_tasks)


def _rename_tag(owner: User, number: int) -> None:
    if found := _own(Tag, owner, number):
        changes = {"name": f"tag-{number}-{found.version}"}
        services.update_tag(tag_id=found.pk, actor=owner, now=timezone.now(), changes=changes)


def _delete_tag(owner: User, number: int) -> None:
    if found := _own(Tag, owner, number):
        services.delete_tag(tag_id=found.pk, actor=owner, now=timezone.now())


def _purge(owner: User, number: int) -> None:
    services.purge_deleted_tasks(now=timezone.now() + timedelta(days=31))


def _bulk(owner: User, number: int) -> None:
    chosen = list(Task.objects.filter(owner=owner).order_by("created_at", "pk").values_list("pk", flat=True))
    services.change_many(
        owner=owner,
        actor=owner,
        now=timezone.now(),
        action=_BULK[number % len(_BULK)],
        task_ids=chosen[: 2 + number],
        arguments={},
    )


COMMANDS: dict[str, Callable[[User, int], None]] = {
    "create": _create,
    "update": _update,
    "complete": partial(_to_a_task, services.complete_task),
    "reopen": partial(_to_a_task, services.reopen_task),
    "delete": partial(_to_a_task, services.delete_task),
    "restore": partial(_to_a_task, services.restore_task),
    "duplicate": _duplicate,
    "purge": _purge,
    "bulk": _bulk,
    "part": _create_part,
    "list": _create_list,
    "rename list": _rename_list,
    "delete list": _delete_list,
    "tag": _create_tag,
    "rename tag": _rename_tag,
    "delete tag": _delete_tag,
}
