"""Why a change of a series was refused, named by what happened. The texts are for the person who asked."""

from uuid import UUID


class RecurrenceRefused(Exception):
    """A change that the series, as it is, does not allow."""


class SeriesNotFound(RecurrenceRefused):
    def __init__(self, series_id: UUID) -> None:
        super().__init__(f"There is no series {series_id}.")


class NoSeries(RecurrenceRefused):
    """The task does not repeat, or its series is not opened yet: the task was made a moment ago."""

    def __init__(self, task_id: UUID) -> None:
        super().__init__(f"The task {task_id} has no series (yet): give it a recurrence, or try again in a moment.")


class SeriesEnded(RecurrenceRefused):
    def __init__(self) -> None:
        super().__init__("The series has ended; set a recurrence on a task to begin another.")


class SeriesPaused(RecurrenceRefused):
    def __init__(self) -> None:
        super().__init__("The series is paused already.")


class NotPaused(RecurrenceRefused):
    def __init__(self) -> None:
        super().__init__("The series is not paused, so there is nothing to resume.")


class NothingToSkip(RecurrenceRefused):
    """The date named is none that is still to come, or there is none."""
