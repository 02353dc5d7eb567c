"""What stands on the topics, read past any group, and whether it is complete and in order there: C3 and C5."""

import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from apps.events import event_types
from apps.events.brokers.base import Broker, Record
from apps.events.envelope import RecordPosition, decode
from apps.events.errors import BrokerFailed
from tests.faults.verdict import Verdict
from tests.support.factories import facts


@dataclass(frozen=True)
class Seen:
    id: UUID
    topic: str
    thing: UUID
    version: int  # 0 of an event that is no version of anything

    def __str__(self) -> str:
        return f"{self.topic}: version {self.version} of {self.thing}"


def versions_on(records: Iterable[Record]) -> list[Seen]:
    """What stands on the topics, partition by partition in order of offsets."""
    ordered = sorted(records, key=lambda record: (record.topic, record.partition, record.offset))
    seen = []
    for record in ordered:
        place = RecordPosition(record.topic, record.partition, record.offset)
        event = decode(key=record.key, value=record.value, headers=record.headers, record=place)
        version = event.version or event.data.get("version", 0)  # a snapshot has its thing's in its content
        seen.append(Seen(event.id, record.topic, event.subject_id, version))
    return seen


def judge_order(verdict: Verdict, records: Iterable[Record]) -> None:
    """C5 as a consumer meets it: versions come for the first time in order, the newest last. Repeats are counted."""
    highest: dict[tuple[str, UUID], int] = defaultdict(int)
    last: dict[tuple[str, UUID], Seen] = {}
    for seen in filter(lambda each: each.version, versions_on(records)):
        place = seen.topic, seen.thing
        if seen.version > highest[place] + 1:
            verdict.reordered.append(f"{seen} before version {highest[place] + 1}")
        verdict.repeated_records += seen.version <= highest[place]
        highest[place] = max(highest[place], seen.version)
        last[place] = seen
    verdict.reordered += [f"{seen} comes last" for place, seen in last.items() if seen.version < highest[place]]


def judge_completeness(verdict: Verdict, records: Iterable[Record]) -> None:
    """C3 of the topic itself: what only the reconcile made good would else not be seen as lost."""
    log = set(facts().values_list("event_id", flat=True))
    verdict.lost += [f"event {each}: not on the topic" for each in log - {seen.id for seen in versions_on(records)}]


def check_nothing_stands_twice_or_reordered(records: Iterable[Record]) -> None:
    """C5 in the strict form: every version once, in order. Holds while one relay leads and none crashes."""
    verdict = Verdict()
    judge_order(verdict, records)
    verdict.hold()
    assert verdict.repeated_records == 0


def _count(broker: Broker, topics: list[str]) -> int:
    """A real Kafka that was never asked about a group before has to make the topic of their offsets first."""
    for _ in range(30):
        with suppress(BrokerFailed):
            return broker.lag("checker-that-never-commits", topics)
        time.sleep(1)
    raise AssertionError("Kafka does not say how much there is.")


def all_records(broker: Broker, topics: list[str] | None = None) -> list[Record]:
    """Everything the topics keep, read past any group."""
    topics = topics or event_types.topics()
    expected = _count(broker, topics)
    found: list[Record] = []
    for record in broker.tail(topics, from_beginning=True):
        if record is not None:
            found.append(record)
        if len(found) >= expected:
            break
    return found
