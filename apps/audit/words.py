"""What happened, in a person's words: a sentence for every event, from its data alone. Pure.

`PHRASES` has a phrase for each type, without its version; a type without one is told by its name, a field without
words as "changed …". Invariant: whatever an event holds, there is a sentence: the trail outlives the words of today.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from apps.audit import clauses, reminding, repeating
from apps.audit.kept import Kept
from apps.audit.times import Setting
from apps.calendar.sentences import joined

# Who did what nobody did.
PLATFORM = "the platform"
_MISSING = {
    Kept.ERASED: "what it held has been erased",
    Kept.GONE: "what it held is gone, though nobody was erased",
    Kept.BROKEN: "what it held cannot be read",
}

# What somebody did, from the data of an event.
Phrase = Callable[[Mapping[str, Any], Setting], str]


@dataclass(frozen=True, slots=True)
class Change:
    """A field with its value before and after, as the event has them."""

    field: str
    before: Any
    after: Any


def changes(data: Mapping[str, Any] | None) -> list[Change]:
    """What an event changed, field by field; nothing of one that made a thing, ended it, or was erased."""
    given = (data or {}).get("changes")
    told = dict(given) if isinstance(given, Mapping) else {}
    if not told and _is_change((data or {}).get("time_zone")):
        told = {"time_zone": (data or {})["time_zone"]}
    return [
        Change(str(field), change["before"], change["after"]) for field, change in told.items() if _is_change(change)
    ]


def sentence(
    type: str,
    data: Mapping[str, Any] | None,
    *,
    actor: str | None,
    zone: ZoneInfo,
    now: datetime,
    cause: str | None = None,
    led: Mapping[str, Any] | None = None,
    naming: bool = False,
    kept: Kept = Kept.ERASED,
) -> str:
    """What happened, such as "Ada moved due from 3 to 5 May".

    `actor` is a name, `None` the platform; days are those of `zone`, with the year where it is not that of `now`.
    `data` is `None` where it is not `kept`, which then says why. `cause` is the type of the event that led to this
    one, if one did, and `led` what that holds, where it is of the same person. `naming` puts a task's title before,
    where "it" would leave open which.
    """
    who = actor or PLATFORM.capitalize()
    kind, _, verb = without_version(type).partition(".")
    if not verb:
        return _unreadable(data)
    phrase = PHRASES.get(f"{kind}.{verb}")
    if data is None:
        plain = _ERASED_PHRASES.get(f"{kind}.{verb}") or _plain(kind, verb)
        return f"{who} {plain}{_with(verb, cause)} ({_MISSING[kept]})"
    setting = Setting.at(now, zone=zone)
    data = reminding.as_asked(data, led or {}) if kind == "reminder" else data
    title = (_title(data, kind) or _title_of_its_task(kind, led)) if naming else ""
    told = clauses.tried(lambda: phrase(data, setting) if phrase else None) or _unknown(kind, verb, data)
    return f"{title}{who} {told}{_with(verb, cause)}{_of_its_series(data, kind)}"


def _created(data: Mapping[str, Any], setting: Setting) -> str:
    return f"created it{clauses.of_a_new_task(data['task'], setting)}"


def _updated(data: Mapping[str, Any], setting: Setting) -> str:
    return joined(clauses.of_task(data, setting))


def _moved(verb: str) -> Phrase:
    """A verb that moves a task's status; what else changed with it comes after."""
    return lambda data, setting: joined([f"{verb} it", *clauses.of_task(data, setting, but={"status"})])


def _named(verb: str) -> Phrase:
    return lambda data, setting: f"{verb} the {' '.join(clauses.named_thing(data))}"


def _renamed(data: Mapping[str, Any], setting: Setting) -> str:
    kind, name = clauses.named_thing(data)
    words = {
        "name": lambda change: f"renamed the {kind} {clauses.short(change.before)} to {clauses.short(change.after)}",
        "position": lambda change: f"moved the {kind} {name} among the others",
    }
    plain = f"of the {kind} {name}"
    told = [
        words[change.field](change)
        if change.field in words
        else f"changed {clauses.field_in_words(change.field)} {plain}"
        for change in changes(data)
    ]
    return joined(told)


def _time_zone(data: Mapping[str, Any], setting: Setting) -> str:
    return f"changed the time zone from {data['time_zone']['before']} to {data['time_zone']['after']}"


def _said(words: str) -> Phrase:
    return lambda data, setting: words


PHRASES: dict[str, Phrase] = {
    "task.created": _created,
    "task.updated": _updated,
    "task.completed": _moved("completed"),
    "task.reopened": _moved("reopened"),
    "task.deleted": _moved("deleted"),
    "task.restored": _moved("restored"),
    "task.purged": _said("purged it"),
    "list.created": _named("created"),
    "list.updated": _renamed,
    "list.deleted": _named("deleted"),
    "tag.created": _named("created"),
    "tag.updated": _renamed,
    "tag.deleted": _named("deleted"),
    "account.time_zone_changed": _time_zone,
    "account.erased": _said("erased what the platform knew of this person"),
    "recurrence.generated": repeating.generated,
    "recurrence.skipped": repeating.skipped,
    "recurrence.ended": repeating.ended,
    "recurrence.changed": repeating.changed,
    "reminder.scheduled": reminding.scheduled,
    "reminder.rescheduled": reminding.rescheduled,
    "reminder.cancelled": reminding.cancelled,
    "reminder.triggered": reminding.triggered,
    "reminder.snoozed": reminding.snoozed,
    "reminder.stale": reminding.stale,
    "reminder.delivered": reminding.delivered,
    "reminder.failed": reminding.failed,
    "notification.created": reminding.told,
    "notification.updated": reminding.changed,
}
_ERASED_PHRASES = {
    "task.updated": "changed it",
    **{f"task.{verb}": f"{verb} it" for verb in ("created", "completed", "reopened", "deleted", "restored", "purged")},
    "list.updated": "changed the list",
    "tag.updated": "changed the tag",
    "account.time_zone_changed": "changed the time zone",
    "account.erased": "erased what the platform knew of this person",
    "recurrence.generated": "made the next one",
    "recurrence.skipped": "skipped a date",
    "recurrence.ended": "ended the series",
    "recurrence.changed": "changed the series",
    "reminder.scheduled": "planned a reminder",
    "reminder.rescheduled": "moved the reminder",
    "reminder.stale": "let the reminder go, as it was too late",
    "reminder.failed": "could not deliver the reminder",
    "notification.created": "told of something",
    "notification.updated": "changed the notification",
}
_CAUSES = {
    "task.completed": " with the task it is part of",
    "task.deleted": " with the task it is part of",
    "task.restored": " with the task it is part of",
    "list.deleted": ", as its list was deleted",
    "tag.deleted": ", as the tag was deleted",
    "recurrence.generated": ", as the next of its series",
    "recurrence.skipped": ", as its date was skipped",
}


def _with(verb: str, cause: str | None) -> str:
    """What took the thing along."""
    led = without_version(cause or "")
    same = led.partition(".")[2] == verb
    return _CAUSES.get(led, "") if same or not led.startswith("task.") else ""


def _of_its_series(data: Mapping[str, Any], kind: str) -> str:
    """What becomes of it, where one occurrence was deleted and no more."""
    return "; its series goes on" if kind == "task" and data.get("series") == "continues" else ""


def _unknown(kind: str, verb: str, data: Mapping[str, Any]) -> str:
    told = [f"changed {clauses.field_in_words(change.field)}" for change in changes(data)]
    return joined([_plain(kind, verb), *told])


def _plain(kind: str, verb: str) -> str:
    """Of a type without a phrase: `scheduled the reminder`, or what it is called."""
    told = verb.replace("_", " ").replace(".", " ")
    if " " in told:
        return f"is told of “{kind} {told}”"
    return f"{told} the {kind.replace('_', ' ')}"


def _title(data: Mapping[str, Any], kind: str) -> str:
    """Of what it happened to; of a reminder's task, where the event has it."""
    thing = data.get("task" if kind == "reminder" else kind) if kind != "notification" else None
    title = thing.get("title") if isinstance(thing, Mapping) else None
    return f"{clauses.quoted(title)}: " if title else ""


def _title_of_its_task(kind: str, led: Mapping[str, Any] | None) -> str:
    """From what led to it: what is planned of a reminder names its task by its id alone."""
    return _title(led or {}, "task") if kind == "reminder" else ""


def _unreadable(data: Mapping[str, Any] | None) -> str:
    because = (data or {}).get("because")
    told = clauses.short(because) if because else ""
    return "A record came that nobody could read" + (f": {told}" if told else "")


def without_version(type: str) -> str:
    name, _, version = type.rpartition(".")
    return name if version[:1] == "v" and version[1:].isdigit() else type


def _is_change(value: Any) -> bool:
    return isinstance(value, Mapping) and "before" in value and "after" in value
