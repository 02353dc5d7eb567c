"""The worker's consumers: which ones run, and that a worker does not outlive one that died."""

import threading
import time
from types import SimpleNamespace

import celery.worker.state
import pytest
from click import Command

from apps.events import worker as worker_module
from apps.events.consumer import GroupConsumer
from apps.events.errors import GroupStopped
from apps.events.worker import ConsumeKafka
from tests.support.topics import wait_until
from todo_project.celery import app

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def steps(pump, monkeypatch):
    """Makes steps whose consumers do nothing but wait for their end; stops those that were started."""
    monkeypatch.setattr(GroupConsumer, "run", lambda consumer: consumer.stop.wait(10))
    monkeypatch.setattr(worker_module.leaving, "when_told", lambda **_: None)  # signals are the test process's own
    made = []

    def make(*consume):
        made.append(ConsumeKafka(SimpleNamespace(), consume=consume))
        return made[-1]

    yield make
    for step in made:
        step.stop(None)


@pytest.fixture
def exits(monkeypatch):
    """The exit codes the process would have ended with."""
    exits = []
    monkeypatch.setattr(worker_module, "LEAVE_SECONDS", 0)
    monkeypatch.setattr(worker_module.os, "_exit", exits.append)
    monkeypatch.setattr(celery.worker.state, "should_stop", None)
    return exits


def names(step):
    return [thread.name for thread in step.threads]


def test_the_celery_application_has_the_step():
    assert ConsumeKafka in app.steps["worker"]


@pytest.mark.parametrize(
    ("arguments", "consume"),
    [([], ()), (["--consume", "audit"], ("audit",)), (["--consume", "audit", "--consume", "none"], ("audit", "none"))],
)
def test_the_worker_command_takes_its_groups_repeatedly(arguments, consume):
    command = Command("worker", params=list(app.user_options["worker"]))

    assert command.make_context("worker", arguments).params == {"consume": consume}


def test_a_worker_consumes_the_groups_it_is_told(steps):
    step = steps("audit")

    step.start(None)

    assert names(step) == ["consume-audit"]


def test_a_worker_that_is_told_nothing_consumes_every_group(steps, new_group):
    new_group("chores")
    step = steps()

    step.start(None)

    assert names(step) == ["consume-audit", "consume-chores", "consume-notifications", "consume-recurrence"]


def test_a_worker_that_is_told_none_consumes_none(steps):
    step = steps("none")

    step.start(None)

    assert names(step) == []


def test_a_worker_told_an_unknown_group_does_not_start(steps):
    with pytest.raises(LookupError, match="There is no consumer group 'nobody'; there are: audit"):
        steps("nobody").start(None)


def test_stopping_ends_the_consumers(steps):
    step = steps("audit")
    step.start(None)

    step.stop(None)

    assert [thread.is_alive() for thread in step.threads] == [False]


def test_a_quick_shutdown_ends_the_consumers_too(steps):
    step = steps("audit")
    step.start(None)

    step.terminate(None)

    assert [thread.is_alive() for thread in step.threads] == [False]


def test_a_consumer_that_dies_ends_the_worker(steps, exits, monkeypatch):
    monkeypatch.setattr(GroupConsumer, "run", _die)
    step = steps("audit")

    step.start(None)

    assert wait_until(lambda: _soon(exits), seconds=5)
    assert (celery.worker.state.should_stop, exits) == (70, [70])


def test_a_group_that_died_does_not_hold_up_the_workers_end(steps, exits, monkeypatch):
    """Celery leaves by `stop`, which joins the group's thread: whoever waits for it to leave is another."""
    monkeypatch.setattr(worker_module, "LEAVE_SECONDS", 60)
    monkeypatch.setattr(GroupConsumer, "run", _die)
    step = steps("audit")
    step.start(None)

    step.threads[0].join(5)

    assert (step.threads[0].is_alive(), celery.worker.state.should_stop, exits) == (False, 70, [])


def test_a_consumer_that_hangs_ends_the_worker(steps, exits, monkeypatch):
    monkeypatch.setattr(worker_module, "TICK_LIMIT_SECONDS", 0.0)
    step = steps("audit")

    step.start(None)

    assert wait_until(lambda: _soon(exits), seconds=5)
    assert (celery.worker.state.should_stop, exits) == (70, [70])


@pytest.mark.parametrize(
    ("late_by", "ended"),
    [([99, 99, 0, 99, 99, 0], []), ([0, 99, 99, 99], [70])],
    ids=["comes round at the third look, as after a freeze", "is late at three in a row"],
)
def test_the_watch_ends_the_worker_only_when_it_found_the_consumer_late_three_times_in_a_row(
    steps, exits, late_by, ended
):
    step = steps("audit")
    consumer = SimpleNamespace(ticked_at=0.0, group=SimpleNamespace(name="audit"))
    looks = iter(late_by)

    def look(_seconds):
        seconds = next(looks, None)
        consumer.ticked_at = time.monotonic() - (seconds or 0)
        return seconds is None

    step.stop_signal = SimpleNamespace(wait=look, set=lambda: None)
    step._watch(consumer, threading.current_thread())

    assert exits == ended


def test_a_consumer_that_is_stopped_does_not_end_the_worker(steps, exits):
    step = steps("audit")
    step.start(None)

    step.stop(None)

    assert (celery.worker.state.should_stop, exits) == (None, [])


def _die(consumer):
    raise GroupStopped("audit", parked=50)


def _soon(true):
    threading.Event().wait(0.01)
    return true
