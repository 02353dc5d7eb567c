"""Whatever people do to repeating tasks, and however late, dead or told twice the group is: one next each."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from apps.recurrence.models import Series
from apps.recurrence.services import advancing
from tests.recurrence.machine import Repeating

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = int(os.environ.get("STATE_MACHINE_EXAMPLES", "0"))


def run(examples):
    always = settings(
        max_examples=examples,
        stateful_step_count=30,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(Repeating, settings=always)


@pytest.mark.timeout(300 if not EXAMPLES else 12 * 3600)
def test_whatever_happens_each_occurrence_that_is_done_has_one_next():
    run(EXAMPLES or 15)


def live(*steps):
    machine = Repeating()
    try:
        for step in steps:
            step(machine)
            machine.promises_hold()
    finally:
        machine.teardown()


DAILY = {"rule": "FREQ=DAILY", "from": "schedule", "month_end": "clamp", "catch_up": "latest"}


def completed_again(machine):
    machine.create(DAILY, False)
    machine.pump.run()
    machine.complete(0)
    machine.pump.run()
    machine.reopen(1)
    machine.complete(1)
    machine.pump.run()


def test_completed_again_it_has_the_one_it_has():
    live(completed_again)

    assert Series.objects.get().last_number == 2


def test_without_the_look_at_the_last_one_the_machine_sees_two(monkeypatch):
    """The negative control."""

    def advance(*, series_id, task_id, completed_at, now):
        advancing.go_on(Series.objects.get(pk=series_id), completed_at=completed_at, now=now)

    monkeypatch.setattr("apps.recurrence.services.advance_series", advance)

    with pytest.raises(AssertionError, match="never done"):
        live(completed_again)
