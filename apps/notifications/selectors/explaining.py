"""Why a person was told of something, or was not: what was decided, tried, answered and done, in order.

Invariant: nothing is worked out anew. What is told was kept when it happened: with the notification, its deliveries and
their attempts, and in the log.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.calendar import zones
from apps.events.models import Event
from apps.notifications.choices import wording
from apps.notifications.choices.explanations import Words, of_attempt, of_change, of_delivery, of_reminder_event
from apps.notifications.models import Delivery, DeliveryAttempt, DeliveryItem, Notification, Reminder
from apps.notifications.selectors.shown_deliveries import names_of

MOST_DELIVERIES = 50
MOST_ATTEMPTS = 200
MOST_EVENTS = 200
MOST_NOTIFICATIONS = 5
# What tells, of a notification, that its reminder has reached its owner.
_SUCCESS = {"told", "attempt_delivered", "delivery_delivered"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What happened when; by which transport, empty where it is of none; in words, and as it was kept."""

    at: datetime
    what: str
    reason: str
    transport: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def why(notification: Notification) -> list[Reason]:
    """From when it was made to where it went, the first first."""
    words = _words_of(notification.owner.time_zone, now=notification.created_at)
    reasons = [
        _made(notification, words),
        *_chosen(notification),
        *_deliveries(notification),
        *_changed(notification),
    ]
    return sorted(reasons, key=lambda one: one.at)


def why_reminder(reminder: Reminder) -> list[Reason]:
    """From when it was planned to what became of it, with what was told of it at last; the first first."""
    words = _words_of(reminder.owner.time_zone, now=reminder.updated_at)
    reasons = [
        Reason(
            at=event.occurred_at,
            what=event.type.split(".")[1],
            reason=of_reminder_event(event.type, event.data, words=words),
            transport=str(event.data.get("transport", "")),
            detail={name: value for name, value in event.data.items() if name != "reminder"},
        )
        for event in _events("reminder", reminder.pk)
    ]
    told = Notification.objects.filter(reminder_id=reminder.pk).select_related("owner").order_by("-pk")
    of_notifications = [reason for notification in told[:MOST_NOTIFICATIONS] for reason in why(notification)]
    if any(one.what in _SUCCESS for one in of_notifications):
        reasons = [one for one in reasons if one.what != "delivered"]
    reasons += of_notifications
    return [*sorted(reasons, key=lambda one: one.at), _stands(reminder, words)]


def _made(notification: Notification, words: Words) -> Reason:
    late = wording.how_late(notification.late_seconds)
    about = f"It is for {words.instant(notification.about_at)}"
    return Reason(
        at=notification.created_at,
        what="made",
        reason=f"{about}, and was made {late}." if late else f"{about}.",
        detail={"kind": notification.kind, "late_seconds": notification.late_seconds, "quiet": notification.quiet},
    )


def _chosen(notification: Notification) -> Iterator[Reason]:
    for choice in notification.choices:
        yield Reason(
            at=datetime.fromisoformat(choice["at"]),
            what=choice["decision"],
            reason=choice["reason"],
            transport=choice["transport"],
            detail={name: choice[name] for name in ("destination", "delivery", "send_at") if choice.get(name)},
        )


def _deliveries(notification: Notification) -> Iterator[Reason]:
    """A success is told once: by the attempt that had it, as long as that is kept."""
    items = DeliveryItem.objects.filter(notification_id=notification.pk).order_by("-delivery_id")
    ids = list(items.values_list("delivery_id", flat=True)[:MOST_DELIVERIES])
    rows = {row.pk: row for row in Delivery.objects.filter(pk__in=ids).defer("content").order_by("pk")}
    called = names_of(list(rows.values()))
    told: set[UUID] = set()
    tries = DeliveryAttempt.objects.filter(delivery_id__in=list(rows)).order_by("-pk")
    # The newest of very many; those of one instant in the order in which they were made.
    for attempt in reversed(list(tries[:MOST_ATTEMPTS])):
        told.update({attempt.delivery_id} if attempt.outcome == DeliveryAttempt.Outcome.DELIVERED else ())
        yield _tried(attempt, rows[attempt.delivery_id], called=called[attempt.delivery_id])
    for row in rows.values():
        if row.status == Delivery.Status.DELIVERED and row.pk in told:
            continue
        yield Reason(
            # It may have collected before this came to it.
            at=row.finished_at or max(row.created_at, notification.created_at),
            what=f"delivery_{row.status}",
            reason=of_delivery(row, called=called[row.pk]),
            transport=row.transport,
            detail={
                "delivery": str(row.pk),
                "destination": called[row.pk],
                "attempts": row.attempts,
                "send_at": zones.instant_text(row.send_at),
                "redelivery_of": str(row.redelivery_of_id) if row.redelivery_of_id else None,
            },
        )


def _tried(attempt: DeliveryAttempt, delivery: Delivery, *, called: str) -> Reason:
    return Reason(
        at=attempt.finished_at or attempt.started_at,
        what=f"attempt_{attempt.outcome}",
        reason=of_attempt(attempt, transport=delivery.transport, called=called),
        transport=delivery.transport,
        detail={
            "delivery": str(delivery.pk),
            "destination": called,
            "redelivery_of": str(delivery.redelivery_of_id) if delivery.redelivery_of_id else None,
            "number": attempt.number,
            "seconds": attempt.seconds,
            "request": attempt.request,
            "response": attempt.response,
        },
    )


def _changed(notification: Notification) -> Iterator[Reason]:
    for event in _events("notification", notification.pk):
        if event.type == "notification.updated.v1":
            change = event.data["change"]
            by_owner = event.actor_id == notification.owner_id
            yield Reason(
                at=event.occurred_at,
                what=change,
                reason=of_change(change, because=notification.because, by_owner=by_owner),
                detail={"changes": event.data["changes"]},
            )


def _events(subject_type: str, subject_id: UUID) -> list[Event]:
    """What the log still has of it; of somebody who is erased nothing."""
    found = Event.objects.filter(subject_type=subject_type, subject_id=subject_id, erased_at=None)
    return list(found.order_by("subject_version")[:MOST_EVENTS])


def _stands(reminder: Reminder, words: Words) -> Reason:
    """What it is now, whatever the log remembers."""
    at = words.instant(reminder.trigger_at)
    stands = {
        Reminder.Status.PLANNED: f"Its time has not come yet: it is planned for {at}.",
        Reminder.Status.SNOOZED: f"Its time has not come yet: it was put off to {at}.",
        Reminder.Status.TRIGGERED: "Its time has come, and it is on its way.",
        Reminder.Status.DELIVERED: "It has reached you.",
        Reminder.Status.FAILED: "All that was tried has failed.",
        Reminder.Status.CANCELLED: f"It is cancelled: {_because(reminder)}.",
        Reminder.Status.STALE: f"It was not told: {_because(reminder)}.",
    }
    status = Reminder.Status(reminder.status)
    return Reason(
        # Behind all that led to it.
        at=reminder.updated_at,
        what=f"is_{status}",
        reason=stands[status],
        detail={"status": str(status), "trigger_at": zones.instant_text(reminder.trigger_at)},
    )


def _because(reminder: Reminder) -> str:
    return str(Reminder.Because(reminder.because).label) if reminder.because else "nobody kept why"


def _words_of(time_zone: str, *, now: datetime) -> Words:
    zone = zones.zone(time_zone)
    return Words(zone=zone, today=zones.local_date(now, zone))
