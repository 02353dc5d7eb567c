"""How far it is from one occurrence to the next, and what moves along: subtasks' dues and reminders. Pure.

Invariant: steps are taken on the wall, in days and by the clock, so that what was at nine stays at nine where clocks
change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from apps.calendar import zones
from apps.calendar.errors import CalendarError
from apps.calendar.walls import day_of
from apps.tasks import values
from apps.tasks.due import Due
from apps.tasks.exceptions import InvalidTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`days` is between the days; `by` is the same by the clock, where both dues have an hour."""

    days: timedelta
    by: timedelta

    def moved(self, due: Due) -> Due:
        """The due of a part; none where it would lie outside the years that a due may have."""
        try:
            if due.on is not None:
                return replace(due, on=values.checked_due_on(due.on + self.days))
            if due.at is not None:
                return replace(due, at=values.checked_due_at(self.moved_instant(due.at, zone=due.zone)))
        except (OverflowError, CalendarError, InvalidTask):
            return replace(due, at=None, on=None)
        return due

    def moved_instant(self, instant: datetime, *, zone: ZoneInfo) -> datetime:
        """As far on the wall in the zone. Raises `OverflowError` and `CalendarError` outside the calendar."""
        return zones.attach(zones.wall_at(instant, zone) + self.by, zone)


def between(
    before: Due, after: Due, *, planned: tuple[datetime | None, datetime | None], otherwise: tuple[date, date]
) -> Step:
    """The step from a due to the next.

    `planned` are the wall-clock times that the series meant by them, which a gap may have moved; `otherwise` are the
    days it is measured by where a due is missing.
    """
    start, end = _meant(before, planned[0], otherwise[0]), _meant(after, planned[1], otherwise[1])
    days = day_of(end) - day_of(start)
    timed = isinstance(start, datetime) and isinstance(end, datetime)
    return Step(days=days, by=end - start if timed else days)


def carried(reminders: Sequence[Mapping[str, str]] | None, *, step: Step, due: Due) -> list[dict[str, str]] | None:
    """The reminders of the next occurrence, which is due then, each with an id of its own.

    One that has passed by now comes along, since it is what the one after asks for; one that could not be is left out.
    """
    if reminders is None:
        return None
    moved = [_carried(reminder, step=step, due=due) for reminder in reminders]
    return [{"id": str(uuid7())} | reminder for reminder in moved if reminder]


def moved(reminders: Sequence[Mapping[str, str]] | None, *, step: Step, due: Due) -> list[dict[str, str]] | None:
    """The reminders of an occurrence that is due then now; one that could not be any more is left out."""
    if reminders is None:
        return None
    told = [(reminder["id"], _carried(reminder, step=step, due=due)) for reminder in reminders]
    return [{"id": kept} | reminder for kept, reminder in told if reminder]


def _carried(reminder: Mapping[str, str], *, step: Step, due: Due) -> dict[str, str]:
    if "before_due" in reminder:
        return {"before_due": reminder["before_due"]} if due else {}
    try:
        instant = step.moved_instant(datetime.fromisoformat(reminder["trigger_at"]), zone=due.zone)
    except (OverflowError, CalendarError):
        return {}
    if due.passes_at is not None and instant > due.passes_at:
        return {}
    return {"trigger_at": zones.instant_text(instant)}


def _meant(due: Due, planned: datetime | None, otherwise: date) -> date:
    """What the series meant by a due, unless a person moved it from there."""
    if due.at is not None and planned is not None and zones.attach(planned, due.zone) == due.at:
        return planned
    return due.wall or otherwise
