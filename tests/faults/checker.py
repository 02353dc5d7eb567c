"""What must hold after any fault, once the system is healed and quiet.

C1 every acknowledged change is there, an unknown one at most once, a refused one not at all · C2 versions are
contiguous · C3 each group handled exactly the log's events · C4 one effect per event · C5 order per thing, on the
topics (facts and snapshots) and in the trail · C8 the chains verify · C9 nothing is left behind. (C10, recovery in
time, is `evidence`'s.)

`judge` counts what was lost, done twice and out of order; `hold` raises `AssertionError` when it finds anything.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.audit import verification
from apps.audit.models import AuditRecord
from apps.events.brokers.base import Broker, Record
from apps.events.envelope import RecordPosition, decode
from apps.events.errors import BrokerFailed
from apps.events.models import DeadLetter, HandledEvent, OutboxEntry
from apps.events.subscriptions import group_named
from apps.tasks.models import Task
from tests.faults.journal import Operation
from tests.support.factories import facts

GROUP = "audit"
TOPIC = "task-events"
SNAPSHOTS = "task-updates"


def quiet() -> bool:
    """Nothing is on its way: the outbox is empty and every event has its audit record."""
    return not OutboxEntry.objects.exists() and AuditRecord.objects.filter(readable=True).count() == facts().count()


def waiting() -> list[int]:
    """What the outbox holds now."""
    return list(OutboxEntry.objects.values_list("pk", flat=True))


def relayed(positions: list[int]) -> bool:
    """Whether none of these is left in the outbox, however much has come since."""
    return not OutboxEntry.objects.filter(pk__in=positions).exists()


@dataclass
class Verdict:
    """What was found, as sentences; `lost`, `duplicated` and `reordered` of events, and whatever else is wrong."""

    operations: Counter[str] = field(default_factory=Counter)
    events: int = 0
    repeated_records: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        return [*self.lost, *self.duplicated, *self.reordered, *self.other]

    def hold(self) -> None:
        shown = "\n".join(self.findings[:20])
        assert not self.findings, f"{len(self.findings)} findings:\n{shown}"


def judge(operations: Iterable[Operation], records: Sequence[Record] | None = None, *, poisons: int = 0) -> Verdict:
    """Everything, of a system at rest. `records` is all of the topics, where they kept all; `poisons` counts the dead
    letters that the test itself has caused.
    """
    verdict = Verdict(events=facts().count())
    judge_operations(verdict, operations)
    judge_versions(verdict)
    judge_handling(verdict)
    if records is not None:
        judge_topic(verdict, records)
        judge_completeness(verdict, records)
    judge_trail(verdict)
    judge_chains(verdict)
    judge_leftovers(verdict, poisons=poisons)
    return verdict


def judge_operations(verdict: Verdict, operations: Iterable[Operation]) -> None:
    """C1. An operation is known in the log by its correlation id, and makes one fact."""
    made = Counter(facts().values_list("correlation_id", flat=True))
    for operation in operations:
        verdict.operations[operation.outcome] += 1
        told = made[operation.id]
        if operation.outcome == "ok" and told == 0:
            verdict.lost.append(f"{operation}: acknowledged, and not in the log")
        elif operation.outcome == "failed" and told:
            verdict.other.append(f"{operation}: refused, and in the log")
        elif told > 1:
            verdict.duplicated.append(f"{operation}: {told} events")


def judge_versions(verdict: Verdict) -> None:
    """C2. Also: no task without its events, no event without its task."""
    versions: dict[UUID, list[int]] = defaultdict(list)
    told = facts().filter(subject_type="task").order_by("position")
    for subject_id, version in told.values_list("subject_id", "subject_version"):
        versions[subject_id].append(version or 0)
    reached = dict(Task.objects.values_list("pk", "version"))
    for subject_id in versions.keys() | reached.keys():
        found, wanted = versions.get(subject_id, []), list(range(1, reached.get(subject_id, 0) + 1))
        if sorted(found) != wanted:
            verdict.lost.append(f"task {subject_id}: versions {found} in the log, {wanted} expected")
        elif found != wanted:
            verdict.reordered.append(f"task {subject_id}: versions {found} in the log")


def judge_handling(verdict: Verdict, *, group: str = GROUP, effects: Iterable[UUID] | None = None) -> None:
    """C3 and C4. `effects` are the events whose effect stands somewhere: the trail, unless they are given."""
    log = set(facts().values_list("event_id", flat=True))
    handled = set(HandledEvent.objects.filter(group=group).values_list("event_id", flat=True))
    found = AuditRecord.objects.filter(readable=True).values_list("event_id", flat=True) if effects is None else effects
    effects = Counter(found)
    verdict.lost += [f"event {each}: not handled" for each in log - handled]
    verdict.lost += [f"event {each}: no effect" for each in log - effects.keys()]
    verdict.duplicated += [f"event {each}: {times} effects" for each, times in effects.items() if times > 1]
    verdict.other += [f"event {each}: an effect, and not in the log" for each in effects.keys() - log]
    # What nobody could read is noted as handled too, under an id of its own.
    unreadable = AuditRecord.objects.filter(readable=False).count()
    if len(handled - log) != unreadable:
        verdict.other.append(f"{len(handled - log)} handled that are not in the log, {unreadable} unreadable")


@dataclass(frozen=True)
class Seen:
    id: UUID
    topic: str
    thing: UUID
    version: int

    def __str__(self) -> str:
        return f"{self.topic}: version {self.version} of {self.thing}"


def versions_on(records: Iterable[Record]) -> list[Seen]:
    """What stands on the topics, partition by partition in order of offsets."""
    ordered = sorted(records, key=lambda record: (record.topic, record.partition, record.offset))
    seen = []
    for record in ordered:
        place = RecordPosition(record.topic, record.partition, record.offset)
        event = decode(key=record.key, value=record.value, headers=record.headers, record=place)
        version = event.version or event.data["version"]  # a snapshot has its thing's in its content
        seen.append(Seen(event.id, record.topic, event.subject_id, version))
    return seen


def judge_topic(verdict: Verdict, records: Iterable[Record]) -> None:
    """C5 as a consumer meets it: versions come for the first time in order, the newest last. Repeats are counted."""
    highest: dict[tuple[str, UUID], int] = defaultdict(int)
    last: dict[tuple[str, UUID], Seen] = {}
    for seen in versions_on(records):
        place = seen.topic, seen.thing
        if seen.version > highest[place] + 1:
            verdict.reordered.append(f"{seen} before version {highest[place] + 1}")
        verdict.repeated_records += seen.version <= highest[place]
        highest[place] = max(highest[place], seen.version)
        last[place] = seen
    verdict.reordered += [f"{seen} comes last" for place, seen in last.items() if seen.version < highest[place]]


def judge_completeness(verdict: Verdict, records: Iterable[Record]) -> None:
    """C3 of the topic itself: what only the reconcile made good would else not be seen as lost."""
    log = set(facts().filter(topic=TOPIC).values_list("event_id", flat=True))
    verdict.lost += [f"event {each}: not on the topic" for each in log - {seen.id for seen in versions_on(records)}]


def check_nothing_stands_twice_or_reordered(records: Iterable[Record]) -> None:
    """C5 in the strict form: every version once, in order. Holds while one relay leads and none crashes."""
    verdict = Verdict()
    judge_topic(verdict, records)
    verdict.hold()
    assert verdict.repeated_records == 0


def judge_trail(verdict: Verdict) -> None:
    """C5 in the audit trail: records of a subject were appended in the order of its versions."""
    highest: dict[object, int] = defaultdict(int)
    trail = AuditRecord.objects.filter(readable=True).order_by("id")
    for subject_id, version in trail.values_list("subject_id", "subject_version"):
        if version != highest[subject_id] + 1:
            verdict.reordered.append(f"record of {subject_id}: version {version} after {highest[subject_id]}")
        highest[subject_id] = version or 0


def judge_chains(verdict: Verdict) -> None:
    """C8. Against the log too; a fault test has no checkpoints."""
    report = verification.verify(now=timezone.now())
    verdict.other += [str(finding) for finding in report.findings]
    if report.waiting:
        verdict.other.append(f"{report.waiting} events wait for their record")


# So long a transaction may idle at rest: its work is between two statements. One that waits for the rest of a statement
# idles too, though PostgreSQL calls it active.
OPEN_SECONDS = 5.0
_LEFT_OPEN = """
SELECT coalesce(application_name, '') || ' (' || pid || '): in a transaction since ' || xact_start
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND (state LIKE 'idle in transaction%%' OR state = 'active' AND wait_event = 'ClientRead')
  AND state_change < clock_timestamp() - make_interval(secs => %s)
"""


def judge_leftovers(verdict: Verdict, *, poisons: int) -> None:
    """C9. Nothing waits for anybody: no outbox entry, no dead letter, no transaction left open."""
    verdict.other += [f"outbox entry {pk} is left" for pk in OutboxEntry.objects.values_list("pk", flat=True)[:10]]
    letters = DeadLetter.objects.filter(status=DeadLetter.Status.PARKED).count()
    if letters != poisons:
        verdict.other.append(f"{letters} dead letters, {poisons} expected")
    with connection.cursor() as cursor:
        cursor.execute(_LEFT_OPEN, [OPEN_SECONDS])
        verdict.other += [row[0] for row in cursor.fetchall()]


def _count(broker: Broker, topics: list[str]) -> int:
    """A real Kafka that was never asked about a group before has to make the topic of their offsets first."""
    for _ in range(30):
        with suppress(BrokerFailed):
            return broker.lag("checker-that-never-commits", topics)
        time.sleep(1)
    raise AssertionError("Kafka does not say how much there is.")


def all_records(broker: Broker, topics: list[str] | None = None) -> list[Record]:
    """Everything the topics keep, read past any group."""
    topics = topics or [TOPIC, SNAPSHOTS]
    expected = _count(broker, topics)
    found: list[Record] = []
    for record in broker.tail(topics, from_beginning=True):
        if record is not None:
            found.append(record)
        if len(found) >= expected:
            break
    return found


def lag(broker: Broker) -> int:
    return broker.lag(GROUP, group_named(GROUP).topics())
