"""Records as a list of the trail tells them: when, who, what, which thing, from what to what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.audit import selectors, words
from apps.audit.admin.asked import kind_of
from apps.audit.admin.clocks import Shown, shown
from apps.audit.admin.differences import in_short
from apps.audit.clauses import field_in_words
from apps.audit.kept import Kept
from apps.audit.models import AuditRecord
from apps.calendar.sentences import joined

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One record. `thing` is what it was called then; `short` are its first few changes; `found` is what a verification
    found wrong with it.
    """

    record: AuditRecord
    at: Shown
    who: str
    what: str
    kind: str
    thing: str
    kept: Kept
    short: list[tuple[str, str, str]]
    more: int
    found: str


def rows(records: Sequence[AuditRecord], *, zone: ZoneInfo, found: Mapping[int, str]) -> list[Row]:
    """Records as rows; `found` is what verifications found, by record."""
    names = selectors.names_of(each for one in records for each in (one.actor_id, one.subject_id))
    kept = selectors.kept_of(records)
    return [_row(one, names, kept[one.pk], zone, found.get(one.pk, "")) for one in records]


def who(person_id: UUID | None, names: dict[UUID, str], *, readable: bool = True) -> str:
    """A username; the platform, where nobody did it; an id, where nobody is known by it any more."""
    if person_id is None:
        return words.PLATFORM if readable else ""
    return names.get(person_id) or str(person_id)


def what(record: AuditRecord) -> str:
    """What was done, in a word or a few: `completed`, `changed due and priority`."""
    if not record.readable:
        return "unreadable"
    verb = words.without_version(record.type).partition(".")[2].replace("_", " ")
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


def _row(record: AuditRecord, names: dict[UUID, str], kept: Kept, zone: ZoneInfo, found: str) -> Row:
    changed = len(words.changes(record.data))
    return Row(
        record=record,
        at=shown(record.recorded_at, zone=zone),
        who=who(record.actor_id, names, readable=record.readable),
        what=what(record),
        kind=record.subject_type or kind_of(record.type),
        thing=thing(record, names),
        kept=kept,
        short=in_short(record.data, zone=zone, most=_SHOWN),
        more=max(0, changed - _SHOWN),
        found=found,
    )


def _plainly(field: str) -> str:
    return "due" if field.startswith("due_") else field_in_words(field)


def _first(fields: list[str]) -> list[str]:
    return fields if len(fields) <= _SHOWN + 1 else [*fields[:_SHOWN], f"{len(fields) - _SHOWN} more"]
