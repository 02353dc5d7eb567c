"""What people do with what they were told, and what happens to their tasks does: read, unread, done.

Invariant: what is done stays done, and reopening a task makes nothing unread.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.events.envelope import Envelope
from apps.notifications.choices import standing
from apps.notifications.exceptions import NotificationNotFound
from apps.notifications.models import Notification, RemindedTask
from apps.notifications.selectors.clock import database_now
from apps.notifications.services import changes, reminders
from apps.tasks.exceptions import StaleVersion

Status = Notification.Status

MOST_AT_ONCE = 500
# What still asks for something.
_PENDING = (Status.UNREAD, Status.SNOOZED)
_ENDINGS = {"task.completed.v1": "completed", "task.deleted.v1": "deleted", "task.purged.v1": "purged"}


@transaction.atomic
def mark_read(
    *, notification_id: UUID, actor: User, now: datetime, expected_version: int | None = None
) -> Notification:
    """Nothing changes of one that is read, snoozed or done. Raises `NotificationNotFound` and `StaleVersion`."""
    one = _locked(notification_id, actor, expected_version=expected_version)
    if one.status == Status.UNREAD:
        changes.change([one], {"status": Status.READ, "read_at": now}, kind="read", now=now, actor_id=actor.pk)
    return one


@transaction.atomic
def mark_unread(
    *, notification_id: UUID, actor: User, now: datetime, expected_version: int | None = None
) -> Notification:
    """Nothing changes of one that is not read. Raises `NotificationNotFound` and `StaleVersion`."""
    one = _locked(notification_id, actor, expected_version=expected_version)
    if one.status == Status.READ:
        changes.change([one], {"status": Status.UNREAD, "read_at": None}, kind="unread", now=now, actor_id=actor.pk)
    return one


def mark_all_read(*, actor: User, now: datetime, until: UUID | None = None) -> int:
    """Those of the inbox that are unread, up to the one `until`, in steps of a transaction each; how many."""
    count, there = 0, database_now()
    while step := _mark_some_read(actor, until=until, there=there, now=now):
        count += step
    return count


@transaction.atomic
def _mark_some_read(actor: User, *, until: UUID | None, there: datetime, now: datetime) -> int:
    """Of those that were there by the database's clock, which is the one that they were made by."""
    which = Q(owner=actor, status=Status.UNREAD, in_inbox=True, created_at__lte=there)
    rows = changes.locked(which & Q(pk__lte=until) if until else which, most=MOST_AT_ONCE)
    changes.change(rows, {"status": Status.READ, "read_at": now}, kind="read", now=now, actor_id=actor.pk)
    return len(rows)


@transaction.atomic
def done_with_tasks(events: Sequence[Envelope], *, now: datetime) -> int:
    """What was told of these tasks and holds no longer needs nobody any more; how many that were.

    For events of tasks, after `plans.follow_tasks` of the same: completed, deleted, purged, or due at another time.
    """
    last = {event.subject_id: event for event in events}
    which = Q(task_id__in=list(last), status__in=_PENDING)
    if not Notification.objects.filter(which).exists():
        return 0
    turns = reminders.take_turns(last)
    because: dict[str, list[Notification]] = {}
    for one in changes.locked(which):
        assert one.task_id is not None
        if why := _why_done(one, last[one.task_id], turns.get(one.task_id)):
            because.setdefault(why, []).append(one)
    for why, rows in because.items():
        values = {"status": Status.DONE, "because": why, "snoozed_until": None}
        causes = {one.pk: last[one.task_id] for one in rows if one.task_id}
        changes.change(rows, values, kind="done", now=now, causes=causes)
    return sum(map(len, because.values()))


def _why_done(one: Notification, event: Envelope, task: RemindedTask | None) -> str:
    """Nothing where it still holds. What was heard of the task since tells more than this event."""
    if task is None:
        return _ENDINGS.get(event.type, "")
    return standing.over_because(one, task)


def _locked(notification_id: UUID, actor: User, *, expected_version: int | None) -> Notification:
    """`expected_version` is what the writer has seen; `None` is whatever there is."""
    found = changes.locked(Q(pk=notification_id, owner=actor))
    if not found:
        raise NotificationNotFound(notification_id)
    if expected_version is not None and found[0].version != expected_version:
        raise StaleVersion(found[0])
    return found[0]
