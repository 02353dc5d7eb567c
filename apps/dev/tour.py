"""Follows one task, hop by hop: REST → outbox → Kafka (fact, snapshot) → worker → audit record → proof.

Invariant: a hop is reported when it has been observed from outside, and the tour ends at the first that is
not observed within its bound.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.audit import verification
from apps.dev.rest_client import Answer, RequestFailed, RestClient
from apps.events.brokers.base import Record
from apps.events.errors import BrokerFailed
from apps.events.models import Event, HandledEvent
from apps.tasks.events import UPDATES_TOPIC

BOUND_SECONDS = 10.0
_POLL_SECONDS = 0.002
_GROUP = "audit"
_TITLE = "Take the tour"

_LOOK_FURTHER = {
    "REST": "read the log of the role web; /health/ tells which dependency is down",
    "outbox": "the change has no event: manage.py verify_events",
    "Kafka": "read the log of the role relay; manage.py tail_topic --from-beginning shows what arrived",
    "worker": f"read the log of the role worker-{_GROUP}; manage.py dead_letters list shows what was parked",
    "recurrence": "read the log of the role worker-recurrence; manage.py dead_letters list shows what was parked",
    "notifications": "read the log of the role worker-notifications; manage.py doctor tells whether somebody looks",
    "mail": "read the log of the role worker-notifications; Admin → Deliveries has every attempt",
    "proof": "manage.py verify_audit tells all that is wrong",
    "audit": f"read the log of the role worker-{_GROUP}; GET /api/v1/audit/ shows what is recorded",
}


class HopFailed(Exception):
    """A hop was not observed in time; the text names it and how to look further."""

    def __init__(self, hop: str, reason: str) -> None:
        super().__init__(f"{hop}: {reason}. To look further: {_LOOK_FURTHER[hop]}.")


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the task: the request that makes it."""

    name: str
    method: str
    path: str
    content: Mapping[str, Any] | None
    expected: int


@dataclass(frozen=True, slots=True)
class Hop:
    """What was seen where. REST's milliseconds are its own, the others count from its answer."""

    name: str
    seen: str
    milliseconds: float


STEPS = (
    Step("create", "POST", "/api/v1/tasks/", {"title": _TITLE, "priority": "high"}, 201),
    Step("update", "PATCH", "/api/v1/tasks/{id}/", {"description": "REST, outbox, Kafka, worker, audit."}, 200),
    Step("complete", "POST", "/api/v1/tasks/{id}/complete/", None, 200),
    Step("reopen", "POST", "/api/v1/tasks/{id}/reopen/", None, 200),
    Step("delete", "DELETE", "/api/v1/tasks/{id}/", None, 204),
    Step("restore", "POST", "/api/v1/tasks/{id}/restore/", None, 200),
)


class Tour:
    """One task's way. `tail` hands out the topic's records from before the first change on."""

    def __init__(self, client: RestClient, *, tail: Iterator[Record | None]) -> None:
        self._client = client
        self._tail = tail
        self._came: dict[bytes, Record] = {}
        self._task_id = ""
        self._version = 0

    def wait_until_quiet(self) -> None:
        """Until the worker has joined and handled what was there before. Raises `HopFailed`."""
        newest = Event.objects.filter(subject_version__isnull=False).order_by("-position").first()
        if newest is not None:
            self._wait_for_worker(newest.event_id)

    def take(self, step: Step) -> Iterator[Hop]:
        """Make a change and yield each hop as it is observed. Raises `HopFailed`."""
        began = time.monotonic()
        self._change(step)
        answered = time.monotonic()
        yield Hop("REST", f"{step.expected}, version {self._version}", (answered - began) * 1000)

        def hop(name: str, seen: str) -> Hop:
            return Hop(name, seen, (time.monotonic() - answered) * 1000)

        event = self._logged_event()
        yield hop("outbox", f"{event.type} {event.event_id}, position {event.position}")
        record = self._record_of(event.event_id)
        yield hop("Kafka", f"{record.topic}, partition {record.partition}, offset {record.offset}")
        told = self._record_of(self._snapshot_after(event))
        yield hop("screens", f"{told.topic}, partition {told.partition}, offset {told.offset}: the task as it now is")
        self._wait_for_worker(event.event_id)
        yield hop("worker", f"handled by group {_GROUP}")
        yield hop("audit", in_the_trail(self._audit_record(event.event_id)))

    def history(self, task_id: str = "") -> Iterator[Hop]:
        """What the trail tells of the tour's own task, or of another."""
        history = self._client.request("GET", f"/api/v1/tasks/{task_id or self._task_id}/history/")
        for entry in reversed(history.content["results"]):
            yield Hop("history", entry["sentence"], 0.0)

    def prove(self) -> Iterator[Hop]:
        """That the trail is untouched. Raises `HopFailed`."""
        began = time.monotonic()
        report = verification.verify(now=timezone.now())
        if report.first is not None:
            raise HopFailed("proof", report.first.told)
        seen = f"{report.records} records in 16 chains: complete, contiguous, untouched"
        yield Hop("proof", seen, (time.monotonic() - began) * 1000)

    def _change(self, step: Step) -> None:
        try:
            answer = self._client.request(step.method, step.path.format(id=self._task_id), step.content)
        except RequestFailed as reason:
            raise HopFailed("REST", str(reason)) from reason
        if answer.status != step.expected:
            raise HopFailed("REST", f"{step.name} was answered with {answer.status}: {answer.text[:300]}")
        self._version = answer.content["version"] if answer.content else self._version + 1
        self._task_id = self._task_id or answer.content["id"]

    def _logged_event(self) -> Event:
        place = {"subject_type": "task", "subject_id": self._task_id, "subject_version": self._version}
        event = Event.objects.filter(**place).first()
        if event is None:
            raise HopFailed("outbox", f"the log has no event of version {self._version} of {self._task_id}")
        return event

    def _snapshot_after(self, event: Event) -> UUID:
        snapshot = Event.objects.filter(causation_id=event.event_id, topic=UPDATES_TOPIC).first()
        if snapshot is None:
            raise HopFailed("outbox", f"the log has no snapshot that {event.event_id} caused")
        return snapshot.event_id

    def _record_of(self, event_id: UUID) -> Record:
        """The record of an event, which may have come before one that was waited for earlier."""
        wanted = str(event_id).encode()
        deadline = time.monotonic() + BOUND_SECONDS
        try:
            while wanted not in self._came and time.monotonic() < deadline:
                record = next(self._tail)
                if record is not None:
                    self._came |= {value: record for name, value in record.headers if name == "ce_id"}
        except BrokerFailed as reason:
            raise HopFailed("Kafka", str(reason)) from reason
        if wanted in self._came:
            return self._came.pop(wanted)
        raise HopFailed("Kafka", f"event {event_id} did not arrive within {BOUND_SECONDS:g} s")

    def _wait_for_worker(self, event_id: UUID, *, group: str = _GROUP) -> None:
        handled = HandledEvent.objects.filter(group=group, event_id=event_id)
        if not _in_time(handled.exists):
            hop = "worker" if group == _GROUP else group
            raise HopFailed(hop, f"no group {group} handled {event_id} within {BOUND_SECONDS:g} s")

    def _audit_record(self, event_id: UUID, *, of: UUID | str = "") -> dict[str, Any]:
        """Of the tour's own task, or `of` another thing."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            answer = self._client.request("GET", f"/api/v1/audit/?subject={of or self._task_id}")
            found.extend(_matching(answer, event_id=str(event_id)))
            return bool(found)

        try:
            if not _in_time(look):
                raise HopFailed("audit", f"REST shows no record of {event_id} after {BOUND_SECONDS:g} s")
        except RequestFailed as reason:
            raise HopFailed("audit", str(reason)) from reason
        return found[0]


def in_the_trail(record: Mapping[str, Any]) -> str:
    return f"record {record['id']}, {record['sequence']} of chain {record['chain']}: {record['sentence']}"


def _matching(answer: Answer, *, event_id: str) -> list[dict[str, Any]]:
    if answer.status != 200:
        return []
    return [record for record in answer.content["results"] if record["event_id"] == event_id]


def _in_time(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + BOUND_SECONDS
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
