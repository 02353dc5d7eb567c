"""How much work finding one date may cost.

Invariant: work is counted, not timed, so a rule answers alike on every machine.
"""

from apps.calendar.errors import CalendarError

# About 25 ms of work on one core of 2020: a step is about what going by one date costs.
MOST = 50_000


class TooCostly(CalendarError):
    """The work allowed was used up before a further date was found."""


class Steps:
    """What is left until the next date must be found."""

    def __init__(self) -> None:
        self.left = MOST

    def take(self, count: int = 1) -> None:
        """Raises `TooCostly` when nothing is left."""
        self.left -= count
        if self.left < 0:
            raise TooCostly("This rule names no further date within what may be looked through.")

    def renew(self) -> None:
        """A date was found."""
        self.left = MOST
