"""Records as a list of the trail tells them: when, who, what, which thing, from what to what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.accounts.models import User
from apps.audit import words
from apps.audit.admin.asked import kind_of
from apps.audit.admin.differences import field_in_words, in_short
from apps.audit.models import AuditRecord
from apps.calendar.sentences import joined

PLATFORM = "the platform"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One record. `thing` is what it was called then; `short` are its first few changes."""

    record: AuditRecord
    who: str
    what: str
    kind: str
    thing: str
    erased: bool
    short: list[tuple[str, str, str]]
    more: int


def rows(records: Sequence[AuditRecord], *, zone: ZoneInfo) -> list[Row]:
    names = names_of(each for one in records for each in (one.actor_id, one.subject_id))
    return [_row(one, names, zone) for one in records]


def names_of(ids: Iterable[UUID | None]) -> dict[UUID, str]:
    found = User.objects.filter(pk__in={one for one in ids if one}).values_list("pk", "username")
    return dict(found)


def who(person_id: UUID | None, names: dict[UUID, str], *, readable: bool = True) -> str:
    """A username; the platform, where nobody did it; an id, where nobody is known by it any more."""
    if person_id is None:
        return PLATFORM if readable else ""
    return names.get(person_id) or str(person_id)


def what(record: AuditRecord) -> str:
    """What was done, in a word or a few: `completed`, `changed due and priority`."""
    if not record.readable:
        return "unreadable"
    name, dot, version = record.type.rpartition(".")
    verb = (name if dot and version[:1] == "v" else record.type).partition(".")[2].replace("_", " ")
    if verb == "updated":
        fields = list(dict.fromkeys(_plainly(change.field) for change in words.changes(record.data)))
        return f"changed {joined(_first(fields))}" if fields else "changed"
    return f"changed {verb.removesuffix(' changed')}" if verb.endswith(" changed") else verb or record.type


def thing(record: AuditRecord, names: dict[UUID, str]) -> str:
    """What it was called, as its event told; empty when it has no name or none any more."""
    told = record.told
    if told is None:
        return ""
    named = record.content.title
    return named or (names.get(record.subject_id, "") if record.subject_id else "")


def _row(record: AuditRecord, names: dict[UUID, str], zone: ZoneInfo) -> Row:
    changed = len(words.changes(record.data))
    return Row(
        record=record,
        who=who(record.actor_id, names, readable=record.readable),
        what=what(record),
        kind=record.subject_type or kind_of(record.type),
        thing=thing(record, names),
        erased=record.told is None,
        short=in_short(record.data, zone=zone, most=_SHOWN),
        more=max(0, changed - _SHOWN),
    )


def _plainly(field: str) -> str:
    return "due" if field.startswith("due_") else field_in_words(field)


def _first(fields: list[str]) -> list[str]:
    return fields if len(fields) <= _SHOWN + 1 else [*fields[:_SHOWN], f"{len(fields) - _SHOWN} more"]
