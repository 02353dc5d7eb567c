"""One run of a sender: nobody starves, nobody is asked twice at once, and it leaves in time."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from importlib import import_module

import pytest

from apps.notifications.models import Delivery, DeliveryAttempt
from apps.notifications.sending import fairness, one_sender, sender
from apps.notifications.sending.fairness import Room
from apps.notifications.sending.sender import Sender, send_due
from apps.notifications.services import claiming, sending
from apps.notifications.transports import transport_named
from apps.notifications.transports.base import TryAgain
from tests.notifications.given import database_instant, delivery
from tests.support.factories import person

pytestmark = pytest.mark.timeout(120)

DEAD = 50


@pytest.fixture
def ada(db):
    return person("ada")


@pytest.fixture
def parcels(more_transports, monkeypatch):
    module = import_module("apps.notifications.transports.parcels")
    monkeypatch.setattr(module, "came", [])
    return module


def answered_before(owner, destination):
    delivery(owner, transport="letters", destination=destination, status="delivered", finished_at=database_instant())


def statuses():
    return sorted(Delivery.objects.values_list("status", flat=True))


def dead_receivers_and_a_healthy_one(post):
    """Each of another person, all of them due before the healthy one; how many of the dead were asked before it."""
    for number in range(DEAD):
        post.doing[f"dead-{number}"] = hangs
        delivery(person(), destination=f"dead-{number}", ago=timedelta(minutes=5))
    eve = person()
    answered_before(eve, "healthy")
    delivery(eve, destination="healthy")
    delivery(eve, transport="parcels")

    Sender(stop=lambda: bool(post.when("healthy")), budget_seconds=100).run()

    return dead_before(post, post.when("healthy")[0])


def dead_before(post, instant):
    """How many of the dead were asked before it."""
    return len([1 for at, to, *_ in post.came if to.startswith("dead") and at < instant])


def hangs():
    time.sleep(0.9)
    raise TryAgain("No answer.")


class TestFairness:
    def test_dead_receivers_hold_up_neither_a_healthy_one_nor_another_transport(self, db, post, parcels):
        asked = dead_receivers_and_a_healthy_one(post)

        assert asked == transport_named("letters").senders // 4
        assert dead_before(post, parcels.came[0]) <= 2

    def test_without_the_cap_the_healthy_one_comes_last(self, db, post, parcels, monkeypatch):
        """The negative control. Another transport does not wait all the same."""
        capped = fairness.room
        monkeypatch.setattr(fairness, "room", lambda all_, **more: replace(capped(all_, **more), risky=all_))

        assert dead_receivers_and_a_healthy_one(post) == DEAD
        assert dead_before(post, parcels.came[0]) <= 8

    def test_who_answered_last_time_is_no_risk_and_who_did_not_is_again(self, ada, post):
        answered_before(ada, "a")
        delivery(ada, destination="a")
        delivery(ada, destination="new")
        delivery(ada, destination="failed", status="failed", finished_at=database_instant())
        delivery(ada, destination="failed")
        answered_before(ada, "tried")
        delivery(ada, destination="tried", attempts=1)

        claimed = sending.claim(transport=transport_named("letters"), room=Room(all=9, risky=9, person=9))

        assert {one.delivery.destination: one.risky for one in claimed} == {
            "a": False,
            "new": True,
            "failed": True,
            "tried": True,
        }

    def test_a_person_is_no_risk_whose_post_all_goes_to_one_server(self, ada, post):
        delivery(ada, destination="", attempts=1)

        (claimed,) = sending.claim(transport=transport_named("letters"), room=Room(all=9, risky=0, person=9))

        assert not claimed.risky

    def test_one_destination_is_asked_one_at_a_time_and_has_all_in_their_order(self, ada, post):
        post.doing["box"] = lambda: time.sleep(0.05)
        rows = [delivery(ada, destination="box", ago=timedelta(minutes=10 - n)) for n in range(6)]

        Sender(linger_seconds=0).run()

        assert post.most_at_once["box"] == 1
        assert post.keys() == [row.pk for row in rows]

    def test_who_has_more_waiting_than_is_looked_at_hides_nobody(self, ada, post, monkeypatch):
        assert claimed_beside_a_hog(ada, monkeypatch) == {"hog", "bob"}

    def test_with_a_short_look_only_they_do(self, ada, post, monkeypatch):
        """The negative control."""
        monkeypatch.setattr(claiming, "ALL", 5)

        assert claimed_beside_a_hog(ada, monkeypatch) == {"hog"}


def claimed_beside_a_hog(ada, monkeypatch):
    monkeypatch.setattr(claiming, "NEAREST", 5)
    for _ in range(10):
        delivery(ada, destination="hog", ago=timedelta(hours=1))
    delivery(person("bob"), destination="bob")
    claimed = sending.claim(transport=transport_named("letters"), room=Room(all=8, risky=8, person=8))
    return {one.delivery.destination for one in claimed}


def under_way_beside_one_that_died(post, *, times):
    """How many were under way, in all, while it was sent."""
    under_way = []

    def look():
        time.sleep(0.5)
        under_way.append(sum(post.at_once.values()))

    post.doing["deadly"] = look
    row = delivery(person(), destination="deadly", attempts=2, fence=2)
    for number in (1, 2):
        outcome = "died" if number > 2 - times else "retry"
        DeliveryAttempt.objects.create(
            delivery=row, number=number, fence=number, started_at=row.created_at, outcome=outcome
        )
    for number in range(5):
        post.doing[f"other-{number}"] = lambda: time.sleep(0.8)
        other = person()
        answered_before(other, f"other-{number}")
        delivery(other, destination=f"other-{number}", ago=timedelta(seconds=1))
    Sender(linger_seconds=0).run()
    assert set(Delivery.objects.values_list("status", flat=True)) == {"delivered"}
    return under_way[0]


class TestDeadly:
    def test_one_whose_senders_died_twice_in_a_row_goes_alone(self, db, post):
        assert under_way_beside_one_that_died(post, times=2) == 1

    def test_one_whose_sender_died_once_goes_with_the_others(self, db, post):
        """The negative control."""
        assert under_way_beside_one_that_died(post, times=1) > 1


class TestLeaving:
    def test_who_is_told_to_stop_claims_nothing_more_and_waits_for_what_is_under_way(self, db, post):
        for _ in range(20):
            delivery(person())
        post.doing[""] = lambda: time.sleep(0.3)

        kept = Sender(stop=lambda: bool(post.came)).run()

        assert statuses() == ["delivered"] * kept + ["waiting"] * (20 - kept)
        assert 1 <= kept <= transport_named("letters").senders

    def test_when_its_time_is_over_it_leaves_the_rest(self, db, post):
        for _ in range(20):
            delivery(person())
        post.doing[""] = lambda: time.sleep(0.3)

        kept = Sender(budget_seconds=0.1).run()

        assert statuses() == ["delivered"] * kept + ["waiting"] * (20 - kept)
        assert kept < 20

    def test_a_job_beside_another_of_its_worker_ends_at_once(self, ada, post):
        delivery(ada)

        with one_sender.turn():
            assert send_due() is None

        assert statuses() == ["waiting"]
        assert send_due(linger_seconds=0) is None
        assert statuses() == ["delivered"]

    def test_a_job_says_when_more_is_due(self, ada, post):
        delivery(ada, ago=-timedelta(seconds=100))

        seconds = send_due(linger_seconds=0)

        assert seconds is not None and 30 < seconds <= 100

    def test_a_worker_that_leaves_tells_its_senders(self, ada, post):
        delivery(ada)
        one_sender.tell_to_stop()
        try:
            Sender().run()
        finally:
            one_sender.forget()

        assert statuses() == ["waiting"]

    def test_a_thread_that_hangs_is_remembered_in_the_next_run(self, ada, post):
        let_go = threading.Event()
        post.doing[""] = lambda: let_go.wait(60)
        delivery(ada)
        try:
            Sender(linger_seconds=0).run()

            (left,) = sender._left_behind("letters")
            assert left.claimed.destination == (ada.pk, "")
        finally:
            let_go.set()
