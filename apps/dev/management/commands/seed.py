"""Fills an empty database with a small believable data set, through the same services as everything else."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils.crypto import get_random_string

from apps.accounts.models import User
from apps.dev.people import ADA, GRACE, PEOPLE, Person
from apps.tasks import services
from apps.tasks.models import Task

Priority = Task.Priority


class Example(NamedTuple):
    owner: Person
    title: str
    priority: str = Priority.NONE
    due_in: timedelta | None = None
    description: str = ""
    becomes: str = ""


EXAMPLES = (
    Example(ADA, "Pay the rent", Priority.HIGH, timedelta(days=3), "Standing order is still off."),
    Example(ADA, "Book the dentist", Priority.MEDIUM, timedelta(days=7)),
    Example(ADA, "Renew the passport", Priority.URGENT, timedelta(days=21), "Two photos, form C1."),
    Example(ADA, "Read the notes on the analytical engine", becomes="in_progress"),
    Example(ADA, "Water the plants", Priority.LOW, timedelta(hours=5)),
    Example(ADA, "Send the invoice for October", Priority.HIGH, timedelta(days=-1)),
    Example(ADA, "Buy milk", becomes="completed"),
    Example(ADA, "Cancel the old phone contract", Priority.MEDIUM, becomes="deleted"),
    Example(GRACE, "Prepare the talk on compilers", Priority.URGENT, timedelta(days=2), becomes="in_progress"),
    Example(GRACE, "Return the library books", Priority.LOW, timedelta(days=4)),
    Example(GRACE, "Call the garage about the brakes", Priority.HIGH, timedelta(hours=26)),
    Example(GRACE, "File the travel expenses", Priority.MEDIUM, becomes="completed"),
)


class Command(BaseCommand):
    help = "Make a few people and tasks, on an empty database only. Repeatable; exit 0 either way."

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.exists():
            self.stdout.write("There are people in this database already: nothing seeded.")
            return
        with transaction.atomic():
            people = {person: _make(person) for person in PEOPLE}
            for example in EXAMPLES:
                _make_task(example, owner=people[example.owner])
        signs_in = ", ".join(f"{person.username} / {person.password}" for person in PEOPLE)
        self.stdout.write(f"Seeded {len(EXAMPLES)} tasks. Sign in as {signs_in}.")


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


def _make_task(example: Example, *, owner: User) -> None:
    now = datetime.now(UTC)
    task = services.create_task(
        owner=owner,
        actor=owner,
        title=example.title,
        description=example.description,
        priority=example.priority,
        due_at=(now + example.due_in).replace(second=0, microsecond=0) if example.due_in else None,
        now=now,
    )
    match example.becomes:
        case "in_progress":
            changes = {"status": Task.Status.IN_PROGRESS}
            services.update_task(task_id=task.pk, actor=owner, changes=changes, now=now)
        case "completed":
            services.complete_task(task_id=task.pk, actor=owner, now=now)
        case "deleted":
            services.delete_task(task_id=task.pk, actor=owner, now=now)
