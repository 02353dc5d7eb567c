"""A job whose end Redis could not be told holds up no other, and comes again."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from kombu import Connection, Consumer, Queue
from kombu.transport import redis as transport
from redis.exceptions import TimeoutError as RedisTimeout

from apps.events.worker import JobsInHand


@pytest.fixture
def channel(request, monkeypatch) -> Iterator[Any]:
    monkeypatch.setattr(transport.Channel, "QoS", request.param)
    with Connection(settings.CELERY_BROKER_URL) as connection:
        yield connection.channel()


def take_one_job_whose_end_cannot_be_told(channel, monkeypatch):
    def fail(*_):
        raise RedisTimeout("Timeout reading from socket")

    taken = []
    queue = Queue(f"jobs-{uuid4()}")
    channel.basic_qos(0, 1, False)
    with Consumer(channel, [queue], accept=["json"], on_message=taken.append):
        channel.basic_publish(channel.prepare_message("{}", content_type="application/json"), "", queue.name)
        channel.connection.drain_events(channel.connection, timeout=5)
        with monkeypatch.context() as without_an_answer:
            without_an_answer.setattr(channel.qos, "_remove_from_indices", fail)
            with pytest.raises(RedisTimeout):
                taken[0].ack()
    return taken[0]


@pytest.mark.parametrize("channel", [JobsInHand], indirect=True)
def test_another_job_may_be_taken_and_this_one_comes_again(channel, monkeypatch):
    job = take_one_job_whose_end_cannot_be_told(channel, monkeypatch)

    assert channel.qos.can_consume()
    assert channel.client.hexists(channel.qos.unacked_key, job.delivery_tag)
    channel.client.hdel(channel.qos.unacked_key, job.delivery_tag)
    channel.client.zrem(channel.qos.unacked_index_key, job.delivery_tag)


@pytest.mark.parametrize("channel", [transport.QoS], indirect=True)
def test_by_the_library_alone_no_other_is_taken_ever(channel, monkeypatch):
    """The negative control."""
    job = take_one_job_whose_end_cannot_be_told(channel, monkeypatch)

    assert not channel.qos.can_consume()
    channel.qos.ack(job.delivery_tag)


def lose_the_connection_with_a_job_in_hand(channel, monkeypatch):
    def lost(*_, **__):
        raise AttributeError("'NoneType' object has no attribute 'hostname'")

    queue = Queue(f"jobs-{uuid4()}")
    with Consumer(channel, [queue], accept=["json"], on_message=lambda message: None):
        channel.basic_publish(channel.prepare_message("{}", content_type="application/json"), "", queue.name)
        channel.connection.drain_events(channel.connection, timeout=5)
    assert len(channel.qos._delivered) == 1
    with monkeypatch.context() as without_redis:
        without_redis.setattr(channel, "conn_or_acquire", lost)
        channel.qos.restore_unacked_once()


@pytest.mark.parametrize("channel", [JobsInHand], indirect=True)
def test_a_connection_that_is_lost_with_jobs_in_hand_ends_no_worker(channel, monkeypatch):
    lose_the_connection_with_a_job_in_hand(channel, monkeypatch)

    assert not channel.qos._delivered


@pytest.mark.parametrize("channel", [transport.QoS], indirect=True)
def test_by_the_library_alone_its_error_ends_the_worker(channel, monkeypatch):
    """The negative control."""
    with pytest.raises(AttributeError):
        lose_the_connection_with_a_job_in_hand(channel, monkeypatch)
    channel.qos._delivered.clear()


def test_the_worker_uses_it():
    import todo_project.celery  # noqa: F401 - what a worker imports

    assert transport.Channel.QoS is JobsInHand
