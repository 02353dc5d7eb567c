"""Follows links of mails: the one writer of `UsedLink`.

Invariant: a link acts at most once, in the transaction that remembers that it did, and as its owner.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction

from apps.accounts.models import User
from apps.calendar.errors import CalendarError
from apps.notifications.exceptions import NotificationsRefused
from apps.notifications.mail.links import SNOOZES, Action, Link
from apps.notifications.models import Notification, UsedLink
from apps.notifications.selectors.links import COMPLETED, DELETED, FORGOTTEN, owner_of
from apps.notifications.services import preferences, snoozing
from apps.tasks import selectors as tasks
from apps.tasks import services
from apps.tasks.exceptions import AlreadyCompleted, TaskDeleted, TaskNotFound, TaskRefused


class Outcome(StrEnum):
    """`used`: the link did its work before. `moot`: what it was for is over already, and `told` says how."""

    DONE = "done"
    USED = "used"
    MOOT = "moot"


@dataclass(frozen=True, slots=True)
class Followed:
    """`until`: of a snooze, when the person is reminded again."""

    outcome: Outcome
    owner: User
    title: str = ""
    told: str = ""
    until: datetime | None = None


@transaction.atomic
def use(link: Link, *, now: datetime) -> Followed:
    """Do what the link says, if it has not done it yet. Raises `NoSuchLink` where nobody is behind it any more."""
    owner = owner_of(link)
    # Who uses it at the same time waits here for the end of this transaction.
    _, first = UsedLink.objects.get_or_create(pk=link.id, defaults={"used_at": now, "expires_at": link.expires_at})
    if not first:
        return Followed(Outcome.USED, owner)
    return _ACTS[link.action](link, owner, now)


def _complete(link: Link, owner: User, now: datetime) -> Followed:
    assert link.about is not None
    if not tasks.tasks_of(owner=owner).filter(pk=link.about).exists():
        return Followed(Outcome.MOOT, owner, told=DELETED)
    try:
        task = services.complete_task(task_id=link.about, actor=owner, now=now)
    except AlreadyCompleted:
        return Followed(Outcome.MOOT, owner, told=COMPLETED)
    except (TaskDeleted, TaskNotFound):
        return Followed(Outcome.MOOT, owner, told=DELETED)
    return Followed(Outcome.DONE, owner, task.title)


def _snooze(link: Link, owner: User, now: datetime) -> Followed:
    assert link.about is not None
    if not Notification.objects.filter(pk=link.about, owner=owner).exists():
        return Followed(Outcome.MOOT, owner, told=FORGOTTEN)
    try:
        later = snoozing.snooze_notification(
            notification_id=link.about, actor=owner, until=SNOOZES[link.action], now=now
        )
    except (NotificationsRefused, TaskRefused, CalendarError) as reason:
        return Followed(Outcome.MOOT, owner, told=str(reason))
    return Followed(Outcome.DONE, owner, later.title, until=later.snoozed_until)


def _unsubscribe(link: Link, owner: User, now: datetime) -> Followed:
    switches = {str(kind): {"email": False} for kind in link.kinds}
    preferences.change(owner=owner, changes={"switches": switches}, now=now)
    return Followed(Outcome.DONE, owner)


_ACTS: dict[Action, Callable[[Link, User, datetime], Followed]] = {
    Action.COMPLETE: _complete,
    **dict.fromkeys(SNOOZES, _snooze),
    Action.UNSUBSCRIBE: _unsubscribe,
}
