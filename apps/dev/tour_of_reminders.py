"""Follows a reminder from its asking to the inbox and the mail: task → plan → its second → event → notification → mail.

Invariant: as in `tour`; and the reminder is not triggered before its instant, or the tour ends there.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from apps.dev.rest_client import RequestFailed
from apps.dev.tour import BOUND_SECONDS, Hop, HopFailed, Step, Tour, in_the_trail
from apps.events.models import Event
from apps.notifications.events import NotificationEvent, ReminderEvent
from apps.notifications.models import Delivery

GROUP = "notifications"
AHEAD = timedelta(seconds=5)
_DUE_LATER = timedelta(minutes=1)
_LOOK_SECONDS = 0.01
_TITLE = "Take the tour in a moment"


def steps(at: datetime) -> tuple[Step, Step]:
    """What is asked for: to be reminded at this instant of what is due a little later; and, at last, that it is done.

    Urgent, so that the mail waits for no others and for no quiet hours.
    """
    asked = {
        "title": _TITLE,
        "priority": "urgent",
        "due_at": (at + _DUE_LATER).isoformat(),
        "reminders": [{"trigger_at": at.isoformat()}],
    }
    return (
        Step("remind", "POST", "/api/v1/tasks/", asked, 201),
        Step("complete", "POST", "/api/v1/tasks/{id}/complete/", None, 200),
    )


class ReminderTour(Tour):
    """The way of one reminder, in this task."""

    def follow(self, *, at: datetime) -> Iterator[Hop]:
        """From the asking just made until it is told. Raises `HopFailed`."""
        began = time.monotonic()

        def hop(name: str, seen: str) -> Hop:
            return Hop(name, seen, (time.monotonic() - began) * 1000)

        self._wait_for_worker(self._logged_event().event_id, group=GROUP)
        planned = self._event(ReminderEvent.SCHEDULED.name, reminders_task=self._task_id)
        yield hop("plan", f"group {GROUP} planned reminder {planned.subject_id} for {at:%H:%M:%S} UTC")
        triggered = self._event(ReminderEvent.TRIGGERED.name, subject_id=planned.subject_id)
        late = (triggered.occurred_at - at).total_seconds() * 1000
        if late < 0:
            raise HopFailed(GROUP, f"the reminder was triggered {-late:.0f} ms early")
        yield hop("trigger", f"{triggered.type} {triggered.event_id}, {late:.0f} ms after its instant")
        record = self._record_of(triggered.event_id)
        yield hop("Kafka", f"{record.topic}, partition {record.partition}, offset {record.offset}")
        self._wait_for_worker(triggered.event_id, group=GROUP)
        told = self._event(NotificationEvent.CREATED.name, causation_id=triggered.event_id)
        late = (told.recorded_at - at).total_seconds() * 1000
        yield hop("inbox", f"{self._in_the_inbox(told)}, {late:.0f} ms after the reminder's instant")
        yield hop("mail", self._mailed(told))
        yield hop("audit", in_the_trail(self._audit_record(triggered.event_id, of=triggered.subject_id)))
        yield hop("audit", in_the_trail(self._audit_record(told.event_id, of=told.subject_id)))

    def _event(self, type: str, *, reminders_task: str = "", **place: object) -> Event:
        """The first in the log, waited for until a while after the reminder's instant."""
        found = Event.objects.filter(type=type, **place).order_by("position")
        if reminders_task:
            found = found.filter(key=reminders_task)
        _wait(found.exists, hop=GROUP, lacks=f"the log has no {type}")
        return found[0]

    def _in_the_inbox(self, told: Event) -> str:
        try:
            answer = self._client.request("GET", f"/api/v1/notifications/{told.subject_id}/")
        except RequestFailed as reason:
            raise HopFailed("REST", str(reason)) from reason
        if answer.status != 200:
            raise HopFailed("REST", f"the notification was answered with {answer.status}: {answer.text[:300]}")
        return f"“{answer.content['title']}”, {answer.content['status']}"

    def _mailed(self, told: Event) -> str:
        mails = Delivery.objects.filter(items__notification_id=told.subject_id, transport="email")
        done = mails.filter(status=Delivery.Status.DELIVERED)
        _wait(done.exists, hop="mail", lacks=f"no mail of {told.subject_id} went out")
        delivery = done[0]
        if settings.EMAIL_HOST:
            return f"delivery {delivery.pk}, given to {settings.EMAIL_HOST} at attempt {delivery.attempts}"
        return f"delivery {delivery.pk}, in {_file_of(delivery)}"


def _file_of(delivery: Delivery) -> Path:
    """Where the mail lies, that names its delivery or, at least, the task."""
    files = sorted(Path(settings.EMAIL_FILE_PATH).glob("*.eml"), key=lambda file: -file.stat().st_mtime)
    marks = (str(delivery.pk), delivery.pk.hex, _TITLE)
    for file in files:
        text = file.read_text(errors="replace")
        if any(mark in text for mark in marks):
            return file
    raise HopFailed("mail", f"no file in {settings.EMAIL_FILE_PATH} has it")


def _wait(true: Callable[[], bool], *, hop: str, lacks: str) -> None:
    bound = AHEAD.total_seconds() + BOUND_SECONDS
    until = time.monotonic() + bound
    while not true():
        if time.monotonic() > until:
            raise HopFailed(hop, f"{lacks} within {bound:g} s")
        time.sleep(_LOOK_SECONDS)
