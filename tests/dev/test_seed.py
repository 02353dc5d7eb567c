"""The seed: believable, made by the services, and only on an empty database."""

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command

from apps.accounts.models import User
from apps.dev.people import PEOPLE
from apps.events.models import Event
from apps.tasks.models import Task

pytestmark = pytest.mark.django_db


def test_an_empty_database_gets_people_who_can_sign_in_and_tasks_with_their_events(capsys):
    call_command("seed")

    assert [person.username for person in PEOPLE] == ["ada", "grace", "admin"]
    assert all(authenticate(username=each.username, password=each.password) for each in PEOPLE)
    assert User.objects.get(is_superuser=True).username == "admin"
    assert Task.objects.count() == 12
    assert set(Task.objects.values_list("status", flat=True)) == set(Task.Status.values)
    assert Event.objects.filter(type="task.created.v1").count() == 12
    assert "Seeded 12 tasks. Sign in as ada / ada-example" in capsys.readouterr().out


def test_a_database_with_people_is_left_alone(capsys):
    User.objects.create_user("somebody")

    call_command("seed")

    assert User.objects.count() == 1
    assert Task.objects.count() == 0
    assert "nothing seeded" in capsys.readouterr().out


def test_seeding_twice_changes_nothing():
    call_command("seed")
    call_command("seed")

    assert (User.objects.count(), Task.objects.count()) == (3, 12)
