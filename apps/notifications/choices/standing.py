"""Whether what is to be told, or was told, still holds of the task as it is. Pure.

Invariant: what hangs on the due of a task is over when that is another; what says what it says whenever the task is due
is not.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from apps.notifications.kinds import Kind

_DONE = frozenset({"completed", "deleted"})
DUE_MOVED = "due_moved"
REMOVED = "removed"
TOO_LATE = "too_late"


class About(Protocol):
    """News or a notification."""

    @property
    def kind(self) -> Any: ...
    @property
    def data(self) -> Any: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def due_on(self) -> date | None: ...
    @property
    def reminder_id(self) -> UUID | None: ...


class Task(Protocol):
    """As it is, or as it was last heard of."""

    @property
    def status(self) -> Any: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def due_on(self) -> date | None: ...
    @property
    def reminders(self) -> Any: ...


def over_because(about: About, task: Task) -> str:
    """Why nobody needs to be told of it any more; empty where it holds."""
    if done := done_because(task):
        return done
    moved = (about.due_at, about.due_on) != (task.due_at, task.due_on)
    return DUE_MOVED if moved and _hangs_on_due(about) else ""


def done_because(task: Task) -> str:
    """Why a task needs nobody any more, whenever it is due."""
    return str(task.status) if task.status in _DONE else ""


def taken_away(about: About, task: Task) -> bool:
    """Whether the task asks for this reminder no more."""
    if about.kind != Kind.REMINDER:
        return False
    asked: Sequence[Mapping[str, Any]] | None = task.reminders
    named = any(one["id"] == str(about.reminder_id) for one in asked or ())
    match about.data.get("origin"):
        case "default":
            # One that became one of the task's own kept its id.
            return asked is not None and not named
        case "asked":
            return not named
    return False


def _hangs_on_due(about: About) -> bool:
    """A reminder of an instant of its own says what it says whenever the task is due; a default is always of a due."""
    if about.kind == Kind.OVERDUE:
        return True
    by_due = about.data.get("before_due") is not None or about.data.get("origin") == "default"
    return about.kind == Kind.REMINDER and by_due
