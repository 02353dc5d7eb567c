"""Runs Kafka consumers inside a Celery worker: `celery -A todo_project worker --consume audit -Q audit`.

Invariant: a worker whose consumer has died or hangs does not live on. Without `--consume` a worker takes every
group; `--consume none` takes none.
"""

import os
import signal
import threading
import time
from contextlib import suppress
from typing import Any

import billiard
import celery.worker.state
import structlog
from celery import Celery, bootsteps
from click import Option
from kombu.transport import redis, virtual

from apps.events import leaving

log = structlog.get_logger(__name__)

EXIT_CODE = 70
# A consumer that does not come round for so long hangs.
TICK_LIMIT_SECONDS = 60.0
LATE_LOOKS = 3
# Celery leaves its loop when told to; when it is caught in connecting to Redis, it does not hear.
LEAVE_SECONDS = 10.0
# A group in the middle of a batch ends with it; whoever waits for a Kafka that hangs has nothing to lose there.
CLOSE_SECONDS = 10.0


def install(app: Celery) -> None:
    """Give the worker command its option and the worker its step."""
    app.user_options["worker"].add(
        Option(
            ["--consume"],
            multiple=True,
            metavar="GROUP",
            help="Run this consumer group's Kafka consumer (repeatable; default: every group; none: no group).",
        )
    )
    app.steps["worker"].add(ConsumeKafka)
    redis.Channel.QoS = JobsInHand


class JobsInHand(redis.QoS):
    """Which jobs a worker has and may still take, as Redis is told.

    A job that Redis could not be told the end of is given to a worker again. It is in hand no more all the same: a
    worker that holds one for ever may take no other, and where its connections are quiet nothing would end that.
    """

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        except self.channel.connection_errors:  # type: ignore[attr-defined]
            virtual.QoS.ack(self, delivery_tag)
            raise

    def restore_unacked(self, client: Any = None) -> None:
        """Give back what is in hand. Where the connection is lost Redis does that itself in time, if it still has it.

        Kombu asks for this as it closes a connection that has just been lost, and meets whatever is left of it: an
        error here, of any kind, ends the worker.
        """
        try:
            super().restore_unacked(client)
        except Exception as reason:  # noqa: BLE001
            in_hand = self._delivered
            assert in_hand is not None, "kombu has them from the first to the last"
            log.info("jobs_not_given_back", jobs=len(in_hand), because=type(reason).__name__)
            in_hand.clear()


class ConsumeKafka(bootsteps.StartStopStep):
    """Starts after the pool, so that no consumer is forked with it; stops with the worker."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, consume: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(worker, **options)
        self.names = tuple(consume)
        self.stop_signal = threading.Event()
        self.threads: list[threading.Thread] = []

    def start(self, worker: Any) -> None:
        from apps.events.brokers import get_broker
        from apps.events.consumer import GroupConsumer
        from apps.events.subscriptions import group_named, groups

        leaving.when_told(last=_end_pool)
        if self.names == ("none",):
            return
        chosen = [group_named(name) for name in self.names] if self.names else groups()
        for group in chosen:
            consumer = GroupConsumer(group, broker=get_broker(), stop=self.stop_signal)
            thread = threading.Thread(target=self._run, args=[consumer], name=f"consume-{group.name}")
            thread.daemon = True
            thread.start()
            self.threads.append(thread)
            threading.Thread(target=self._watch, args=[consumer, thread], daemon=True).start()
            log.info("group_consuming", group=group.name, topics=group.topics())

    def _run(self, consumer: Any) -> None:
        try:
            consumer.run()
        except Exception:
            log.critical("group_died", group=consumer.group.name, exc_info=True)
            _end_worker()

    def _watch(self, consumer: Any, thread: threading.Thread) -> None:
        late = 0
        while thread.is_alive() and not self.stop_signal.wait(1):
            # Several looks: where a frozen process goes on, the watch may look before the loop has come round.
            late = late + 1 if time.monotonic() - consumer.ticked_at > TICK_LIMIT_SECONDS else 0
            if late >= LATE_LOOKS:
                log.critical("group_hangs", group=consumer.group.name)
                _end_worker()
                return

    def stop(self, parent: Any) -> None:
        self.stop_signal.set()
        deadline = time.monotonic() + CLOSE_SECONDS
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def terminate(self, parent: Any) -> None:
        """What Celery calls instead of `stop` on a cold shutdown."""
        self.stop(parent)


def _end_pool() -> None:
    """Children in the middle of a job wait for what hangs as their parent did; the job is given to another."""
    for number in [child.pid for child in billiard.active_children() if child.pid]:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def _end_worker() -> None:
    """Returns at once: Celery leaves by way of `stop`, which waits for the thread that calls this."""
    celery.worker.state.should_stop = EXIT_CODE  # type: ignore[assignment]
    leave = threading.Timer(LEAVE_SECONDS, os._exit, [EXIT_CODE])
    leave.daemon = True
    leave.start()
