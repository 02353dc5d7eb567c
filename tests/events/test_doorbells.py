"""A ring is a hint: after the commit, once for many, and nobody waits for it."""

import threading
import time

import pytest
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.events import doorbells

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch):
    """What reached Celery, and `come`, which waits for the next."""

    class Sent(list):
        def __init__(self):
            self.came = threading.Semaphore(0)

        def send_task(self, job, **options):
            self.append((job, options["kwargs"], options["queue"], options["countdown"]))
            self.came.release()

        def come(self):
            assert self.came.acquire(timeout=10)

    sent = Sent()
    monkeypatch.setattr(doorbells, "current_app", sent)
    return sent


@pytest.fixture
def worker(monkeypatch):
    here = doorbells._Here()
    monkeypatch.setattr(doorbells, "_here", here)
    doorbells.install()


def test_in_a_worker_a_ring_reaches_the_queue_of_the_jobs_app(worker, sent):
    doorbells.ring("notifications.trigger_due")

    sent.come()
    assert sent == [("notifications.trigger_due", {}, "notifications", None)]


def test_it_rings_after_the_commit(worker, sent):
    with transaction.atomic():
        doorbells.ring("notifications.trigger_due")
        time.sleep(0.05)
        before = list(sent)

    sent.come()
    assert (before, len(sent)) == ([], 1)


def test_what_is_rolled_back_does_not_ring(worker, sent):
    with transaction.atomic():
        doorbells.ring("notifications.trigger_due")
        transaction.set_rollback(True)
    doorbells.ring("notifications.send")

    sent.come()
    assert [job for job, *_ in sent] == ["notifications.send"]


def test_who_serves_requests_does_not_ring(monkeypatch, sent):
    monkeypatch.setattr(doorbells, "_here", doorbells._Here())

    doorbells.ring("notifications.trigger_due")

    assert sent == []


def test_a_ring_for_later_says_how_much_later(worker, sent):
    doorbells.ring("notifications.trigger_due", seconds=5)

    sent.come()
    assert 4.9 < sent[0][3] < 5.2


def test_many_who_ask_for_the_same_ring_once(worker, sent, monkeypatch):
    go_on = threading.Event()
    slow = sent.send_task

    def send_task(job, **options):
        go_on.wait(10)
        slow(job, **options)

    monkeypatch.setattr(sent, "send_task", send_task, raising=False)
    doorbells.ring("notifications.send")
    time.sleep(0.1)  # its thread has it in hand

    for _ in range(100):
        doorbells.ring("notifications.trigger_due")
    go_on.set()

    sent.come()
    sent.come()
    time.sleep(0.1)
    assert [job for job, *_ in sent] == ["notifications.send", "notifications.trigger_due"]


def test_a_redis_that_is_away_is_nobodys_failure(worker, sent, monkeypatch):
    calls = []

    def refuse(job, **options):
        calls.append(job)
        sent.came.release()
        raise OperationalError("away")

    monkeypatch.setattr(sent, "send_task", refuse, raising=False)
    doorbells.ring("notifications.send")
    sent.come()
    doorbells.ring("notifications.trigger_due")

    sent.come()
    assert calls == ["notifications.send", "notifications.trigger_due"]
