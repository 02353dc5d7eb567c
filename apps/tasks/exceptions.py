"""Why a change of a task, list or tag was refused, named by what happened. The texts are for the person who asked."""

from typing import Any
from uuid import UUID


class TaskRefused(Exception):
    """A change that the things, as they are, do not allow."""


class NotFound(TaskRefused):
    """Something named in a command does not exist, or is not the owner's. `field` names where it was named."""

    field = ""


class TaskNotFound(NotFound):
    def __init__(self, task_id: UUID) -> None:
        super().__init__(f"There is no task {task_id}.")


class ParentNotFound(NotFound):
    field = "parent"

    def __init__(self, task_id: UUID) -> None:
        super().__init__(f"There is no task {task_id} to be the parent.")


class ListNotFound(NotFound):
    field = "list"

    def __init__(self, list_id: UUID) -> None:
        super().__init__(f"There is no list {list_id}.")


class TagNotFound(NotFound):
    def __init__(self, tag_id: UUID) -> None:
        super().__init__(f"There is no tag {tag_id}.")


class ReminderNotFound(NotFound):
    def __init__(self, reminder_id: UUID) -> None:
        super().__init__(f"The task has no reminder {reminder_id}.")


class AlreadyCompleted(TaskRefused):
    def __init__(self) -> None:
        super().__init__("The task is completed already; reopen it to complete it again.")


class CompletedAsItRepeats(TaskRefused):
    """How a completed task repeats has led to the next occurrence already."""

    def __init__(self) -> None:
        super().__init__(
            "The task is completed, and how it repeats is settled with that: reopen it, or change the occurrence that "
            "is open."
        )


class NotCompleted(TaskRefused):
    def __init__(self) -> None:
        super().__init__("The task is not completed, so there is nothing to reopen.")


class TaskDeleted(TaskRefused):
    def __init__(self) -> None:
        super().__init__("The task is deleted; restore it first.")


class ParentDeleted(TaskRefused):
    def __init__(self) -> None:
        super().__init__("The parent task is deleted; restore that first.")


class NotDeleted(TaskRefused):
    def __init__(self) -> None:
        super().__init__("The task is not deleted, so there is nothing to restore.")


class TooMany(TaskRefused):
    """A limit on how many things there may be, or may be changed in one command."""


class NameTaken(TaskRefused):
    def __init__(self, name: str) -> None:
        super().__init__(f"There is a tag {name} already; case does not tell tags apart.")


class StaleVersion(TaskRefused):
    """The writer had seen an older version. `current` is the thing as it is now."""

    def __init__(self, current: Any) -> None:
        super().__init__(f"It has changed since you read it: it is at version {current.version} now.")
        self.current = current


class StatusNeedsVerb(TaskRefused):
    """A status was asked for that has a verb of its own."""

    def __init__(self, *, status: str, verb: str) -> None:
        super().__init__(f"A change of status to or from {status} has a verb of its own: use {verb}.")
        self.verb = verb


class InvalidTask(TaskRefused):
    """A field's value is not allowed. `field` names it; a dot leads inside, as in `reminders.0`.

    Of a recurrence `part` is the name of the RRULE's part to correct, `span` where the words to correct stand.
    """

    def __init__(self, *, field: str, reason: str, part: str = "", span: tuple[int, int] | None = None) -> None:
        super().__init__(reason)
        self.field = field
        self.part = part
        self.span = span


class WriteOutsideServices(RuntimeError):
    """Something tried to write past the services, where no event would tell of it."""

    def __init__(self) -> None:
        super().__init__(
            "Tasks, lists and tags are written by apps.tasks.services only: a mass write would leave no events."
        )
