"""Reads of tasks. Ownership is decided here and in `TaskQuerySet.owned_by` alone."""

from apps.accounts.models import User
from apps.tasks.models import Task, TaskQuerySet


def tasks_of(*, owner: User) -> TaskQuerySet:
    """All tasks a person may see, deleted ones among them."""
    return Task.objects.owned_by(owner)


def open_tasks(*, owner: User) -> TaskQuerySet:
    """What is still to be done, the next due first."""
    still_open = [Task.Status.PENDING, Task.Status.IN_PROGRESS]
    return tasks_of(owner=owner).filter(status__in=still_open).order_by("due_at", "-id")
