"""What became of reminders, notifications and deliveries, each as a sentence for the person it is about. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apps.calendar.errors import CalendarError
from apps.calendar.sentences import before_due_in_words, duration_in_words, instant_in_words
from apps.notifications.choices import wording
from apps.notifications.models import Delivery, DeliveryAttempt, Reminder
from apps.notifications.transports import transports

_MOVED_BECAUSE = {
    "task": "the task was changed",
    "default": "your default reminder was changed",
    "time_zone": "you moved to another time zone",
    "reopened": "the task is open again",
}
_SETTLED_BECAUSE = {
    "read": "you had read it",
    "snoozed": "you had put it off",
    "done": "it was done with",
    "completed": "the task was completed",
    "deleted": "the task was deleted",
    "due_moved": "the task is due at another time",
    "switched_off": "you switched this off meanwhile",
    "endpoint_removed": "its webhook was taken away",
    "browser_gone": "its browser is pushed to no more",
    "held_too_long": "its webhook was switched off for too long",
    "settled": "it was read or done with",
}
_DONE_BECAUSE = {
    "completed": "the task was completed",
    "deleted": "the task was deleted",
    "purged": "the task was deleted for good",
    "due_moved": "the task is due at another time",
    "removed": "its reminder was taken away",
    "too_late": "it came later than you want to be told",
}


@dataclass(frozen=True, slots=True)
class Words:
    """By whose clock, and on which day it is read."""

    zone: ZoneInfo
    today: date

    def instant(self, instant: datetime) -> str:
        """`3 May at 09:00`, to the second."""
        return instant_in_words(instant.replace(microsecond=0), zone=self.zone, today=self.today)

    def told(self, text: str | None) -> str:
        return self.instant(datetime.fromisoformat(text)) if text else "no time"


def of_reminder_event(event_type: str, data: Mapping[str, Any], *, words: Words) -> str:
    """What `reminder.<fact>.v1` tells."""
    fact = event_type.split(".")[1]
    return _OF_REMINDERS[fact](data, words) if fact in _OF_REMINDERS else f"It was {fact}."


def of_change(change: str, *, because: str, by_owner: bool) -> str:
    """What became of a notification; `because` is why one is done."""
    match change:
        case "read":
            return "You read it." if by_owner else "It was marked as read."
        case "unread":
            return "You marked it as unread." if by_owner else "It was marked as unread."
        case "snoozed":
            return "You put it off." if by_owner else "It was put off."
        case "done":
            return f"It needs nobody any more: {_DONE_BECAUSE.get(because, 'it is dealt with')}."
    return f"It was {change}."


def of_delivery(row: Delivery, *, called: str) -> str:
    """How far what goes out has come; `called` is its destination."""
    where = _where(row.transport, called)
    tried = f"{row.attempts} attempt{'' if row.attempts == 1 else 's'}"
    quiet = ", when your quiet hours end." if row.because == "quiet" else "."
    sentences = {
        Delivery.Status.COLLECTING: f"It waits to be sent {where}, with what else comes.",
        Delivery.Status.WAITING: f"It waits to be sent {where}"
        + (f" again, after {tried}" if row.attempts else "")
        + quiet,
        Delivery.Status.SENDING: f"It is just being sent {where}.",
        Delivery.Status.DELIVERED: f"It was delivered {where}, with {tried}.",
        Delivery.Status.FAILED: f"It was given up {where} after {tried}: {row.error}",
        Delivery.Status.HELD: f"It is kept until its receiver is switched on again: {where}.",
        Delivery.Status.DROPPED: f"It was not sent {where}, because {_SETTLED_BECAUSE.get(row.because, row.because)}.",
    }
    return sentences[Delivery.Status(row.status)]


def of_attempt(attempt: DeliveryAttempt, *, transport: str, called: str = "") -> str:
    """What came of one try by a transport; `called` is where it went."""
    where = _where(transport, called)
    outcomes = {
        DeliveryAttempt.Outcome.STARTED: "is under way.",
        DeliveryAttempt.Outcome.DELIVERED: f"was accepted: it was delivered {where}.",
        DeliveryAttempt.Outcome.RETRY: f"failed and is made again: {attempt.error}",
        DeliveryAttempt.Outcome.REFUSED: f"was refused for good: {attempt.error}",
        DeliveryAttempt.Outcome.DIED: "came to no end: whether it arrived nobody knows.",
    }
    return f"Attempt {attempt.number} {outcomes[DeliveryAttempt.Outcome(attempt.outcome)]}"


def _asked(reminder: Mapping[str, Any]) -> str:
    if reminder["origin"] == Reminder.Origin.SNOOZE:
        return "you put a notification off"
    is_default = reminder["origin"] == Reminder.Origin.DEFAULT
    try:
        chosen = "on the day it is due" if is_default else "at an instant you chose"
        when = before_due_in_words(reminder["before_due"]) if reminder["before_due"] else chosen
    except CalendarError:
        when = "before due"
    return f"{when}, your default" if is_default else f"{when}, as you asked"


def _from_to(data: Mapping[str, Any], words: Words) -> str:
    after = f"to {words.told(data['after'])}"
    return f"from {words.told(data['before'])} {after}" if data["before"] else after


def _where(transport: str, called: str) -> str:
    return f"{_by(transport)}{f' ({called})' if called else ''}"


def _by(transport: str) -> str:
    """Of one that was taken away since, its name."""
    known = transports().get(transport)
    return known.label if known else f"by {transport}"


def _scheduled(data: Mapping[str, Any], words: Words) -> str:
    return f"It was planned for {words.told(data['reminder']['trigger_at'])}: {_asked(data['reminder'])}."


def _rescheduled(data: Mapping[str, Any], words: Words) -> str:
    return f"It was moved {_from_to(data, words)}, because {_MOVED_BECAUSE.get(data['because'], data['because'])}."


def _cancelled(data: Mapping[str, Any], _: Words) -> str:
    return f"It was cancelled, because {Reminder.Because(data['because']).label}."


def _triggered(data: Mapping[str, Any], _: Words) -> str:
    late = wording.how_late(data["late_seconds"])
    return f"Its time came, and it was triggered{f' {late}' if late else ''}."


def _snoozed(data: Mapping[str, Any], words: Words) -> str:
    return f"It was put off {_from_to(data, words)}."


def _stale(data: Mapping[str, Any], _: Words) -> str:
    limit = duration_in_words(timedelta(seconds=int(data["limit_seconds"])))
    return f"It was {wording.how_late(data['late_seconds'])}, and you want to be told up to {limit} late."


def _delivered(data: Mapping[str, Any], _: Words) -> str:
    return f"It reached you {_by(data['transport'])}."


def _failed(data: Mapping[str, Any], _: Words) -> str:
    return f"It could not be delivered {_by(data['transport'])}: {data['error']}"


_OF_REMINDERS: dict[str, Callable[[Mapping[str, Any], Words], str]] = {
    "scheduled": _scheduled,
    "rescheduled": _rescheduled,
    "cancelled": _cancelled,
    "triggered": _triggered,
    "snoozed": _snoozed,
    "stale": _stale,
    "delivered": _delivered,
    "failed": _failed,
}
