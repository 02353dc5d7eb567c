"""Follows a repeating task to its next occurrence: completion → group recurrence → event → the next task → the trail.

Invariant: as in `tour`; and the next occurrence is due when its rule says, or the tour ends there.
"""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from apps.dev.rest_client import RequestFailed
from apps.dev.tour import Hop, HopFailed, Step, Tour, in_the_trail
from apps.events.models import Event
from apps.recurrence.events import RecurrenceEvent
from apps.tasks.events import TaskEvent

_GROUP = "recurrence"
_EVERY = timedelta(days=7)


def steps(due: date) -> tuple[Step, Step]:
    """What is asked for: a task that repeats every week from this day on, and that it is done."""
    asked = {"title": "Take the tour every week", "due_on": due.isoformat(), "recurrence": "every week"}
    return (
        Step("repeat", "POST", "/api/v1/tasks/", asked, 201),
        Step("complete", "POST", "/api/v1/tasks/{id}/complete/", None, 200),
    )


class SeriesTour(Tour):
    """The way of a task that repeats, and of the one that follows it."""

    def follow(self, *, due: date) -> Iterator[Hop]:
        """From the completion just made, of what was due then, to the next occurrence. Raises `HopFailed`."""
        began = time.monotonic()

        def hop(name: str, seen: str) -> Hop:
            return Hop(name, seen, (time.monotonic() - began) * 1000)

        done = self._logged_event()
        self._wait_for_worker(done.event_id, group=_GROUP)
        generated = _caused_by(done, RecurrenceEvent.GENERATED.name)
        later = (generated.recorded_at - done.recorded_at).total_seconds() * 1000
        yield hop("worker", f"{done.type} handled by group {_GROUP}, {later:.0f} ms after it was committed")
        yield hop("outbox", f"{generated.type} {generated.event_id}, position {generated.position}")
        record = self._record_of(generated.event_id)
        yield hop("Kafka", f"{record.topic}, partition {record.partition}, offset {record.offset}")
        following = self._next_task(generated, due=due + _EVERY)
        yield hop("next", f"task {following['id']}, {following['status']}, due {following['due_on']}")
        yield hop("audit", in_the_trail(self._audit_record(generated.event_id, of=generated.subject_id)))
        created = Event.objects.get(type=TaskEvent.CREATED.name, subject_id=following["id"])
        yield hop("audit", in_the_trail(self._audit_record(created.event_id, of=created.subject_id)))
        yield from self.history(following["id"])

    def _next_task(self, generated: Event, *, due: date) -> dict[str, Any]:
        assert generated.data is not None
        try:
            answer = self._client.request("GET", f"/api/v1/tasks/{generated.data['occurrence']['task_id']}/")
        except RequestFailed as reason:
            raise HopFailed("REST", str(reason)) from reason
        if answer.status != 200:
            raise HopFailed("REST", f"the next occurrence was answered with {answer.status}: {answer.text[:300]}")
        found: dict[str, Any] = answer.content
        if found["due_on"] != due.isoformat():
            raise HopFailed(_GROUP, f"the next occurrence is due {found['due_on']}, not {due}")
        return found


def _caused_by(event: Event, type: str) -> Event:
    caused = Event.objects.filter(causation_id=event.event_id, type=type).first()
    if caused is None:
        raise HopFailed(_GROUP, f"the log has no {type} that {event.event_id} caused")
    return caused
