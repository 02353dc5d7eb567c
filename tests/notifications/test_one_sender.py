"""One sender for each worker, in whichever of its processes."""

import os
import signal
import threading

from celery.signals import worker_shutting_down

from apps.notifications.sending import one_sender


def told_by_a_child(act):
    """What a forked child says of its turn, in a byte."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, act())
        finally:
            os._exit(0)
    os.close(writing)
    try:
        said = os.read(reading, 1)
    finally:
        os.close(reading)
        os.waitpid(child, 0)
    return said


def asked():
    with one_sender.turn() as ours:
        return b"1" if ours else b"0"


def test_while_one_has_the_turn_another_thread_and_another_child_have_it_not():
    answers = []
    with one_sender.turn() as ours:
        thread = threading.Thread(target=lambda: answers.append(asked()))
        thread.start()
        thread.join(30)
        answers.append(told_by_a_child(asked))

    assert (ours, answers) == (True, [b"0", b"0"])
    assert told_by_a_child(asked) == b"1"
    assert asked() == b"1"


def test_who_is_killed_with_the_turn_gives_it_back():
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with one_sender.turn():
            os.write(writing, b"1")
            signal.pause()
    os.read(reading, 1)
    before = asked()

    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)

    assert (before, asked()) == (b"0", b"1")


def test_children_hear_that_their_worker_leaves():
    child = os.fork()
    if child == 0:
        worker_shutting_down.send(sender="worker", sig="SIGTERM", how="Warm", exitcode=0)
        os._exit(0)
    os.waitpid(child, 0)
    try:
        assert one_sender.told_to_stop()
    finally:
        one_sender.forget()

    assert not one_sender.told_to_stop()
