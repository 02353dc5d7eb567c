"""Waiting longer from try to try, up to a limit, and never in step with others."""

from apps.events.backoff import Backoff


def test_delays_double_up_to_the_cap_and_lie_in_the_upper_half():
    backoff = Backoff(first=1, cap=10)

    delays = [backoff.next_delay() for _ in range(6)]

    limits = [1, 2, 4, 8, 10, 10]
    assert [limit / 2 <= delay <= limit for delay, limit in zip(delays, limits, strict=True)] == [True] * 6


def test_after_a_success_it_begins_anew():
    backoff = Backoff(first=1, cap=10)
    for _ in range(5):
        backoff.next_delay()

    backoff.reset()

    assert backoff.next_delay() <= 1


def test_it_never_overflows():
    backoff = Backoff(first=1, cap=10)

    assert max(backoff.next_delay() for _ in range(2000)) <= 10
