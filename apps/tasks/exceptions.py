"""Why a change of a task was refused, named by what happened."""

from uuid import UUID


class TaskRefused(Exception):
    """A change that the task, as it is, does not allow. The text is meant for the person who asked."""


class TaskNotFound(TaskRefused):
    def __init__(self, task_id: UUID) -> None:
        super().__init__(f"There is no task {task_id}.")


class AlreadyCompleted(TaskRefused):
    def __init__(self) -> None:
        super().__init__("The task is completed already; reopen it to complete it again.")


class NotCompleted(TaskRefused):
    def __init__(self) -> None:
        super().__init__("The task is not completed, so there is nothing to reopen.")


class TaskDeleted(TaskRefused):
    def __init__(self) -> None:
        super().__init__("The task is deleted; restore it first.")


class NotDeleted(TaskRefused):
    def __init__(self) -> None:
        super().__init__("The task is not deleted, so there is nothing to restore.")


class StatusNeedsVerb(TaskRefused):
    """A status was asked for that has a verb of its own."""

    def __init__(self, *, status: str, verb: str) -> None:
        super().__init__(f"A change of status to or from {status} has a verb of its own: use {verb}.")
        self.verb = verb


class InvalidTask(TaskRefused):
    """A field's value is not allowed. `field` names it."""

    def __init__(self, *, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class WriteOutsideServices(RuntimeError):
    """Something tried to write tasks past their services, where no event would tell of it."""

    def __init__(self) -> None:
        super().__init__("Tasks are written by apps.tasks.services only: a mass write would leave no events.")
