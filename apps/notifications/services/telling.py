"""Tells people: from news to notifications, with what was decided about each transport and why.

Invariant: of one `once` there is one notification, whoever tells it how often; what goes out of it is in deliveries
when the transaction ends, and a doorbell rings only after that.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.calendar import zones
from apps.events import doorbells
from apps.events.envelope import Envelope
from apps.events.erasure import erased_among
from apps.events.errors import PoisonEvent
from apps.notifications import signals
from apps.notifications.choices import choosing, standing
from apps.notifications.choices.choosing import Choice, Moment
from apps.notifications.events import NotificationEvent
from apps.notifications.exceptions import NobodyToTell
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, Notification, RemindedTask, Reminder
from apps.notifications.publishers import notification_state
from apps.notifications.selectors.clock import database_now
from apps.notifications.selectors.preferences import quiet_until
from apps.notifications.selectors.ways import Reach, reach_of
from apps.notifications.services import late_news, reminders
from apps.notifications.services.changes import insert, keep_choices
from apps.notifications.services.gathering import ToSend, gather, last_sent
from apps.notifications.services.news import News, news_of
from apps.notifications.signals import Change
from apps.notifications.transports import transports
from apps.tasks.selectors import TaskPicture, pictures

Status = Delivery.Status

# What is sent later than that the sweep finds.
_SOON_SECONDS = 60
_NOT_TOLD = {
    "completed": "The task was completed before you were told",
    "deleted": "The task was deleted before you were told",
    standing.DUE_MOVED: "The task was given another due before you were told",
    standing.REMOVED: "The reminder was taken away before you were told",
    standing.TOO_LATE: "It came later than you want to be told",
}


@transaction.atomic
def tell(news: Sequence[News], *, now: datetime) -> list[Notification]:
    """The notifications that are new. Raises `NobodyToTell` for a person who does not exist; of one who is erased
    nothing is kept.
    """
    people = _people(news)
    first: dict[str, News] = {}
    for one in sorted(news, key=attrgetter("about_at")):
        if one.owner_id in people:
            first.setdefault(one.once, one)
    if not first:
        return []
    # Before anything else: turns of tasks are taken before notifications and deliveries are locked.
    of = [one.reminder_id for one in first.values() if one.reminder_id]
    about = [one.task_id for one in first.values() if one.task_id and one.kind == Kind.REMINDER]
    turns = reminders.take_turns(about)
    # After the turns: what changes from here on is heard after this, and finds what is told.
    seen = pictures(about, lock=False) if about else {}
    known = set(Reminder.objects.filter(pk__in=of).values_list("pk", flat=True)) if of else set()
    telling = _Telling(
        people=people, reach=reach_of(list(people.values())), turns=turns, seen=seen, known=known, now=now
    )
    # Ids in the order of what they are about; inserted in one order for everybody who tells the same.
    rows = {once: telling.notification(one) for once, one in first.items()}
    inserted = insert([rows[once] for once in sorted(rows)])
    new = {once: row for once, row in rows.items() if row.pk in inserted}
    heard = [one.once for one in news if one.owner_id in people]
    twice = [once for once, times in Counter(heard).items() if times > 1 and once in new]
    # Those that were there are locked before any delivery is; the new ones nobody else sees yet.
    _keep_heard_again([once for once in dict.fromkeys(heard) if once not in new], now=now)
    if new:
        telling.announce(new, first)
        telling.choose([(row, first[once]) for once, row in new.items()])
        late_news.let_go(
            [(row, first[once]) for once, row in new.items()], preferences=telling.reach.preferences, now=now
        )
    _keep_heard_again(twice, now=now)
    return list(new.values())


@transaction.atomic
def tell_reminders(events: Sequence[Envelope], *, now: datetime | None = None) -> list[Notification]:
    """Tell what reminders were triggered. Raises `PoisonEvent` for one of nobody."""
    try:
        at = now or database_now()
        zone_of = _time_zones({one.owner_id for one in events if one.owner_id})
        return tell([news_of(one, zone_of=zone_of, now=at) for one in events], now=at)
    except NobodyToTell as reason:
        raise PoisonEvent(str(reason)) from reason


def _time_zones(owner_ids: Collection[UUID]) -> dict[UUID, ZoneInfo]:
    people = User.objects.filter(pk__in=owner_ids).values_list("pk", "time_zone")
    return {pk: zones.zone(name) for pk, name in people}


def _people(news: Sequence[News]) -> dict[UUID, User]:
    owner_ids = {one.owner_id for one in news}
    people = User.objects.in_bulk(list(owner_ids))
    missing = sorted(owner_ids - people.keys())
    if missing:
        raise NobodyToTell(missing[0])
    erased = erased_among(owner_ids)
    return {pk: one for pk, one in people.items() if pk not in erased and one.erased_at is None}


def _keep_heard_again(again: Sequence[str], *, now: datetime) -> None:
    if again:
        told = [choosing.heard_again().kept(now)]
        ids = Notification.objects.filter(once__in=again).values_list("pk", flat=True)
        keep_choices(dict.fromkeys(ids, told), add=True)


@dataclass(slots=True)
class _Telling:
    """What is the same for all news of one call."""

    people: Mapping[UUID, User]
    reach: Reach
    turns: Mapping[UUID, RemindedTask]
    seen: Mapping[UUID, TaskPicture]
    known: Collection[UUID]
    now: datetime

    def notification(self, news: News) -> Notification:
        because = self._done_because(news)
        ways = {way.transport: way for way in self.reach.ways(news.owner_id, kind=news.kind)}
        return Notification(
            owner_id=news.owner_id,
            kind=news.kind,
            once=news.once,
            event_id=news.cause.id if news.cause else None,
            task_id=news.task_id,
            reminder_id=news.reminder_id,
            title=news.title,
            text=news.text,
            urgent=news.urgent,
            quiet=not news.urgent and self._quiet_until(news.owner_id) is not None,
            in_inbox=any(
                way.at_once and way.switched_on and (news.only is None or way.transport in news.only)
                for way in ways.values()
            ),
            due_at=news.due_at,
            due_on=news.due_on,
            about_at=news.about_at,
            late_seconds=max(0.0, news.late_seconds),
            data=dict(news.data),
            status=Notification.Status.DONE if because else Notification.Status.UNREAD,
            because=because,
            created_at=self.now,
            updated_at=self.now,
        )

    def announce(self, new: Mapping[str, Notification], news: Mapping[str, News]) -> None:
        changes = [
            Change(
                fact=NotificationEvent.CREATED,
                row=row,
                version=row.version,
                state=notification_state(row),
                cause=news[once].cause,
            )
            for once, row in new.items()
        ]
        signals.notifications_changed.send(sender=Notification, changes=changes, occurred_at=self.now)

    def choose(self, told: Sequence[tuple[Notification, News]]) -> None:
        """Decide about every transport of each, keep what was decided, and put what goes out into deliveries."""
        since = self.now - _batch()
        sent = last_sent(list({row.owner_id for row, _ in told}), since=since)
        choices = {row.pk: self._choices(row, news, sent=sent.get(row.owner_id, {})) for row, news in told}
        going = [ToSend(row, choice) for row, _ in told for choice in choices[row.pk] if choice.goes_out]
        deliveries = gather(going, now=self.now)
        for row, _ in told:
            row.choices = [
                self._kept(choice, deliveries.get((row.pk, choice.transport, choice.destination)))
                for choice in choices[row.pk]
            ]
        keep_choices({row.pk: row.choices for row, _ in told})
        self._tell_of_delivered([(row, news) for row, news in told if row.in_inbox and not row.because])
        going_out = {one.notification.pk for one in going}
        untold = [
            (row, news)
            for row, news in told
            if (row.because or not (row.in_inbox or row.pk in going_out)) and row.because != standing.TOO_LATE
        ]
        causes = {row.pk: news.cause for row, news in untold if news.cause is not None}
        reminders.untold([row for row, _ in untold], now=self.now, causes=causes)
        _ring(deliveries.values(), now=self.now)

    def _choices(self, row: Notification, news: News, *, sent: Mapping[tuple[str, str], datetime]) -> list[Choice]:
        if row.because:
            return [choosing.done_already(_NOT_TOLD[row.because])]
        moment = self._moment(news)
        found: list[Choice] = []
        for way in self.reach.ways(news.owner_id, kind=news.kind):
            last = {key: at for (transport, key), at in sent.items() if transport == way.transport}
            found += choosing.choose(way, moment, last_sent_at=last)
        return found

    def _moment(self, news: News) -> Moment:
        return Moment(
            now=self.now,
            zone=zones.zone(self.people[news.owner_id].time_zone),
            urgent=news.urgent,
            quiet_until=self._quiet_until(news.owner_id),
            batches=self.reach.preferences[news.owner_id].batches,
            batch=_batch(),
            only=news.only,
        )

    def _quiet_until(self, owner_id: UUID) -> datetime | None:
        zone = zones.zone(self.people[owner_id].time_zone)
        return quiet_until(self.reach.preferences[owner_id], now=self.now, zone=zone)

    def _done_because(self, news: News) -> str:
        """By the task as it is; of one that is not there, as it was last heard of."""
        task = self.seen.get(news.task_id) if news.task_id else None
        if task is not None:
            # What was put on the topic by hand is of a reminder that nobody knows, and says what it says.
            known = news.reminder_id in self.known
            because = standing.over_because(news, task) if known else standing.done_because(task)
            because = because or (standing.REMOVED if known and standing.taken_away(news, task) else "")
        else:
            heard = self.turns.get(news.task_id) if news.task_id else None
            because = standing.done_because(heard) if heard is not None else ""
        return because or (standing.TOO_LATE if self._too_late(news) else "")

    def _too_late(self, news: News) -> bool:
        hours = self.reach.preferences[news.owner_id].stale_after_hours
        return news.kind == Kind.REMINDER and hours is not None and news.late_seconds > hours * 3600

    def _kept(self, choice: Choice, delivery: Delivery | None) -> dict[str, Any]:
        kept = choice.kept(self.now)
        if delivery is None:
            return kept
        return kept | {"delivery": str(delivery.pk), "send_at": zones.instant_text(delivery.send_at)}

    def _tell_of_delivered(self, told: Sequence[tuple[Notification, News]]) -> None:
        """The inbox has it: of a transport that tells at once that is all there is to deliver."""
        causes = {row.pk: news.cause for row, news in told if news.cause is not None}
        for name, transport in transports().items():
            if transport.at_once:
                reminders.delivered([row for row, _ in told], transport=name, now=self.now, causes=causes)


def _batch() -> timedelta:
    return timedelta(seconds=settings.DELIVERY_BATCH_SECONDS)


def _ring(deliveries: Collection[Delivery], *, now: datetime) -> None:
    """For each second of the next minute in which something is to be sent; for what is later there is the sweep."""
    waits = {math.ceil((one.send_at - now).total_seconds()) for one in deliveries if one.status != Status.HELD}
    for seconds in sorted(waits):
        if seconds <= _SOON_SECONDS:
            doorbells.ring("notifications.send", seconds=max(0, seconds))
