"""What holds after every step, and what holds when all is healed and nothing is left to do.

Each promise yields what breaks it, in words. Invariant: reads only.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.audit import verification
from apps.audit.models import AuditRecord
from apps.events import event_types, retention, verify
from apps.events.envelope import header
from apps.events.models import DeadLetter, GroupMark, GroupProgress
from apps.events.subscriptions import EVERY_FACT, ConsumerGroup
from tests.events.machine.world import World, subject_of

_EVENTS = """
SELECT position, event_id, type, topic, key, subject_type, subject_id, subject_version, transaction_id,
    erased_at IS NOT NULL, recorded_at > now() - make_interval(days => %s),
    EXISTS (SELECT 1 FROM events_outboxentry o WHERE o.event_id = e.position),
    EXISTS (SELECT 1 FROM events_outboxentry o WHERE o.event_id = e.position AND o.held_at IS NOT NULL)
FROM events_event e ORDER BY position
"""
_ROWS = """
SELECT 'task', id, version FROM tasks_task UNION ALL SELECT 'list', id, version FROM tasks_tasklist
UNION ALL SELECT 'tag', id, version FROM tasks_tag
"""
_EFFECTS = """
SELECT key, effect_of FROM (SELECT key, effect_of, id FROM test_effect UNION ALL
    SELECT 'audit', event_id, id FROM audit_auditrecord WHERE readable) e ORDER BY key, id
"""


class Broken(AssertionError):
    """A promise does not hold."""


@dataclass(frozen=True, slots=True)
class Logged:
    position: int
    id: UUID
    type: str
    topic: str
    key: str
    subject_type: str
    subject_id: UUID
    version: int | None
    transaction_id: int
    hollow: bool
    recent: bool
    in_outbox: bool
    held: bool

    @property
    def subject(self) -> tuple[str, UUID]:
        return self.subject_type, self.subject_id


class Seen:
    """The state of everything between two steps."""

    def __init__(self, world: World) -> None:
        self.world = world
        with connection.cursor() as cursor:
            cursor.execute(_EVENTS, [retention.days_handled_is_known()])
            self.log = {row[1]: Logged(*row) for row in cursor.fetchall()}
            cursor.execute(_ROWS)
            self.rows = {(kind, pk): version for kind, pk, version in cursor.fetchall()}
            cursor.execute(_EFFECTS)
            self.effects: dict[str, list[UUID]] = defaultdict(list)
            for group, event_id in cursor.fetchall():
                self.effects[group].append(event_id)
            cursor.execute('SELECT "group", event_id FROM events_handledevent')
            self.handled: dict[str, set[UUID]] = defaultdict(set)
            for group, event_id in cursor.fetchall():
                self.handled[group].add(event_id)
        self.letters = list(DeadLetter.objects.order_by("pk").defer("envelope", "traceback", "reason"))
        self.marks = {(mark.group, mark.type): mark.settled_transaction_id for mark in GroupMark.objects.all()}
        self.progress = list(GroupProgress.objects.order_by("pk"))
        self.set_aside: dict[str, set[UUID]] = defaultdict(set)
        for letter in self.letters:
            self.set_aside[letter.group].add(letter.event_id)

    def done_with(self) -> dict[str, set[UUID]]:
        """Per group what it has handled or set aside, also what the inbox has forgotten since."""
        return {
            group.name: self.handled[group.name] | self.set_aside[group.name] | set(self.effects[group.name])
            for group in self.world.groups
        }

    @property
    def held(self) -> bool:
        return any(one.held for one in self.log.values())

    def missing(self, group: ConsumerGroup) -> Iterator[Logged]:
        done = self.done_with()[group.name] | self.world.let_go[group.name]
        for one in self.log.values():
            if group.wants(one.type) and one.id not in done and not one.hollow:
                yield one


Promise = Callable[[Seen], Iterator[str]]


def the_log_is_what_was_acknowledged(seen: Seen) -> Iterator[str]:
    world = seen.world
    yield from (f"{seen.log[one].type} was never acknowledged" for one in seen.log.keys() - world.acknowledged.keys())
    missing = world.acknowledged.keys() - seen.log.keys() - world.may_be_gone
    yield from (f"{world.acknowledged[one].type} was acknowledged and is gone" for one in missing)


def versions_are_contiguous(seen: Seen) -> Iterator[str]:
    versions: dict[tuple[str, UUID], list[int]] = defaultdict(list)
    for one in seen.log.values():
        if one.version is not None:
            versions[one.subject].append(one.version)
    for subject, found in versions.items():
        if found != list(range(found[0], found[0] + len(found))):
            yield f"{subject} has the versions {found}"
    for subject, version in seen.rows.items():
        last = versions.get(subject, [0])[-1]
        if last != version and not (seen.world.may_be_gone and not last):
            yield f"{subject} is at version {version}, its events end at {last}"


def what_left_the_outbox_was_given_to_kafka(seen: Seen) -> Iterator[str]:
    for one in seen.log.values():
        if not one.in_outbox and str(one.id) not in seen.world.broker.ever:
            yield f"{one.type} {one.subject} {one.version} left the outbox and was never on Kafka"


def kafka_has_each_subject_in_order(seen: Seen) -> Iterator[str]:
    last: dict[tuple[str, tuple[str, UUID]], int] = {}
    first_sight: set[UUID] = set()
    for record in seen.world.broker.records():
        event_id = UUID(header(record.headers, "ce_id") or str(UUID(int=0)))
        if event_id in first_sight or event_id not in seen.log:
            continue
        first_sight.add(event_id)
        place = (record.topic, subject_of(record))
        if seen.log[event_id].position < last.get(place, 0):
            yield f"{place} {seen.log[event_id].version} stands behind a later one"
        last[place] = seen.log[event_id].position


def what_is_handled_was_logged(seen: Seen) -> Iterator[str]:
    world = seen.world
    known = world.acknowledged.keys() | world.foreign
    for group, handled in seen.handled.items():
        unheard = handled - known
        if group == "audit":
            unreadable = AuditRecord.objects.filter(readable=False).values_list("event_id", flat=True)
            unheard -= set(unreadable) if unheard else set()
        yield from (f"{group} handled {one}, which nobody wrote" for one in unheard)


def one_effect_of_each_handled_event(seen: Seen) -> Iterator[str]:
    for group in seen.world.groups:
        effects, handled = seen.effects[group.name], seen.handled[group.name]
        if len(set(effects)) != len(effects):
            yield f"{group.name} has more effects than events"
        known = seen.world.acknowledged.keys() | seen.world.foreign
        if lacking := (handled & known) - set(effects):
            yield f"{group.name} handled {len(lacking)} events without an effect"
        if not seen.world.broker.today and (more := set(effects) - handled):
            yield f"{group.name} has {len(more)} effects of events it has not handled"


def effects_come_in_the_order_of_versions(seen: Seen) -> Iterator[str]:
    for group in seen.world.groups:
        last: dict[tuple[str, tuple[str, UUID]], int] = {}
        for event_id in seen.effects[group.name]:
            one = seen.log.get(event_id)
            if one is None or one.subject in seen.world.too_late[group.name]:
                continue
            place = (one.topic, one.subject)
            if one.position < last.get(place, 0):
                yield f"{group.name} applied {one.type} {one.subject} {one.version} behind a later one"
            last[place] = one.position


def dead_letters_are_the_poisons_and_what_waits_behind(seen: Seen) -> Iterator[str]:
    by_pk = {letter.pk: letter for letter in seen.letters}
    for letter in seen.letters:
        if letter.behind_id is None:
            if (letter.group, letter.event_id) not in seen.world.failed:
                yield f"{letter} never failed"
        else:
            first = by_pk[letter.behind_id]
            if (first.group, first.topic, first.key) != (letter.group, letter.topic, letter.key):
                yield f"{letter} waits behind another key's"
            if first.pk >= letter.pk:
                yield f"{letter} waits behind a later one"


def nothing_overtakes_what_is_parked(seen: Seen) -> Iterator[str]:
    parked: dict[tuple[str, str, str, UUID], int] = {}
    for letter in seen.letters:
        one = seen.log.get(letter.event_id)
        if letter.status == "parked" and one and one.subject not in seen.world.too_late[letter.group]:
            place = (letter.group, one.topic, *one.subject)
            if one.position < parked.get(place, 0):
                yield f"{letter} is parked behind a later version"
            parked.setdefault(place, one.position)
    for group, effects in seen.effects.items():
        for event_id in effects:
            one = seen.log.get(event_id)
            if one and one.position > parked.get((group, one.topic, *one.subject), one.position):
                yield f"{group} applied {one.type} {one.subject} {one.version} past a parked one"


def who_is_parked_waits_for_somebody(seen: Seen) -> Iterator[str]:
    """The oldest of a key has failed itself, unless a decision about the one before was broken off."""
    oldest: dict[tuple[str, str, str], DeadLetter] = {}
    for letter in seen.letters:
        if letter.status == "parked":
            oldest.setdefault((letter.group, letter.topic, letter.key), letter)
    for letter in oldest.values():
        if (letter.group, letter.event_id) not in seen.world.failed and letter.group not in seen.world.interrupted:
            yield f"{letter} waits for nobody"


def what_is_set_aside_has_no_effect(seen: Seen) -> Iterator[str]:
    for letter in seen.letters:
        applied = letter.event_id in seen.effects[letter.group]
        if applied != (letter.status == "replayed"):
            yield f"{letter}: {'an' if applied else 'no'} effect"


def offsets_are_behind_what_is_done(seen: Seen) -> Iterator[str]:
    done_with = seen.done_with()
    for record in seen.world.broker.records():
        event_type, event_id = header(record.headers, "ce_type"), header(record.headers, "ce_id")
        for group in seen.world.groups:
            stored = seen.world.broker.stored[group.name, record.topic, record.partition]
            if record.offset >= stored or (group.name, record.topic) in seen.world.misplaced:
                continue
            if event_id and group.wants(event_type) and UUID(event_id) not in done_with[group.name]:
                yield f"{group.name} stored {stored} on {record.topic}/{record.partition}, but {event_type} is undone"


def the_marks_pass_nothing(seen: Seen) -> Iterator[str]:
    for group in seen.world.groups:
        for one in seen.missing(group):
            for_all_facts = group.takes_every_fact and event_types.SNAPSHOT_MARK not in one.type
            mark = seen.marks.get((group.name, EVERY_FACT if for_all_facts else one.type), 0)
            if one.transaction_id < mark and one.recent:
                yield f"the mark of {group.name} passed {one.type} {one.subject} {one.version}"


def nothing_is_repaired_that_was_not_lost(seen: Seen) -> Iterator[str]:
    for progress in seen.progress:
        if progress.repaired and not seen.world.lost_by_kafka:
            yield f"{progress.repaired} events of {progress.group} were repaired, and none was lost"


AFTER_EACH_STEP: list[Promise] = [
    the_log_is_what_was_acknowledged,
    versions_are_contiguous,
    what_left_the_outbox_was_given_to_kafka,
    kafka_has_each_subject_in_order,
    what_is_handled_was_logged,
    one_effect_of_each_handled_event,
    effects_come_in_the_order_of_versions,
    dead_letters_are_the_poisons_and_what_waits_behind,
    nothing_overtakes_what_is_parked,
    who_is_parked_waits_for_somebody,
    what_is_set_aside_has_no_effect,
    offsets_are_behind_what_is_done,
    the_marks_pass_nothing,
    nothing_is_repaired_that_was_not_lost,
]


def everything_is_handled_or_set_aside(seen: Seen) -> Iterator[str]:
    for group in seen.world.groups:
        for one in seen.missing(group):
            yield f"{group.name} was never given {one.type} {one.subject} {one.version}"


def nothing_is_left_behind(seen: Seen) -> Iterator[str]:
    yield from (f"{one.type} is still in the outbox" for one in seen.log.values() if one.in_outbox)
    yield from (f"{letter} still waits" for letter in seen.letters if letter.status == "parked")


def every_unreadable_record_is_in_the_trail(seen: Seen) -> Iterator[str]:
    places = set(
        AuditRecord.objects.filter(readable=False).values_list("record_topic", "record_partition", "record_offset")
    )
    for record in seen.world.broker.records():
        place = (record.topic, record.partition, record.offset)
        if not header(record.headers, "ce_id") and place not in places:
            yield f"the garbage at {record.topic}/{record.partition}/{record.offset} is nowhere to be seen"


def the_log_verifies(seen: Seen) -> Iterator[str]:
    late = any(seen.world.let_go.values())
    for checked in verify.run():
        about_repairs = "never had to repair" in checked.promise and seen.world.lost_by_kafka
        about_age = late and ("subscribes to" in checked.promise or "in order" in checked.promise)
        if not checked.holds and not about_repairs and not about_age:
            yield f"{checked.promise}: {checked.told}"


def the_trail_verifies(seen: Seen) -> Iterator[str]:
    report = verification.verify(now=timezone.now())
    let_go = seen.world.let_go["audit"]  # it says of those, too, that they are not there
    yield from (finding.told for finding in report.findings if finding.event_id not in let_go)


WHEN_HEALED: list[Promise] = [
    *AFTER_EACH_STEP,
    everything_is_handled_or_set_aside,
    nothing_is_left_behind,
    every_unreadable_record_is_in_the_trail,
    the_log_verifies,
    the_trail_verifies,
]


def hold(world: World, promises: list[Promise]) -> Seen:
    """Raises `Broken` with the first promise that does not hold, and up to three examples."""
    world.note_what_was_committed()
    seen = Seen(world)
    for promise in promises:
        if told := list(islice(promise(seen), 3)):
            raise Broken(f"{promise.__name__.replace('_', ' ')}: {'; '.join(told)}")
    return seen
