"""When a person wants to be reminded of a task. Pure.

A reminder is kept as `{"id": …, "trigger_at": instant}` or `{"id": …, "before_due": duration}`. Everything here raises
`InvalidTask`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

from apps.calendar import durations
from apps.calendar.errors import CalendarError
from apps.calendar.zones import instant_text
from apps.tasks.due import Due
from apps.tasks.exceptions import InvalidTask

MAX_REMINDERS = 20


def checked_reminders(
    given: Any, *, before: Sequence[Mapping[str, Any]] | None, due: Due, now: datetime, default: str = ""
) -> list[dict[str, str]] | None:
    """Reminders with their ids: one that is given with the id it has keeps it, another gets a new one.

    `None` is the owner's default, an empty list is none. What was there `before` may lie in the past. `default` is the
    id of the owner's default where that was there before: made explicit it may keep it.
    """
    if given is None:
        return None
    if not isinstance(given, list | tuple):
        raise InvalidTask(field="reminders", reason="Give a list of reminders, [] for none, null for your default.")
    if len(given) > MAX_REMINDERS:
        raise InvalidTask(field="reminders", reason=f"A task has at most {MAX_REMINDERS} reminders.")
    had: dict[str, Mapping[str, Any]] = {default: {}} if default else {}
    had |= {reminder["id"]: reminder for reminder in before or []}
    kept: list[dict[str, str]] = []
    for index, one in enumerate(given):
        reminder = _checked_reminder(one, had=had, field=f"reminders.{index}")
        if had.get(reminder["id"]) != reminder:
            _check_instant(reminder, due=due, now=now, field=f"reminders.{index}")
        if any(_when(other) == _when(reminder) or other["id"] == reminder["id"] for other in kept):
            raise InvalidTask(field=f"reminders.{index}", reason="The same reminder stands in the list twice.")
        kept.append(reminder)
    return kept


def check_reminders_fit(reminders: Sequence[Mapping[str, str]] | None, *, due: Due) -> None:
    """A relative reminder needs something to be relative to, and none comes after due."""
    for index, reminder in enumerate(reminders or []):
        if (
            "trigger_at" in reminder
            and due.passes_at
            and datetime.fromisoformat(reminder["trigger_at"]) > due.passes_at
        ):
            told = "A reminder cannot be after due: move it too, or take it away."
            raise InvalidTask(field=f"reminders.{index}.trigger_at", reason=told)
        if "before_due" in reminder and not due:
            told = "A reminder before due needs a due: give due_on or due_at, or take the reminder away."
            raise InvalidTask(field=f"reminders.{index}.before_due", reason=told)


def trigger_at(reminder: Mapping[str, str], *, due: Due) -> datetime | None:
    """The instant a reminder is for; `None` when it is relative to a due that is not there."""
    if "trigger_at" in reminder:
        return datetime.fromisoformat(reminder["trigger_at"])
    start = due.reminders_count_from
    return start - durations.parse(reminder["before_due"]) if start else None


def is_ahead(reminder: Mapping[str, str], *, due: Due, now: datetime) -> bool:
    """Whether its instant is still to come, and not after due."""
    instant = trigger_at(reminder, due=due)
    return instant is not None and instant > now and (due.passes_at is None or instant <= due.passes_at)


def default_id(task_id: UUID) -> str:
    """The id that the owner's default has as a reminder of this task."""
    return str(uuid5(task_id, "default"))


def _checked_reminder(one: Any, *, had: Mapping[str, Any], field: str) -> dict[str, str]:
    if not isinstance(one, Mapping) or ("trigger_at" in one) == ("before_due" in one):
        told = 'Give {"trigger_at": instant} or {"before_due": duration}, such as {"before_due": "PT30M"}.'
        raise InvalidTask(field=field, reason=told)
    if unknown := sorted(set(one) - {"id", "trigger_at", "before_due"}):
        raise InvalidTask(field=f"{field}.{unknown[0]}", reason="Not a part of a reminder: id, trigger_at, before_due.")
    reminder = {"id": _id_of(one, had=had, field=field)}
    if "trigger_at" in one:
        return reminder | {"trigger_at": _instant(one["trigger_at"], field=f"{field}.trigger_at")}
    return reminder | {"before_due": _duration(one["before_due"], field=f"{field}.before_due")}


def _id_of(one: Mapping[str, Any], *, had: Mapping[str, Any], field: str) -> str:
    if one.get("id") is None:
        return str(uuid7())
    try:
        given = str(UUID(str(one["id"])))
    except ValueError:
        given = ""
    if given not in had:
        raise InvalidTask(
            field=f"{field}.id", reason="This task has no reminder of that id; leave it out for a new one."
        )
    return given


def _instant(given: Any, *, field: str) -> str:
    try:
        instant = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
        if instant.tzinfo is None:
            raise InvalidTask(
                field=field, reason="Give the instant with its offset, such as 2026-05-03T09:00:00+02:00."
            )
        return instant_text(instant)
    except (ValueError, OverflowError) as reason:
        raise InvalidTask(field=field, reason="Not an instant; one looks like 2026-05-03T09:00:00+02:00.") from reason


def _duration(given: Any, *, field: str) -> str:
    try:
        duration = given if isinstance(given, timedelta) else durations.parse(str(given))
    except CalendarError as reason:
        raise InvalidTask(field=field, reason=str(reason)) from reason
    if duration < timedelta(0):
        raise InvalidTask(
            field=field, reason="A reminder comes before due or with it, not after: give a positive duration."
        )
    return durations.text(duration)


def _check_instant(reminder: Mapping[str, str], *, due: Due, now: datetime, field: str) -> None:
    part = "trigger_at" if "trigger_at" in reminder else "before_due"
    instant = trigger_at(reminder, due=due)
    if instant is None:
        return
    if instant <= now:
        raise InvalidTask(field=f"{field}.{part}", reason="A reminder cannot be in the past.")
    if due.passes_at is not None and instant > due.passes_at:
        raise InvalidTask(field=f"{field}.{part}", reason="A reminder cannot be after due.")


def _when(reminder: Mapping[str, str]) -> tuple[str | None, str | None]:
    return reminder.get("trigger_at"), reminder.get("before_due")
