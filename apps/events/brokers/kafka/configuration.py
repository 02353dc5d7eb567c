"""The settings of librdkafka's clients.

Source: librdkafka's CONFIGURATION.md; each was loaded and tried against 2.16.
"""

from typing import Any

PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 10,
    "compression.type": "lz4",
    # A record that times out while the next one succeeds is out of order for good.
    "message.timeout.ms": 0,
    # A record of a topic that is not there holds up all that are sent with it for so long, by default for 30 s. One
    # that is being made just now is offered again.
    "topic.metadata.propagation.max.ms": 2000,
    "partitioner": "murmur2_random",
    "queue.buffering.max.messages": 20_000,
}
CONSUMER = {
    "enable.auto.offset.store": False,
    "enable.auto.commit": True,
    "auto.commit.interval.ms": 1000,
    # What lay between a group's place and the first record there is, it is told (`missed_records`).
    "auto.offset.reset": "earliest",
    # A real broker answers a fetch as soon as there is a record; the mock cluster lets it wait to the end.
    "fetch.wait.max.ms": 50,
    "max.poll.interval.ms": 120_000,
    "queued.min.messages": 1000,
    # A partition that has so many waiting is asked again after this; the default of a second starves a group that
    # handles them in a fraction of it.
    "fetch.queue.backoff.ms": 20,
    "queued.max.messages.kbytes": 16_384,
}
# By `consumer` the broker says after how long a silent member is given up: group.consumer.session.timeout.ms.
GROUP_PROTOCOLS: dict[str, dict[str, Any]] = {
    "classic": {
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 2000,
    },
    "consumer": {"group.protocol": "consumer"},
}
EVERY_CLIENT: dict[str, Any] = {
    # A connection whose other end is gone without a word is given up after this; by default a group waits a minute.
    "socket.timeout.ms": 10_000,
    # A topic that was made anew is found within seconds; the default is 5 minutes.
    "topic.metadata.refresh.interval.ms": 5000,
    "log_level": 2,
}
