"""Fills an empty database with a small believable data set, through the same services as everything else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management.base import CommandParser
from django.db import transaction
from django.utils.crypto import get_random_string

from apps.accounts.models import User
from apps.calendar import phrases, zones
from apps.calendar.expansion import expand
from apps.dev import seeded_inbox
from apps.dev.people import ADA, GRACE, PEOPLE, Person
from apps.events import handling, outbox
from apps.events.envelope import Envelope
from apps.events.management.manners import PlatformCommand
from apps.events.subscriptions import group_named
from apps.tasks import services
from apps.tasks.models import Task

Priority = Task.Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """`fields` go to the service as they are; `due_in` is from now, `due_in_days` from the owner's today, `due_by_rule`
    the first day from then on that its rule names.

    `done_times`: so many occurrences of one that repeats every week were done, the first that many weeks ago.
    """

    title: str
    list: str = ""
    due_in: timedelta | None = None
    due_in_days: int | None = None
    due_by_rule: bool = False
    subtasks: tuple["Example", ...] = ()
    becomes: str = ""
    done_times: int = 0
    fields: Mapping[str, Any] = field(default_factory=dict)


LISTS = {ADA: ("Home", "Errands", "Analytical engine"), GRACE: ("Work", "Home")}

EXAMPLES = {
    ADA: (
        Example(
            title="Pay the rent",
            list="Home",
            due_in_days=3,
            fields={
                "priority": Priority.HIGH,
                "description": "Standing order is still off.",
                "tags": ["money"],
                "recurrence": {"rule": "FREQ=MONTHLY", "month_end": "clamp"},
                "reminders": [{"before_due": "P1D"}, {"before_due": "PT0S"}],
            },
        ),
        Example(title="Book the dentist", list="Errands", due_in_days=7, fields={"tags": ["health", "phone"]}),
        Example(
            title="Renew the passport",
            list="Errands",
            due_in_days=21,
            fields={"priority": Priority.URGENT, "description": "Form C1."},
            subtasks=(
                Example(title="Have two photos taken", due_in_days=0),
                Example(title="Fill in form C1", becomes="completed"),
            ),
        ),
        Example(
            title="Read the notes on the analytical engine",
            list="Analytical engine",
            becomes="in_progress",
            fields={"tags": ["reading"]},
        ),
        Example(
            title="Water the plants",
            list="Home",
            due_in=timedelta(hours=5),
            fields={"priority": Priority.LOW, "recurrence": {"rule": "FREQ=DAILY;INTERVAL=3", "from": "completion"}},
        ),
        Example(
            title="Send the invoice for October", due_in_days=-1, fields={"priority": Priority.HIGH, "tags": ["money"]}
        ),
        Example(title="Buy milk", list="Errands", becomes="completed"),
        Example(title="Put the bins out", list="Home", due_in_days=2, fields={"recurrence": "every week"}),
        Example(
            title="Run around the park",
            done_times=4,
            fields={"tags": ["health"], "recurrence": {"rule": "FREQ=WEEKLY", "catch_up": "wait"}},
        ),
        Example(title="Cancel the old phone contract", fields={"priority": Priority.MEDIUM}, becomes="deleted"),
    ),
    GRACE: (
        Example(
            title="Prepare the talk on compilers",
            list="Work",
            due_in=timedelta(days=2),
            fields={"priority": Priority.URGENT, "tags": ["talk"], "reminders": [{"before_due": "PT2H"}]},
            subtasks=(
                Example(title="Draw the slides", fields={"tags": ["talk"]}),
                Example(title="Rehearse", due_in=timedelta(days=1)),
            ),
            becomes="in_progress",
        ),
        Example(title="Return the library books", list="Home", due_in_days=4, fields={"priority": Priority.LOW}),
        Example(title="Call the garage about the brakes", due_in=timedelta(hours=26), fields={"tags": ["phone"]}),
        Example(title="File the travel expenses", list="Work", becomes="completed", fields={"tags": ["money"]}),
        Example(
            title="Send the timesheet",
            list="Work",
            due_by_rule=True,
            fields={"recurrence": "every last workday", "reminders": [{"before_due": "PT0S"}]},
        ),
    ),
}


class Command(PlatformCommand):
    help = "Make a few people, lists and tasks, on an empty database only. Repeatable."
    exits = {0: "seeded, or there were people already and nothing was done"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Do it and take it back: only say what would be.")

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.exists():
            self.stdout.write("There are people in this database already: nothing seeded.")
            return
        with transaction.atomic():
            people = {person: _make(person) for person in PEOPLE}
            number = sum(_fill(person, owner=people[person]) for person in EXAMPLES)
            seeded_inbox.tell(people, now=datetime.now(UTC))
            transaction.set_rollback(options["dry_run"])
        if options["dry_run"]:
            self.stdout.write(f"Would seed {len(people)} people and {number} tasks.")
            return
        signs_in = ", ".join(f"{person.username} / {person.password}" for person in PEOPLE)
        self.stdout.write(f"Seeded {number} tasks. Sign in as {signs_in}.")


def _make(person: Person) -> User:
    user = User(
        username=person.username,
        email=person.email,
        time_zone=person.time_zone,
        is_staff=person.is_admin,
        is_superuser=person.is_admin,
        # The password is in the open anyway: no second of hashing for each. Signing in hashes it anew.
        password=PBKDF2PasswordHasher().encode(person.password, get_random_string(22), iterations=1000),
    )
    user.save(force_insert=True)
    return user


def _fill(person: Person, *, owner: User) -> int:
    """How many tasks were made."""
    now = datetime.now(UTC)
    lists = {
        name: services.create_list(owner=owner, actor=owner, name=name, now=now + timedelta(milliseconds=place)).pk
        for place, name in enumerate(LISTS[person])
    }
    return sum(_make_task(example, owner=owner, lists=lists, now=now) for example in EXAMPLES[person])


def _make_task(
    example: Example, *, owner: User, lists: Mapping[str, UUID], now: datetime, parent: UUID | None = None
) -> int:
    if example.done_times:
        return _make_with_history(example, owner=owner, now=now)
    asked = {**example.fields, **_due(example, zone=zones.zone(owner.time_zone), now=now)}
    if example.list:
        asked["list"] = lists[example.list]
    if parent is not None:
        asked["parent"] = parent
    task = services.create_task(owner=owner, actor=owner, title=example.title, now=now, **asked)
    below = sum(_make_task(each, owner=owner, lists=lists, now=now, parent=task.pk) for each in example.subtasks)
    match example.becomes:
        case "in_progress":
            changes = {"status": Task.Status.IN_PROGRESS}
            services.update_task(task_id=task.pk, actor=owner, changes=changes, now=now)
        case "completed":
            services.complete_task(task_id=task.pk, actor=owner, now=now)
        case "deleted":
            services.delete_task(task_id=task.pk, actor=owner, now=now)
    return 1 + below


def _make_with_history(example: Example, *, owner: User, now: datetime) -> int:
    """Begun some weeks ago and done each time: every occurrence is made as the worker of series makes it."""
    began = now - timedelta(weeks=example.done_times)
    due_on = zones.local_date(began, zones.zone(owner.time_zone))
    with outbox.recording() as created:
        task = services.create_task(
            owner=owner, actor=owner, title=example.title, due_on=due_on, now=began, **example.fields
        )
    _hand_to_series(created)
    for week in range(example.done_times):
        newest = Task.objects.filter(series_id=task.series_id).order_by("-recurrence_id")[0]
        with outbox.recording() as completed:
            services.complete_task(task_id=newest.pk, actor=owner, now=began + timedelta(weeks=week, hours=2))
        _hand_to_series(completed)
    return 1 + example.done_times


def _hand_to_series(events: Sequence[Envelope]) -> None:
    """At once; the worker, to which they come too, then knows them as handled."""
    group = group_named("recurrence")
    handling.handle(group, [event for event in events if group.wants(event.type)])


def _due(example: Example, *, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    if example.due_in_days is not None:
        return {"due_on": zones.local_date(now, zone) + timedelta(days=example.due_in_days)}
    if example.due_by_rule:
        today = zones.local_date(now, zone)
        return {"due_on": next(expand(phrases.read(example.fields["recurrence"], today=today).rule, start=today))}
    if example.due_in is not None:
        return {"due_at": (now + example.due_in).replace(second=0, microsecond=0)}
    return {}
