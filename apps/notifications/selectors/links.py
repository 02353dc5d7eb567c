"""What following a link would do, for whoever holds it."""

from dataclasses import dataclass
from uuid import UUID

from apps.accounts.models import User
from apps.notifications.mail.links import Action, Link, NoSuchLink
from apps.notifications.models import Notification, UsedLink
from apps.tasks import selectors as tasks

# Why there is nothing to do.
COMPLETED = "The task is completed already."
DELETED = "The task was deleted."
FORGOTTEN = "What you were told is no longer kept."
OVER = "What this was about is done."


@dataclass(frozen=True, slots=True)
class Offer:
    """`title`: of the task or notification it is about. `used`: once already. `moot`: why there is nothing to do."""

    title: str = ""
    used: bool = False
    moot: str = ""


def offered(link: Link) -> Offer:
    """Raises `NoSuchLink` where nobody is behind it any more."""
    owner = owner_of(link)
    if UsedLink.objects.filter(pk=link.id).exists():
        return Offer(used=True)
    if link.about is None:
        return Offer()
    return _to_complete(link.about, owner) if link.action is Action.COMPLETE else _to_snooze(link.about, owner)


def owner_of(link: Link) -> User:
    """Raises `NoSuchLink` for a person who is put out or erased."""
    owner = User.objects.filter(pk=link.owner_id, is_active=True, erased_at=None).first()
    if owner is None:
        raise NoSuchLink
    return owner


def _to_complete(task_id: UUID, owner: User) -> Offer:
    task = tasks.tasks_of(owner=owner).filter(pk=task_id).only("title", "status").first()
    if task is None or task.status == task.Status.DELETED:
        return Offer(moot=DELETED)
    return Offer(moot=COMPLETED) if task.status == task.Status.COMPLETED else Offer(task.title)


def _to_snooze(notification_id: UUID, owner: User) -> Offer:
    notification = Notification.objects.filter(owner=owner, pk=notification_id).only("title", "status").first()
    if notification is None:
        return Offer(moot=FORGOTTEN)
    return Offer(moot=OVER) if notification.status == notification.Status.DONE else Offer(notification.title)
