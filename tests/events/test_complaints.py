"""What Kafka's client complains of comes into the log, and does not flood it."""

import pytest
from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from apps.events.brokers.kafka.complaints import Complaints

DOWN = KafkaError(KafkaError._ALL_BROKERS_DOWN)
TIMED_OUT = KafkaError(KafkaError._TIMED_OUT)
FENCED = KafkaError(KafkaError._FENCED, "over", True)


@pytest.fixture
def told():
    """What a run of (second, error) leaves in the log: the reasons, and how many were left out before each."""

    def listen(*come):
        times = iter([second for second, _ in come])
        complaints = Complaints(now=lambda: next(times))
        with capture_logs() as lines:
            for _, error in come:
                complaints(error)
        return [(line["reason"], line["not_told_before"]) for line in lines]

    return listen


def test_the_first_of_a_kind_is_told_at_once(told):
    assert told((0, DOWN), (0, TIMED_OUT)) == [(DOWN.str(), 0), (TIMED_OUT.str(), 0)]


def test_a_thousand_a_second_are_one_line_in_ten_seconds_with_their_number(told):
    assert told(*[(second / 1000, DOWN) for second in range(10_001)]) == [(DOWN.str(), 0), (DOWN.str(), 9999)]


def test_what_is_fatal_is_always_told(told):
    assert told((0, FENCED), (1, FENCED)) == [("over", 0), ("over", 0)]
