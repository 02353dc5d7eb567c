"""The seed: believable, made by the services, and only on an empty database."""

from datetime import timedelta
from itertools import pairwise

import pytest
import time_machine
from django.contrib.auth import authenticate
from django.core.management import call_command

from apps.accounts.models import User
from apps.dev.people import PEOPLE
from apps.events.models import Event
from apps.notifications.models import Delivery, Notification, Preferences, Reminder, WebhookEndpoint
from apps.recurrence.models import Occurrence, Series
from apps.tasks.models import Tag, Task, TaskList
from tests.support.pump import fresh_pump

pytestmark = pytest.mark.django_db


def test_an_empty_database_gets_people_who_can_sign_in_and_tasks_with_their_events(capsys):
    call_command("seed")

    assert [person.username for person in PEOPLE] == ["ada", "grace", "admin"]
    assert all(authenticate(username=each.username, password=each.password) for each in PEOPLE)
    assert User.objects.get(is_superuser=True).username == "admin"
    assert Task.objects.count() == 23
    assert set(Task.objects.values_list("status", flat=True)) == set(Task.Status.values)
    assert Event.objects.filter(type="task.created.v1").count() == 23
    assert "Seeded 23 tasks. Sign in as ada / ada-example" in capsys.readouterr().out


def test_the_seed_shows_all_that_a_task_can_have():
    call_command("seed")

    tasks = Task.objects.all()
    assert sorted(TaskList.objects.values_list("owner__username", "name")) == [
        ("ada", "Analytical engine"),
        ("ada", "Errands"),
        ("ada", "Home"),
        ("grace", "Home"),
        ("grace", "Work"),
    ]
    assert sorted(Tag.objects.values_list("owner__username", "name")) == [
        ("ada", "health"),
        ("ada", "money"),
        ("ada", "phone"),
        ("ada", "reading"),
        ("grace", "money"),
        ("grace", "phone"),
        ("grace", "talk"),
    ]
    assert tasks.exclude(recurrence=None).count() == 9
    assert tasks.exclude(reminders=None).count() == 3
    assert tasks.exclude(parent=None).count() == 4
    assert (tasks.exclude(due_on=None).count(), tasks.exclude(due_at=None).count()) == (13, 4)


def test_people_have_been_told_read_and_unread_in_the_inbox_alone_and_say_how_they_want_to_be():
    call_command("seed")

    inbox = Notification.objects.order_by("owner__username", "kind", "title")
    assert [(one.owner.username, str(one.kind), str(one.status)) for one in inbox] == [
        ("ada", "notice", "unread"),
        ("ada", "notice", "read"),
        ("ada", "overdue", "unread"),
        ("grace", "notice", "unread"),
    ]
    assert inbox[2].title == "Send the invoice for October"
    assert not Delivery.objects.exists()
    grace = Preferences.objects.get()
    assert (grace.owner.username, grace.quiet_from.hour, grace.digest_at.hour) == ("grace", 22, 8)
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.owner.username, endpoint.status) == ("grace", "disabled")


def test_the_group_plans_what_the_seed_asks_to_be_reminded_of():
    call_command("seed")
    with fresh_pump() as pump:
        pump.run()

    assert Reminder.objects.filter(status="planned").exists()
    assert {str(origin) for origin in Reminder.objects.values_list("origin", flat=True)} == {"asked", "default"}


def test_one_of_the_repeating_tasks_has_a_history_and_the_workers_handling_adds_nothing():
    call_command("seed")
    before = Task.objects.count()
    history = list(Occurrence.objects.order_by("number").values_list("number", "series__ended_at"))
    with fresh_pump() as pump:
        pump.run()

    runs = Task.objects.filter(title="Run around the park").order_by("due_on")
    assert history == [(number, None) for number in range(1, 6)]
    assert [run.status for run in runs] == ["completed"] * 4 + ["pending"]
    assert {later.due_on - earlier.due_on for earlier, later in pairwise(runs)} == {timedelta(weeks=1)}
    assert Task.objects.count() == before
    assert Series.objects.filter(ended_at=None).count() == 5


@pytest.mark.parametrize("at", ["2026-11-20T00:30:00Z", "2026-11-20T23:30:00Z", "2027-02-27T12:00:00Z"])
def test_the_seed_can_be_made_at_any_hour(at):
    with time_machine.travel(at):
        call_command("seed")

    assert Task.objects.count() == 23


def test_a_database_with_people_is_left_alone(capsys):
    User.objects.create_user("somebody")

    call_command("seed")

    assert User.objects.count() == 1
    assert Task.objects.count() == 0
    assert "nothing seeded" in capsys.readouterr().out


def test_seeding_twice_changes_nothing():
    call_command("seed")
    call_command("seed")

    assert (User.objects.count(), Task.objects.count()) == (3, 23)
