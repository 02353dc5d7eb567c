"""What must hold after any fault, once the system is healed and quiet.

C1 every acknowledged change is there, an unknown one at most once, a refused one not at all · C2 versions are
contiguous · C3 each group handled or set aside exactly the log's events of its types · C4 one effect per event · C5
order per thing, on the topics (facts and snapshots), in what each group handled and in the trail · C6 no reminder
early, twice or of what was done first, and one key for all attempts at a delivery (`reminders`) · C8 the chains
verify · C9 nothing is left behind. (C10, recovery in time, is `evidence`'s.) Of repeating tasks: `series`.

Judged is every group at work: audit always, another from the moment that its worker has met Kafka.

`judge` counts what was lost, done twice and out of order; `hold` raises `AssertionError` when it finds anything.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from apps.audit import verification
from apps.audit.models import AuditRecord
from apps.events import event_types
from apps.events.brokers.base import Broker, Record
from apps.events.models import DeadLetter, Event, GroupProgress, HandledEvent, OutboxEntry
from apps.events.subscriptions import ConsumerGroup, groups
from apps.notifications.models import Notification, Reminder
from apps.recurrence.models import Series
from apps.tasks.models import Task
from tests.faults import reminders, series, topics
from tests.faults.journal import Operation
from tests.faults.verdict import Verdict
from tests.support.factories import facts

AUDIT = "audit"
_TOLD_OF: dict[str, Any] = {"task": Task, "series": Series, "reminder": Reminder, "notification": Notification}


def at_work() -> list[ConsumerGroup]:
    """Audit, and whoever else has begun."""
    begun = {AUDIT, *GroupProgress.objects.values_list("group", flat=True)}
    return [group for group in groups() if group.name in begun]


def quiet() -> bool:
    """Nothing is on its way: each group is done, the outbox is empty and every event has its audit record.

    In this order: what a group has just handled may have led to more.
    """
    return (
        all(_done(group) for group in at_work() if group.name != AUDIT)
        and not OutboxEntry.objects.exists()
        and AuditRecord.objects.filter(readable=True).count() == facts().count()
    )


def _done(group: ConsumerGroup) -> bool:
    handled = HandledEvent.objects.filter(group=group.name).count()
    set_aside = DeadLetter.objects.filter(group=group.name, status=DeadLetter.Status.PARKED).count()
    return handled + set_aside == _wanted_by(group).count()


def _wanted_by(group: ConsumerGroup) -> QuerySet[Event]:
    return Event.objects.filter(type__in=[one.name for one in event_types.declared() if group.wants(one.name)])


def waiting() -> list[int]:
    """What the outbox holds now."""
    return list(OutboxEntry.objects.values_list("pk", flat=True))


def relayed(positions: list[int]) -> bool:
    """Whether none of these is left in the outbox, however much has come since."""
    return not OutboxEntry.objects.filter(pk__in=positions).exists()


_PLACE = ("event_id", "subject_id", "subject_version")


def judge(operations: Iterable[Operation], records: Sequence[Record] | None = None, *, poisons: int = 0) -> Verdict:
    """Everything, of a system at rest. `records` is all of the topics, where they kept all; `poisons` counts the dead
    letters that the test itself has caused.
    """
    verdict = Verdict(events=facts().count())
    judge_operations(verdict, operations)
    judge_versions(verdict)
    for group in at_work():
        judge_handling(verdict, group=group)
        judge_order_of_handling(verdict, group=group)
    judge_effects(verdict)
    if any(group.name == series.GROUP for group in at_work()):
        series.judge(verdict)
    if any(group.name == reminders.GROUP for group in at_work()):
        reminders.judge(verdict, due=False)
    if records is not None:
        topics.judge_order(verdict, records)
        topics.judge_completeness(verdict, records)
    judge_trail(verdict)
    judge_chains(verdict)
    judge_leftovers(verdict, poisons=poisons)
    return verdict


def judge_operations(verdict: Verdict, operations: Iterable[Operation]) -> None:
    """C1. An operation is known in the log by its correlation id, and makes one fact; what follows has a cause."""
    made = Counter(facts().filter(causation_id=None).values_list("correlation_id", flat=True))
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
    """C2. Also: nothing that is told of without its events, no event without its thing."""
    for kind, model in _TOLD_OF.items():
        versions: dict[UUID, list[int]] = defaultdict(list)
        told = facts().filter(subject_type=kind).order_by("position")
        for subject_id, version in told.values_list("subject_id", "subject_version"):
            versions[subject_id].append(version or 0)
        reached = dict(model.objects.values_list("pk", "version"))
        for subject_id in versions.keys() | reached.keys():
            found, wanted = versions.get(subject_id, []), list(range(1, reached.get(subject_id, 0) + 1))
            if sorted(found) != wanted:
                verdict.lost.append(f"{kind} {subject_id}: versions {found} in the log, {wanted} expected")
            elif found != wanted:
                verdict.reordered.append(f"{kind} {subject_id}: versions {found} in the log")


def judge_handling(verdict: Verdict, *, group: ConsumerGroup) -> None:
    """C3. What a group set aside it has not handled, and the other way round."""
    log = set(_wanted_by(group).values_list("event_id", flat=True))
    handled = set(HandledEvent.objects.filter(group=group.name).values_list("event_id", flat=True))
    letters = DeadLetter.objects.filter(group=group.name, status=DeadLetter.Status.PARKED)
    set_aside = set(letters.values_list("event_id", flat=True))
    verdict.lost += [f"event {each}: not handled by {group.name}" for each in log - handled - set_aside]
    verdict.other += [f"event {each}: handled and set aside by {group.name}" for each in handled & set_aside]
    verdict.other += [f"event {each}: set aside by {group.name}, and none of its own" for each in set_aside - log]
    # What nobody could read is noted as handled too, under an id of its own.
    unreadable = AuditRecord.objects.filter(readable=False).count() if group.unreadable else 0
    if len(handled - log) != unreadable:
        verdict.other.append(
            f"{len(handled - log)} handled by {group.name} that are not in the log, {unreadable} unreadable"
        )


def judge_order_of_handling(verdict: Verdict, *, group: ConsumerGroup) -> None:
    """C5. By when the transactions began in which a group handled the versions of a thing."""
    events = _wanted_by(group).exclude(subject_version=None)
    place = {one: (subject, version) for one, subject, version in events.values_list(*_PLACE)}
    before: dict[UUID, int] = defaultdict(int)
    handled = HandledEvent.objects.filter(group=group.name).values_list("event_id", "handled_at")
    for event_id, _ in sorted(
        ((one, at) for one, at in handled if one in place), key=lambda each: (each[1], place[each[0]][1])
    ):
        subject, version = place[event_id]
        if version < before[subject]:
            verdict.reordered.append(f"{group.name} handled version {version} of {subject} after {before[subject]}")
        before[subject] = max(before[subject], version)


def judge_effects(verdict: Verdict, effects: Iterable[UUID] | None = None) -> None:
    """C4. `effects` are the events whose effect stands somewhere: the trail, unless they are given."""
    log = set(facts().values_list("event_id", flat=True))
    found = AuditRecord.objects.filter(readable=True).values_list("event_id", flat=True) if effects is None else effects
    counted = Counter(found)
    verdict.lost += [f"event {each}: no effect" for each in log - counted.keys()]
    verdict.duplicated += [f"event {each}: {times} effects" for each, times in counted.items() if times > 1]
    verdict.other += [f"event {each}: an effect, and not in the log" for each in counted.keys() - log]


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


def lag(broker: Broker) -> int:
    """How many records the groups at work have yet to read."""
    return sum(broker.lag(group.name, group.topics()) for group in at_work())
