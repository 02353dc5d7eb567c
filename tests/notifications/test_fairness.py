"""Nobody starves: what goes next, of all that is due."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from apps.notifications.sending import backing_off
from apps.notifications.sending.fairness import Candidate, Room, choose, room

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
ADA, BOB, EVE = UUID(int=1), UUID(int=2), UUID(int=3)


def due(number, owner=ADA, *, risky=False):
    """One that is due the longer, the smaller its number."""
    return Candidate(UUID(int=1000 + number), owner, NOON + timedelta(seconds=number), risky)


def numbers(chosen):
    return [one.delivery_id.int - 1000 for one in chosen]


def test_the_oldest_goes_first():
    candidates = [due(n, UUID(int=n)) for n in range(5)]

    assert numbers(choose(candidates, room=Room(all=3, risky=2, person=4), under_way={})) == [0, 1, 2]


def test_who_has_nothing_under_way_comes_before_who_has():
    candidates = [due(0, ADA), due(1, ADA), due(2, ADA), due(3, BOB), due(4, EVE)]

    chosen = choose(candidates, room=Room(all=3, risky=2, person=4), under_way={ADA: 1})

    assert numbers(chosen) == [3, 4, 0]


def test_one_person_has_at_most_half_of_the_threads():
    candidates = [due(n, ADA) for n in range(8)]

    assert numbers(choose(candidates, room=room(8, busy=0, risky=0), under_way={})) == [0, 1, 2, 3]
    assert choose(candidates, room=room(8, busy=4, risky=0), under_way={ADA: 4}) == []


def test_what_may_not_answer_has_at_most_a_quarter_of_the_threads():
    dead = [due(n, UUID(int=n), risky=True) for n in range(50)]
    healthy = [due(100 + n, UUID(int=100 + n)) for n in range(3)]

    assert numbers(choose(dead + healthy, room=room(8, busy=0, risky=0), under_way={})) == [0, 1, 100, 101, 102]
    assert numbers(choose(dead + healthy, room=room(8, busy=2, risky=2), under_way={})) == [100, 101, 102]


def test_dead_destinations_of_a_person_do_not_hold_up_their_healthy_one():
    candidates = [*[due(n, ADA, risky=True) for n in range(20)], due(20, ADA)]

    assert numbers(choose(candidates, room=room(8, busy=0, risky=0), under_way={})) == [0, 1, 20]


def test_one_thread_is_enough_for_everything():
    assert room(1, busy=0, risky=0) == Room(all=1, risky=1, person=1)


@pytest.mark.parametrize(
    ("attempts", "most"), [(1, 5), (2, 10), (3, 20), (8, 640), (11, 3600), (40, 3600), (10_000, 3600)]
)
def test_a_pause_is_drawn_between_nothing_and_a_limit_that_doubles(attempts, most):
    drawn = [backing_off.pause_seconds(attempts, first=5) for _ in range(2000)]

    assert 0 <= min(drawn) < most * 0.05
    assert most * 0.95 < max(drawn) <= most


def test_what_the_receiver_asks_for_is_the_least_up_to_an_hour():
    assert backing_off.pause_seconds(1, first=5, asked=120) == 120
    assert backing_off.pause_seconds(1, first=5, asked=10 * 3600) == 3600
