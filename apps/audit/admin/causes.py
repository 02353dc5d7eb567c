"""The chain of causes of a record, as a tree: a request, the events it led to, and what those led to in their turn.

By causation alone, whatever the events are about. Invariant: bounded in depth and number, and total: what is missing
above, erased, cut off, or runs in a circle is shown as such, and the record at hand always stands in it.
"""

from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import QuerySet

from apps.audit.models import AuditContent, AuditRecord
from apps.audit.ways import by_index

MAX_NODES = 200
MAX_DEPTH = 20


@dataclass(slots=True)
class Cause:
    """An event and what it caused. `record` is `None` for one that the trail does not hold."""

    event_id: UUID
    record: AuditRecord | None
    here: bool = False
    caused: list["Cause"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tree:
    """`correlation_id` names the request, `None` when that is erased; `cut` tells that there is more than is shown."""

    correlation_id: str | None
    roots: list[Cause]
    cut: bool
    records: list[AuditRecord]


def tree_of(record: AuditRecord) -> Tree:
    found = {record.event_id: record}
    cut = _add_causes_of(record, found)
    cut |= _add_caused_by(record, found)
    cut |= _add_same_request(record, found)
    return Tree(record.correlation_id or None, _grown(found, here=record.event_id), cut, list(found.values()))


def _records() -> QuerySet[AuditRecord]:
    return AuditRecord.objects.select_related("content")


def _add_causes_of(record: AuditRecord, found: dict[UUID, AuditRecord]) -> bool:
    """What led to it, upwards. Whether there is more."""
    cause = record.causation_id
    for _ in range(MAX_DEPTH):
        if cause is None or cause in found:
            return False
        above = _records().filter(event_id=cause).first()
        if above is None:
            return False
        found[cause] = above
        cause = above.causation_id
    return cause is not None


def _add_caused_by(record: AuditRecord, found: dict[UUID, AuditRecord]) -> bool:
    """What it led to, level by level. Whether there is more."""
    level = [record.event_id]
    for _ in range(MAX_DEPTH):
        room = MAX_NODES - len(found)
        below = list(_records().filter(causation_id__in=level).order_by("pk")[: room + 1])
        new = [one for one in below if one.event_id not in found]
        found |= {one.event_id: one for one in new[:room]}
        if len(below) > room:
            return True
        if not new:
            return False
        level = [one.event_id for one in new]
    return _records().filter(causation_id__in=level).exists()


def _add_same_request(record: AuditRecord, found: dict[UUID, AuditRecord]) -> bool:
    """What else the same request led to. Whether there is more."""
    if not record.correlation_id:
        return False
    same = AuditContent.objects.filter(correlation_id=record.correlation_id)
    with by_index(in_order=True):
        ids = list(same.values_list("pk", flat=True)[: MAX_NODES + 1])
    others = [one for one in ids if one not in found][: max(0, MAX_NODES - len(found))]
    found |= {one.event_id: one for one in _records().filter(event_id__in=others)}
    return len(ids) > MAX_NODES or not found.keys() >= set(ids)


def _grown(found: dict[UUID, AuditRecord], *, here: UUID) -> list[Cause]:
    """Everything found, each below its cause; below a placeholder where the trail does not hold that."""
    nodes = {one.event_id: Cause(one.event_id, one, one.event_id == here) for one in found.values()}
    roots: list[Cause] = []
    missing: dict[UUID, Cause] = {}
    for one in sorted(found.values(), key=lambda record: record.pk):
        node, cause = nodes[one.event_id], one.causation_id
        if cause is None or _in_a_circle(one, found):
            roots.append(node)
        elif cause in nodes:
            nodes[cause].caused.append(node)
        else:
            if cause not in missing:
                missing[cause] = Cause(cause, None)
                roots.append(missing[cause])
            missing[cause].caused.append(node)
    return roots


def _in_a_circle(record: AuditRecord, found: dict[UUID, AuditRecord]) -> bool:
    """Whether it is the first of events that name one another as their cause; the circle is opened there."""
    seen, cause = {record.event_id}, record.causation_id
    while cause in found and cause not in seen:
        seen.add(cause)
        cause = found[cause].causation_id
    return cause == record.event_id and record.pk == min(found[one].pk for one in seen)
