"""What must hold after any fault, once the system is healed and quiet. Each check raises `AssertionError`.

C1 every acknowledged change is there, an unknown one at most once · C2 versions are contiguous · C3 each group
handled exactly the log's events · C4 one effect per event · C5 order per key, on the topic and in the trail ·
C8 the chains verify.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from apps.audit import verification
from apps.audit.models import AuditRecord
from apps.events.brokers.base import Broker, Record
from apps.events.envelope import RecordPosition, decode
from apps.events.models import HandledEvent, OutboxEntry
from apps.tasks.models import Task
from tests.faults.journal import Entry
from tests.support.factories import facts


def quiet() -> bool:
    """Nothing is on its way: the outbox is empty and every event has its audit record."""
    return not OutboxEntry.objects.exists() and AuditRecord.objects.filter(readable=True).count() == facts().count()


def check_all(journal: Iterable[Entry], records: Iterable[Record]) -> None:
    check_acknowledged_changes_are_there(journal)
    check_versions_are_contiguous()
    check_every_event_is_handled_once()
    check_order_of_first_occurrences(records)
    check_order_of_the_trail()
    check_the_chains_verify()


def check_acknowledged_changes_are_there(journal: Iterable[Entry]) -> None:
    """C1. An operation is known by its title, which no other has."""
    titles = Counter(Task.objects.values_list("title", flat=True))
    for entry in journal:
        allowed = {"ok": {1}, "unknown": {0, 1}, "failed": {0}}[entry.outcome]
        assert titles[entry.title] in allowed, f"{entry}: {titles[entry.title]} rows"


def check_versions_are_contiguous() -> None:
    """C2. Also: no task without its events, no event without its task."""
    versions: dict[object, list[int]] = defaultdict(list)
    for subject_id, version in facts().values_list("subject_id", "subject_version"):
        versions[subject_id].append(version or 0)
    expected = {task.pk: list(range(1, task.version + 1)) for task in Task.objects.all()}
    assert dict(versions) == expected


def check_every_event_is_handled_once(group: str = "audit") -> None:
    """C3 and C4."""
    log = Counter(facts().values_list("event_id", flat=True))
    handled = Counter(HandledEvent.objects.filter(group=group).values_list("event_id", flat=True))
    effects = Counter(AuditRecord.objects.filter(readable=True).values_list("event_id", flat=True))
    assert handled == log
    assert effects == log


@dataclass(frozen=True)
class Seen:
    key: str
    version: int


def versions_on(records: Iterable[Record]) -> list[Seen]:
    """What stands on the topic, partition by partition in order of offsets."""
    ordered = sorted(records, key=lambda record: (record.topic, record.partition, record.offset))
    seen = []
    for record in ordered:
        place = RecordPosition(record.topic, record.partition, record.offset)
        event = decode(key=record.key, value=record.value, headers=record.headers, record=place)
        seen.append(Seen(event.key, event.version or 0))
    return seen


def check_order_of_first_occurrences(records: Iterable[Record]) -> None:
    """C5 as a consumer meets it: a version comes for the first time only after all before it."""
    highest: dict[str, int] = defaultdict(int)
    for seen in versions_on(records):
        assert seen.version <= highest[seen.key] + 1, f"{seen} before version {highest[seen.key] + 1}"
        highest[seen.key] = max(highest[seen.key], seen.version)


def check_nothing_stands_twice_or_reordered(records: Iterable[Record]) -> None:
    """C5 in the strict form: every version once, in order. Holds while one relay leads and none crashes."""
    highest: dict[str, int] = defaultdict(int)
    for seen in versions_on(records):
        assert seen.version == highest[seen.key] + 1, f"{seen} after version {highest[seen.key]}"
        highest[seen.key] = seen.version


def check_order_of_the_trail() -> None:
    """C5 in the audit trail: records of a subject were appended in the order of its versions."""
    highest: dict[object, int] = defaultdict(int)
    trail = AuditRecord.objects.filter(readable=True).order_by("id")
    for subject_id, version in trail.values_list("subject_id", "subject_version"):
        assert version == highest[subject_id] + 1
        highest[subject_id] = version or 0


def check_the_chains_verify() -> None:
    """C8. Against the log too; a fault test has no checkpoints."""
    report = verification.verify(now=timezone.now())
    assert (report.findings, report.waiting) == ([], 0)


def all_records(broker: Broker, topics: list[str]) -> list[Record]:
    """Everything the topics keep, read past any group."""
    expected = broker.lag("checker-that-never-commits", topics)
    found: list[Record] = []
    for record in broker.tail(topics, from_beginning=True):
        if record is not None:
            found.append(record)
        if len(found) >= expected:
            break
    return found
