"""Declared schedules come into being once, and what a person changed is theirs."""

import pytest
from celery import current_app
from django.core.management import call_command
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import ModelEntry

from apps.events import schedules
from apps.events.schedules import Schedule

pytestmark = pytest.mark.django_db

NAME = "Reconcile audit"


@pytest.fixture
def row():
    schedules.synchronise()
    return PeriodicTask.objects.get(name=NAME)


def declare(monkeypatch, **changed):
    declared = {"job": "events.reconcile_group", "queue": "audit", "every_seconds": 60, "arguments": {"group": "audit"}}
    monkeypatch.setattr(schedules, "declared", lambda: {NAME: Schedule(**(declared | changed))})


def seen():
    row = PeriodicTask.objects.select_related("interval").get(name=NAME)
    return row.task, row.queue, row.interval.every, row.kwargs, row.enabled


def test_the_command_creates_what_is_declared(capsys):
    call_command("sync_schedules")

    assert seen() == ("events.reconcile_group", "audit", 60, '{"group": "audit"}', True)
    told = capsys.readouterr().out.splitlines()
    assert sorted(told) == sorted(f"{name}: created" for name in schedules.declared())
    assert {"Prune the event log: created", "Reconcile audit: created"} <= set(told)


def test_doing_it_again_changes_nothing(row):
    before = list(PeriodicTask.objects.order_by("id").values())

    assert set(schedules.synchronise().values()) == {"up to date"}

    assert list(PeriodicTask.objects.order_by("id").values()) == before


def test_a_changed_interval_is_kept(row):
    row.interval = IntervalSchedule.objects.create(every=5, period=IntervalSchedule.MINUTES)
    row.save()

    assert schedules.synchronise()[NAME] == "kept as changed in the admin"

    assert PeriodicTask.objects.get(name=NAME).interval.period == "minutes"


def test_changed_arguments_are_kept(row):
    row.kwargs = '{"group": "another"}'
    row.save()

    assert schedules.synchronise()[NAME] == "kept as changed in the admin"

    assert seen()[3] == '{"group": "another"}'


def test_a_schedule_that_was_switched_off_stays_off(row, monkeypatch):
    PeriodicTask.objects.filter(pk=row.pk).update(enabled=False)
    declare(monkeypatch, every_seconds=30)

    assert schedules.synchronise() == {NAME: "kept as changed in the admin"}

    assert seen()[2:] == (60, '{"group": "audit"}', False)


def test_a_changed_declaration_reaches_an_untouched_row(row, monkeypatch):
    declare(monkeypatch, every_seconds=30)

    assert schedules.synchronise() == {NAME: "updated"}
    assert schedules.synchronise() == {NAME: "up to date"}

    assert seen()[2] == 30


def test_a_changed_declaration_does_not_reach_a_row_that_a_person_changed(row, monkeypatch):
    row.interval = IntervalSchedule.objects.create(every=90, period=IntervalSchedule.SECONDS)
    row.save()
    declare(monkeypatch, every_seconds=30)

    assert schedules.synchronise() == {NAME: "kept as changed in the admin"}

    assert seen()[2] == 90


def test_a_row_of_a_persons_own_under_that_name_is_theirs():
    interval = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.DAYS)
    PeriodicTask.objects.create(name=NAME, task="something.else", interval=interval)

    assert schedules.synchronise()[NAME] == "kept as changed in the admin"

    assert PeriodicTask.objects.get(name=NAME).task == "something.else"


def test_a_ring_that_nobody_answered_in_time_expires(row):
    assert row.expire_seconds == 60


def test_a_new_schedule_is_due_at_once(row):
    entry = ModelEntry(row, app=current_app)

    assert entry.is_due().is_due


def test_a_schedule_that_has_just_rung_is_not_due(row):
    """Negative control: it is the instant it was made with that makes a new one due."""
    row.last_run_at = timezone.now()

    assert not ModelEntry(row, app=current_app).is_due().is_due
