"""What became of reminders and what people were told, as parts of a sentence, from their events' data alone. Pure.

Instants are told by the reader's clock. Raises what values of a shape that is not known raise; `words.sentence` makes
a plain clause of that.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from apps.audit import clauses
from apps.audit.times import Setting
from apps.calendar.sentences import before_due_in_words, duration_in_words, instant_in_words
from apps.calendar.sentences.plain import ordinal

# Up to here nobody calls it late.
_ON_TIME_SECONDS = 60
_BY = {"in_app": "in the inbox", "email": "by e-mail", "push": "by Web Push", "webhook": "by webhook"}
_BECAUSE_MOVED = {
    "task": ", as the task changed",
    "asked": ", as was asked",
    "default": ", as the owner's default changed",
    "time_zone": ", as the owner's clock moved to another zone",
    "reopened": ", as the task was reopened",
}
_BECAUSE_CANCELLED = {
    "completed": ", with the completion of the task",
    "deleted": ", as the task was deleted",
    "removed": ", as it was no longer wanted",
    "no_due": ", as the task has no due any more",
    "default": ", as the owner's default changed",
    "due_moved": ", as due was moved",
    "erased": ", as its owner was erased",
    "purged": ", as the task was purged",
    "passed": ", as its time had passed when it was asked for",
    "unwanted": ", as everything that would have told it is switched off",
}
_TOLD = {
    "reminder": "reminded of {title}",
    "overdue": "told that {title} is overdue",
    "digest": "gave the digest {title}",
    "notice": "gave notice: {title}",
}


def scheduled(data: Mapping[str, Any], setting: Setting) -> str:
    """`planned a reminder for 3 May at 08:30, 30 minutes before due`."""
    reminder = data["reminder"]
    before_due = reminder.get("before_due")
    told = f"planned a reminder for {_when(reminder['trigger_at'], setting)}"
    return f"{told}, {before_due_in_words(before_due)}" if before_due else told


def rescheduled(data: Mapping[str, Any], setting: Setting) -> str:
    because = _BECAUSE_MOVED.get(data["because"], "")
    if data.get("before") is None:
        # It did not wait any more.
        return f"planned the reminder again for {_when(data['after'], setting)}{because}"
    return f"moved {_from_to(data, setting)}{because}"


def as_asked(data: Mapping[str, Any], led: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same, where `led`, what happened to its task, shows that this very reminder was moved and not the due."""
    changes = led.get("changes")
    moved = set(changes) if isinstance(changes, Mapping) else set()
    asked = data.get("because") == "task" and "reminders" in moved and not moved & {"due_at", "due_on"}
    return {**data, "because": "asked"} if asked else data


def cancelled(data: Mapping[str, Any], setting: Setting) -> str:
    return f"cancelled {_named(data, setting)}{_BECAUSE_CANCELLED.get(data['because'], '')}"


def triggered(data: Mapping[str, Any], setting: Setting) -> str:
    late = data["late_seconds"]
    again = f" for the {ordinal(data['number'])} time" if data["number"] > 1 else ""
    told = f", {_roughly(late)} late" if late >= _ON_TIME_SECONDS else ""
    return f"triggered {_named(data, setting)}{again}{told}"


def snoozed(data: Mapping[str, Any], setting: Setting) -> str:
    return f"snoozed {_from_to(data, setting)}"


def stale(data: Mapping[str, Any], setting: Setting) -> str:
    late, limit = _roughly(data["late_seconds"]), _roughly(data["limit_seconds"])
    return f"let {_named(data, setting)} go, as it was {late} late and {limit} is the limit"


def delivered(data: Mapping[str, Any], setting: Setting) -> str:
    attempts = data["attempts"]
    at = f", at the {ordinal(attempts)} attempt" if attempts > 1 else ""
    return f"delivered {_named(data, setting)} {_by(data)}{at}"


def failed(data: Mapping[str, Any], setting: Setting) -> str:
    attempts, error = data["attempts"], data.get("error")
    after = f" in {attempts:,} attempt{'' if attempts == 1 else 's'}" if attempts else ""
    return f"could not deliver {_named(data, setting)} {_by(data)}{after}{f': {clauses.short(error)}' if error else ''}"


def told(data: Mapping[str, Any], setting: Setting) -> str:
    """`reminded of “Pay rent”, 2 hours late`: what a person finds in the inbox, or is sent."""
    notification = data["notification"]
    phrase = _TOLD.get(notification["kind"], "told of {title}").format(title=_title(notification))
    late = notification.get("late_seconds") or 0
    phrase += f", {_roughly(late)} late" if late >= _ON_TIME_SECONDS else ""
    return f"{phrase}, in quiet hours" if notification.get("quiet") else phrase


def changed(data: Mapping[str, Any], setting: Setting) -> str:
    phrase = _CHANGES.get(data["change"])
    title = _title(data["notification"])
    return phrase(data["notification"], title, setting) if phrase else f"changed the notification of {title}"


def _snoozed(notification: Mapping[str, Any], title: str, setting: Setting) -> str:
    until = notification.get("snoozed_until")
    return f"snoozed the notification of {title}{f' until {_when(until, setting)}' if until else ''}"


def _said(words: str) -> Callable[[Mapping[str, Any], str, Setting], str]:
    return lambda notification, title, setting: words.format(title=title)


_CHANGES: dict[str, Callable[[Mapping[str, Any], str, Setting], str]] = {
    "read": _said("marked the notification of {title} as read"),
    "unread": _said("marked the notification of {title} as unread"),
    "snoozed": _snoozed,
    "done": _said("closed the notification of {title}, as there is nothing left to do"),
    "retold": _said("heard of {title} again, and told it once"),
}


def _named(data: Mapping[str, Any], setting: Setting) -> str:
    return f"the reminder of {_when(data['reminder']['trigger_at'], setting)}"


def _from_to(data: Mapping[str, Any], setting: Setting) -> str:
    return f"the reminder from {_when(data['before'], setting)} to {_when(data['after'], setting)}"


def _when(instant: str, setting: Setting) -> str:
    return instant_in_words(datetime.fromisoformat(instant), zone=setting.zone, today=setting.today)


def _by(data: Mapping[str, Any]) -> str:
    return _BY.get(data["transport"], f"by {data['transport']}")


def _title(notification: Mapping[str, Any]) -> str:
    return clauses.quoted(notification["title"])


def _roughly(seconds: float) -> str:
    """In its largest units: nobody asks for the seconds of a day."""
    whole = int(seconds)
    unit = 3600 if whole >= 24 * 3600 else 60 if whole >= 3600 else 1
    return duration_in_words(timedelta(seconds=whole // unit * unit))
