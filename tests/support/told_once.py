"""C6, what must hold of reminders and of what goes out, as the log, the tables and the sinks tell it.

Never early, never twice for one plan, never after a change that committed first; what was due and stayed so is told;
one delivery per notification, transport and destination, the same key and content on all its attempts.

A task's facts and its reminders' triggers are written under locks that exclude each other, so their positions in the
log are in the order of their commits.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from apps.accounts.models import User
from apps.events.models import Event
from apps.notifications.models import Delivery, DeliveryAttempt, DeliveryItem, Notification, Reminder
from tests.support.receiving import Given
from tests.support.wishes import Defaults, Tasks, Wish
from tests.support.wishes import wishes as wished

PLANNED_ANEW = {"reminder.scheduled.v1", "reminder.rescheduled.v1", "reminder.snoozed.v1"}
DefaultsOf = Callable[[UUID, int], Defaults]


def _always(_owner_id: UUID, _position: int) -> Defaults:
    return Defaults()


class Told:
    """Everything as it is now; the findings of each check are sentences, and none is good.

    `clock` names the instant of an event that is the database's: `recorded_at`, but where a test moves its clock.
    """

    def __init__(
        self,
        *,
        clock: str = "recorded_at",
        defaults: DefaultsOf = _always,
        changed_at: Mapping[UUID, datetime] | None = None,
    ) -> None:
        self.clock = clock
        self.defaults = defaults
        self.changed_at = changed_at or {}
        self.tasks = Tasks.from_log()
        self.zones_now = dict(User.objects.values_list("pk", "time_zone"))
        self.events: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
        told = Event.objects.filter(subject_type="reminder").order_by("position")
        fields = {"position", "type", "subject_id", "subject_version", "owner_id", "occurred_at", "data", clock}
        for event in told.values(*fields):
            self.events[event["subject_id"]].append(dict(event))
        self.reminders = {one.pk: one for one in Reminder.objects.all()}

    @property
    def triggered(self) -> list[dict[str, Any]]:
        found = [event for events in self.events.values() for event in events if _is(event, "triggered")]
        return sorted(found, key=lambda event: event["position"])

    def lateness(self) -> list[float]:
        """Seconds from when each was to be triggered until it was."""
        return [(event[self.clock] - instant(event, "trigger_at")).total_seconds() for event in self.triggered]

    def early(self) -> list[str]:
        return [
            f"reminder {event['subject_id']}: {-late:.3f} s early"
            for event, late in zip(self.triggered, self.lateness(), strict=True)
            if late < 0
        ]

    def twice(self) -> list[str]:
        """Triggered again with no new plan between, or one trigger told by two notifications."""
        found = []
        for reminder_id, events in self.events.items():
            spent = False
            for event in events:
                if _is(event, "triggered"):
                    found += [f"reminder {reminder_id}: triggered twice for one plan"] if spent else []
                    spent = True
                elif event["type"] in PLANNED_ANEW:
                    spent = False
        by_trigger = Counter(
            (one.reminder_id, one.data.get("number", one.once))
            for one in Notification.objects.filter(kind="reminder").exclude(reminder_id=None)
        )
        return found + [
            f"trigger {number} of reminder {pk}: {times} notifications"
            for (pk, number), times in by_trigger.items()
            if times > 1
        ]

    def versions(self) -> list[str]:
        """Each reminder's and notification's events count on from 1, up to the row's version."""
        found = []
        for model, kind in ((Reminder, "reminder"), (Notification, "notification")):
            reached: dict[UUID, int] = dict(model._default_manager.values_list("pk", "version"))
            counted: dict[UUID, list[int]] = defaultdict(list)
            log = Event.objects.filter(subject_type=kind).order_by("position")
            for subject_id, version in log.values_list("subject_id", "subject_version"):
                counted[subject_id].append(version or 0)
            for subject_id in reached.keys() | counted.keys():
                wanted = list(range(1, reached.get(subject_id, 0) + 1))
                if counted[subject_id] != wanted:
                    found.append(f"{kind} {subject_id}: versions {counted[subject_id]}, {wanted} expected")
        return found

    def too_late_to_hold(self) -> list[str]:
        """Triggered although the task, as the log had it then, did not want it any more."""
        found = []
        for event in self.triggered:
            task_id = UUID(event["data"]["reminder"]["task_id"])
            picture = self.tasks.before(event["position"], task_id)
            if not picture.is_open:
                found.append(f"reminder {event['subject_id']}: triggered, its task was {picture.task['status']}")
            elif event["data"]["reminder"]["origin"] != "snooze":
                wanted = self.wishes(task_id, picture.task, picture.owner_id, event["position"])
                planned_for = instant(event, "planned_for")
                if event["subject_id"] not in wanted or wanted[event["subject_id"]].at != planned_for:
                    asked = wanted.get(event["subject_id"])
                    found.append(f"reminder {event['subject_id']}: triggered for {planned_for}, wanted {asked}")
        return found

    def untold(self, *, now: datetime, grace: timedelta = timedelta(0)) -> list[str]:
        """At rest: what was due and stayed so has been triggered or is stale; what is to come waits for its instant."""
        found = []
        for task_id, pictures in self.tasks.pictures.items():
            last = pictures[-1]
            wanted = self.wishes(task_id, last.task, last.owner_id, 1 << 62)
            found += self._not_kept(wanted, asked_at=self._settled_at(last), now=now, grace=grace)
            unwanted = {
                one.pk
                for one in self.reminders.values()
                if one.task_id == task_id and one.waits and one.origin != Reminder.Origin.SNOOZE
            } - wanted.keys()
            found += [f"reminder {each}: waits, and nobody wants it" for each in unwanted]
        waiting = [one for one in self.reminders.values() if one.waits and one.trigger_at <= now - grace]
        return found + [f"reminder {one.pk}: due since {one.trigger_at}, and still waits" for one in waiting]

    def _not_kept(self, wanted: dict[UUID, Wish], *, asked_at: datetime, now: datetime, grace: timedelta) -> list[str]:
        found = []
        for reminder_id, wish in wanted.items():
            row = self.reminders.get(reminder_id)
            if wish.at > now:
                if row is None or not row.waits or row.planned_for != wish.at or row.trigger_at < wish.at:
                    found.append(f"reminder {reminder_id}: wanted for {wish.at}, is {row and row.status}")
                continue
            in_time = wish.at > asked_at or (wish.due_passes_at is not None and wish.due_passes_at > asked_at)
            if in_time and wish.at <= now - grace and not self._came(reminder_id, wish.at):
                found.append(f"reminder {reminder_id}: due at {wish.at}, never told")
        return found

    def _came(self, reminder_id: UUID, at: datetime) -> bool:
        """Triggered then or later, or stale for this plan, or waiting for later by a snooze."""
        row = self.reminders.get(reminder_id)
        events = self.events.get(reminder_id, [])
        snoozed = row is not None and row.waits and row.trigger_at > at
        came = any(_is(event, "triggered") and event[self.clock] >= at for event in events)
        return snoozed or came or any(_is(event, "stale") and instant(event, "planned_for") == at for event in events)

    def _settled_at(self, picture: Any) -> datetime:
        """Since when it is as it is, by the task, its owner's zone and their defaults."""
        moved_at, changed_at = self.tasks.moved_at(picture.owner_id), self.changed_at.get(picture.owner_id)
        return max(filter(None, [picture.asked_at, moved_at, changed_at]))

    def wishes(self, task_id: UUID, task: Any, owner_id: UUID, position: int) -> dict[UUID, Wish]:
        zone = self.tasks.zone(owner_id, position, now=self.zones_now[owner_id])
        return wished(task_id, task, defaults=self.defaults(owner_id, position), zone=zone)

    def unannounced(self) -> list[str]:
        """At rest: each trigger has its notification, and each of these its trigger."""
        wanted = {f"reminder/{event['subject_id']}/{event['data']['number']}" for event in self.triggered}
        there = set(Notification.objects.filter(kind="reminder").values_list("once", flat=True))
        return [f"{once}: triggered, and nobody was told" for once in wanted - there] + [
            f"{once}: told, and never triggered" for once in there - wanted
        ]


def deliveries(given: Sequence[Given] = ()) -> list[str]:
    """Whatever state they are in; `given` is what a sink was given."""
    found = []
    rows = {one.pk: one for one in Delivery.objects.all()}
    told: Counter[tuple[Any, ...]] = Counter()
    for delivery_id, notification_id in DeliveryItem.objects.values_list("delivery_id", "notification_id"):
        one = rows[delivery_id]
        if one.redelivery_of_id is None and (one.status != Delivery.Status.DROPPED or one.attempts):
            told[one.transport, one.destination, notification_id] += 1
    found += [f"{place}: in {times} deliveries" for place, times in told.items() if times > 1]
    tries: dict[UUID, list[DeliveryAttempt]] = defaultdict(list)
    for attempt in DeliveryAttempt.objects.order_by("delivery_id", "number"):
        tries[attempt.delivery_id].append(attempt)
    for delivery_id, made in tries.items():
        found += _attempts(rows[delivery_id], made)
    return found + _given(given, rows, tries)


def _attempts(row: Delivery, made: list[DeliveryAttempt]) -> list[str]:
    found = []
    if [one.number for one in made] != list(range(1, len(made) + 1)):
        found.append(f"delivery {row.pk}: attempts {[one.number for one in made]}")
    if len({one.fence for one in made}) != len(made):
        found.append(f"delivery {row.pk}: two attempts by one claim")
    well = [one for one in made if one.outcome == DeliveryAttempt.Outcome.DELIVERED]
    if len(well) > 1:
        found.append(f"delivery {row.pk}: delivered {len(well)} times")
    if bool(well) != (row.status == Delivery.Status.DELIVERED):
        found.append(f"delivery {row.pk}: {row.status}, its attempts {[one.outcome for one in made]}")
    started = [one for one in made if one.outcome == DeliveryAttempt.Outcome.STARTED]
    if len(started) > (row.status == Delivery.Status.SENDING):
        found.append(f"delivery {row.pk}: {row.status} with {len(started)} attempts under way")
    return found


def _given(given: Sequence[Given], rows: dict[UUID, Delivery], tries: dict[UUID, list[DeliveryAttempt]]) -> list[str]:
    """What arrived was attempted, with one key and one content; taken well twice only where nobody could know."""
    found = []
    by_key: dict[str, list[Given]] = defaultdict(list)
    for one in given:
        by_key[one.key].append(one)
    for key, all_of_it in by_key.items():
        attempts = tries.get(UUID(key), [])
        if UUID(key) not in rows:
            found.append(f"key {key}: given, and no delivery's")
        if len(all_of_it) > len(attempts):
            found.append(f"key {key}: given {len(all_of_it)} times in {len(attempts)} attempts")
        if len({one.content for one in all_of_it}) > 1:
            found.append(f"key {key}: not the same content each time")
        well = sum(200 <= one.answered < 300 for one in all_of_it)
        unknown = sum(one.outcome in {"died", "retry", "started"} for one in attempts)
        if well > 1 + unknown:
            found.append(f"key {key}: taken well {well} times, {unknown} attempts without a word")
    return found


def undelivered() -> list[str]:
    """At rest: nothing is on its way any more."""
    ways = (Delivery.Status.COLLECTING, Delivery.Status.WAITING, Delivery.Status.SENDING)
    return [f"delivery {one.pk}: still {one.status}" for one in Delivery.objects.filter(status__in=ways)]


def _is(event: dict[str, Any], word: str) -> bool:
    return bool(event["type"] == f"reminder.{word}.v1")


def instant(event: dict[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(event["data"]["reminder"][name]).astimezone(UTC)
