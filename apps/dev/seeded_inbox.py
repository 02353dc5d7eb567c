"""What the people of the seed were told, and how they want to be told: by the services, in the inbox alone.

Invariant: nothing goes out of it. Their reminders are planned by the notifications group, as everybody's are.
"""

from collections.abc import Mapping
from datetime import datetime, time, timedelta

from apps.accounts.models import User
from apps.calendar import zones
from apps.dev.people import ADA, GRACE, Person
from apps.notifications.kinds import Kind
from apps.notifications.services import inbox, preferences, telling, webhooks
from apps.notifications.services.news import News
from apps.tasks.models import Task

_IN_THE_APP = frozenset({"in_app"})


def tell(people: Mapping[Person, User], *, now: datetime) -> None:
    ada, grace = people[ADA], people[GRACE]
    for owner in (ada, grace):
        today = zones.local_date(now, zones.zone(owner.time_zone))
        overdue = Task.objects.filter(owner=owner, due_on__lt=today, status=Task.Status.PENDING).order_by("due_on")
        telling.tell([_welcome(owner, now=now), *map(_overdue, overdue)], now=now)
    (read,) = telling.tell([_quiet(ada, now=now)], now=now)
    inbox.mark_read(notification_id=read.pk, actor=ada, now=now)
    wanted = {"quiet_from": time(22), "quiet_until": time(7), "digest_at": time(8), "default_before_due": "PT1H"}
    preferences.change(owner=grace, changes=wanted, now=now)
    endpoint = webhooks.create(
        owner=grace, url="https://example.org/hooks/tasks", description="The team's board", now=now
    ).endpoint
    webhooks.disable(endpoint_id=endpoint.pk, actor=grace, now=now)


def _welcome(owner: User, *, now: datetime) -> News:
    return News(
        owner_id=owner.pk,
        kind=Kind.NOTICE,
        once=f"notice/seed/{owner.pk}/welcome",
        title="Here you are told what is due",
        text="By e-mail too, in .dev/mail, while no mail server is set. Your preferences say what comes which way.",
        about_at=now,
        only=_IN_THE_APP,
    )


def _quiet(owner: User, *, now: datetime) -> News:
    return News(
        owner_id=owner.pk,
        kind=Kind.NOTICE,
        once=f"notice/seed/{owner.pk}/quiet",
        title="Quiet hours hold what is not urgent",
        text="Set them in your preferences: what came meanwhile is told as one when they end.",
        about_at=now - timedelta(hours=1),
        only=_IN_THE_APP,
    )


def _overdue(task: Task) -> News:
    """Named as the sweep for what is overdue names it, which then tells it no more."""
    assert task.due_on is not None
    return News(
        owner_id=task.owner_id,
        kind=Kind.OVERDUE,
        once=f"overdue/{task.pk}/{task.due_on.isoformat()}",
        title=task.title,
        text=f"It was due on {task.due_on:%-d %B}.",
        about_at=zones.end_of_day(task.due_on, zones.zone(task.owner.time_zone)),
        task_id=task.pk,
        due_on=task.due_on,
        only=_IN_THE_APP,
    )
