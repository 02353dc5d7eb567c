"""A delivery from its claim to its outcome, one attempt after another."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from apps.notifications.models import Delivery, DeliveryAttempt, DeliveryItem
from apps.notifications.sending.fairness import Room
from apps.notifications.sending.sender import Sender
from apps.notifications.services import claiming, sending
from apps.notifications.services.sending import Finished
from apps.notifications.transports import transport_named
from apps.notifications.transports.base import Receipt, Refused, TryAgain, Unreachable
from apps.tasks import services as tasks
from tests.events.concurrency import at_once, in_background
from tests.notifications.given import database_instant, delivery, notification
from tests.support.factories import NOW, person, task_of

pytestmark = pytest.mark.timeout(120)

ALL = Room(all=100, risky=100, person=100)


@pytest.fixture
def ada(db):
    return person("ada")


def run():
    return Sender(linger_seconds=0).run()


def make_due():
    Delivery.objects.filter(status="waiting").update(send_at=database_instant() - timedelta(seconds=1))


def lose_the_lease(row):
    Delivery.objects.filter(pk=row.pk).update(lease_until=database_instant() - timedelta(seconds=1))


def claim(**which):
    return sending.claim(transport=transport_named("letters"), room=ALL, **which)


def raising(reason):
    def act():
        raise reason

    return act


def state(row):
    row.refresh_from_db()
    return row.status, row.attempts, row.error


def outcomes(row):
    return list(row.tries.order_by("number").values_list("number", "outcome", "error"))


class TestAnAttempt:
    def test_a_delivery_that_is_due_is_sent_and_kept_with_its_answer(self, ada, post):
        row = delivery(ada, notification(ada, title="Buy milk"))

        assert run() == 1

        row.refresh_from_db()
        attempt = row.tries.get()
        assert (row.status, row.attempts, row.error, row.lease_until) == ("delivered", 1, "", None)
        assert (attempt.number, attempt.outcome, attempt.error) == (1, "delivered", "")
        assert (attempt.request, attempt.response) == ({"to": "", "authorization": "(hidden)"}, {"said": "thanks"})
        assert row.finished_at == attempt.finished_at > attempt.started_at
        assert [(key, number, content) for _, _, key, number, content in post.came] == [
            (row.pk, 1, {"dear": "ada", "titles": ["Buy milk"]})
        ]
        assert post.settled == [("", "Receipt")]

    def test_one_whose_time_has_not_come_waits(self, ada, post):
        row = delivery(ada, ago=-timedelta(minutes=1))

        assert run() == 0

        assert state(row) == ("waiting", 0, "")
        assert post.came == []

    def test_one_that_comes_within_a_moment_is_waited_for(self, ada, post):
        row = delivery(ada, ago=-timedelta(milliseconds=500), status="collecting")

        assert Sender(linger_seconds=2).run() == 1

        assert state(row) == ("delivered", 1, "")

    def test_a_run_on_an_empty_table_ends_at_once(self, ada, post):
        assert Sender().run() == 0

    def test_what_may_work_later_is_tried_again_with_the_same_content_and_key(self, ada, post):
        post.doing[""] = raising(TryAgain("The box is full.", response={"status": 503}))
        row = delivery(ada)
        run()
        assert state(row) == ("waiting", 1, "The box is full.")

        post.doing.clear()
        make_due()
        run()

        assert state(row) == ("delivered", 2, "")
        assert outcomes(row) == [(1, "retry", "The box is full."), (2, "delivered", "")]
        assert post.composed == [row.pk]
        assert [(key, number, content) for _, _, key, number, content in post.came] == [
            (row.pk, 1, row.content),
            (row.pk, 2, row.content),
        ]
        assert post.settled == [("", "TryAgain"), ("", "Receipt")]

    def test_the_pause_lies_within_its_limit_and_honours_what_the_receiver_asks_for(self, ada, post, settings):
        settings.DELIVERY_BACKOFF_SECONDS = 5
        post.doing[""] = raising(TryAgain("Later.", after_seconds=300))
        row = delivery(ada)

        run()

        row.refresh_from_db()
        began = row.tries.get().finished_at
        assert row.send_at - began == timedelta(seconds=300)

    def test_what_is_refused_is_over(self, ada, post):
        post.doing[""] = raising(Refused("Moved away.", response={"status": 404}))
        row = delivery(ada)

        run()

        assert state(row) == ("failed", 1, "Moved away.")
        assert outcomes(row) == [(1, "refused", "Moved away.")]
        assert row.tries.get().response == {"status": 404}
        assert row.finished_at is not None

    def test_after_the_last_attempt_it_has_failed(self, ada, post):
        post.doing[""] = raising(TryAgain("No."))
        row = delivery(ada)

        for _ in range(5):
            run()
            make_due()

        assert state(row) == ("failed", 3, "No.")
        assert [outcome for _, outcome, _ in outcomes(row)] == ["retry"] * 3
        assert len(post.came) == 3

    def test_an_error_nobody_foresaw_is_tried_again(self, ada, post):
        post.doing[""] = raising(ZeroDivisionError("by\x00zero"))
        row = delivery(ada)

        run()

        assert state(row) == ("waiting", 1, "ZeroDivisionError: by\N{REPLACEMENT CHARACTER}zero")

    def test_an_error_in_composing_is_one_attempt_and_holds_up_no_other(self, ada, post, monkeypatch):
        bob = person("bob")
        rows = [delivery(ada), delivery(bob)]
        transport = transport_named("letters")
        compose = transport.compose

        def fails_for_ada(row, **more):
            return compose(row, **more) if row.owner_id != ada.pk else 1 / 0

        monkeypatch.setattr(transport, "compose", fails_for_ada)

        run()

        assert [state(row)[:2] for row in rows] == [("waiting", 1), ("delivered", 1)]

    def test_who_cannot_be_reached_any_more_is_not_tried_again(self, ada, post, monkeypatch):
        monkeypatch.setattr(transport_named("letters"), "reach", lambda *_, **__: raising(Unreachable("No box."))())
        row = delivery(ada)

        run()

        assert state(row) == ("failed", 1, "No box.")
        assert outcomes(row) == [(1, "refused", "No box.")]
        assert post.came == []

    def test_a_thread_that_hangs_is_told_off_and_left_behind(self, ada, post):
        let_go = threading.Event()
        post.doing[""] = lambda: let_go.wait(60)
        row = delivery(ada)

        try:
            run()

            assert state(row) == ("waiting", 1, "No answer within 1 s.")
            assert outcomes(row) == [(1, "retry", "No answer within 1 s.")]
            # It holds its destination, so that nothing else comes to it meanwhile.
            make_due()
            assert run() == 0
            assert len(post.came) == 1
        finally:
            let_go.set()

    def test_what_the_thread_says_after_that_changes_nothing(self, ada, post):
        let_go, gone = threading.Event(), threading.Event()

        def late():
            let_go.wait(60)
            gone.set()

        post.doing[""] = late
        row = delivery(ada)
        run()
        let_go.set()
        gone.wait(60)

        post.doing.clear()
        make_due()
        assert Sender(linger_seconds=5).run() == 1
        assert state(row) == ("delivered", 2, "")

    def test_an_error_in_the_books_of_a_destination_undoes_no_delivery(self, ada, post, monkeypatch):
        monkeypatch.setattr(transport_named("letters"), "settled", lambda *_, **__: 1 / 0)
        row = delivery(ada)

        run()

        assert state(row) == ("delivered", 1, "")


class TestWorthTelling:
    @pytest.mark.parametrize("status", ["read", "snoozed", "done"])
    def test_what_was_seen_elsewhere_is_dropped_and_says_why(self, ada, post, status):
        row = delivery(ada, notification(ada, status=status))

        assert run() == 0

        row.refresh_from_db()
        assert (row.status, row.because, row.attempts) == ("dropped", status, 0)
        assert row.finished_at is not None
        assert (post.came, row.tries.count()) == ([], 0)

    @pytest.mark.parametrize(("close", "because"), [(tasks.complete_task, "completed"), (tasks.delete_task, "deleted")])
    def test_what_is_of_a_task_that_is_not_open_is_dropped(self, ada, post, close, because):
        task = task_of(ada)
        row = delivery(ada, notification(ada, task_id=task.pk))
        close(task_id=task.pk, actor=ada, now=NOW)

        assert run() == 0

        row.refresh_from_db()
        assert (row.status, row.because) == ("dropped", because)

    def test_what_is_of_an_open_task_or_of_one_that_nobody_knows_goes_out(self, ada, post):
        row = delivery(ada, notification(ada, task_id=task_of(ada).pk), notification(ada, task_id=uuid4()))

        assert run() == 1

        assert state(row) == ("delivered", 1, "")

    def test_what_still_matters_goes_out_without_the_rest(self, ada, post):
        seen = notification(ada, title="Seen", status="read")
        first, second = (notification(ada, title=title, about_at=NOW) for title in ("First", "Second"))
        row = delivery(ada, seen, first, second)

        run()

        row.refresh_from_db()
        assert row.content["titles"] == ["First", "Second"]

    def test_nothing_left_for_different_reasons_is_settled(self, ada, post):
        row = delivery(ada, notification(ada, status="read"), notification(ada, status="done"))

        run()

        row.refresh_from_db()
        assert (row.status, row.because) == ("dropped", "settled")

    def test_what_is_read_between_two_attempts_is_not_tried_again(self, ada, post):
        post.doing[""] = raising(TryAgain("No."))
        row = delivery(ada)
        run()
        other = notification(ada, status="read")
        DeliveryItem.objects.filter(delivery=row).update(notification=other)

        make_due()
        run()

        row.refresh_from_db()
        assert (row.status, row.because, row.attempts) == ("dropped", "read", 1)

    def test_a_test_and_a_redelivery_go_out_whatever_was_seen(self, ada, post):
        seen = notification(ada, status="read")
        first = delivery(ada, seen, status="delivered", content={"x": 1}, finished_at=NOW)
        again = delivery(ada, seen, redelivery_of=first, content={"x": 1})
        test = Delivery.objects.create(
            owner=ada, transport="letters", destination="a", kind="test", status="waiting", send_at=NOW, created_at=NOW
        )

        assert run() == 2

        assert [state(row)[0] for row in (again, test)] == ["delivered", "delivered"]
        assert {key for _, _, key, _, _ in post.came} == {first.pk, test.pk}

    def test_of_who_is_put_out_it_waits(self, ada, post):
        ada.is_active = False
        ada.save()
        row = delivery(ada)

        assert run() == 0
        assert state(row) == ("waiting", 0, "")

        ada.is_active = True
        ada.save()
        assert run() == 1


class TestLeases:
    def test_a_claim_counts_before_anything_is_tried(self, ada, post):
        row = delivery(ada, status="collecting")

        (claimed,) = claim()

        row.refresh_from_db()
        assert (row.status, row.attempts, row.fence, claimed.delivery.fence) == ("sending", 1, 1, 1)
        assert row.lease_until - row.tries.get().started_at == timedelta(seconds=1 + 15)
        assert outcomes(row) == [(1, "started", "")]
        assert claim() == []

    def test_a_lease_that_ran_out_is_an_attempt_that_died_and_is_tried_again_with_the_same_key(self, ada, post):
        row = delivery(ada)
        claim()
        lose_the_lease(row)

        run()
        assert state(row) == ("waiting", 1, sending.DIED)
        make_due()
        run()

        assert state(row) == ("delivered", 2, "")
        assert outcomes(row) == [(1, "died", sending.DIED), (2, "delivered", "")]
        assert post.keys() == [row.pk]
        assert post.settled == [("", "Receipt")]

    def test_a_lease_that_holds_is_let_alone(self, ada, post):
        row = delivery(ada)
        claim()

        assert run() == 0
        assert state(row) == ("sending", 1, "")

    def test_what_kills_its_sender_each_time_ends_as_failed(self, ada, post):
        row = delivery(ada)

        for deadly in (False, False, True):
            assert len(claim(deadly=deadly)) == 1
            lose_the_lease(row)
            sending.bury(transport_named("letters"))
            make_due()

        assert state(row) == ("failed", 3, sending.DIED)
        assert claim() == claim(deadly=True) == []
        assert [outcome for _, outcome, _ in outcomes(row)] == ["died"] * 3

    def test_who_comes_after_their_lease_changes_nothing(self, ada, post):
        row = delivery(ada)
        (old,) = claim()
        lose_the_lease(row)
        sending.bury(transport_named("letters"))
        make_due()
        claim()
        before = (state(row), outcomes(row), list(post.settled))

        assert sending.finish([Finished(old, Receipt(), 0.1)]) == []

        assert (state(row), outcomes(row), list(post.settled)) == before

    def test_without_the_fence_it_would(self, ada, post, monkeypatch):
        """The negative control."""
        row = delivery(ada)
        (old,) = claim()
        lose_the_lease(row)
        sending.bury(transport_named("letters"))
        make_due()
        (new,) = claim()
        old.delivery.fence = new.delivery.fence

        assert sending.finish([Finished(old, Receipt(), 0.1)]) == [row.pk]

        assert state(row) == ("delivered", 2, "")

    def test_who_lost_their_claim_composes_nothing(self, ada, post):
        row = delivery(ada)
        (old,) = claim()
        lose_the_lease(row)
        sending.bury(transport_named("letters"))

        ((_, reason),) = sending.prepare([old])

        assert isinstance(reason, sending.Died)
        row.refresh_from_db()
        assert row.content is None


class TestTogether:
    @pytest.mark.django_db(transaction=True)
    def test_of_many_who_claim_at_once_each_delivery_has_one(self, post):
        people = [person() for _ in range(20)]
        rows = [delivery(owner) for owner in people]

        for _ in range(5):
            at_once(*[claim] * 4)

        assert set(Delivery.objects.values_list("status", "fence", "attempts")) == {("sending", 1, 1)}
        assert DeliveryAttempt.objects.count() == len(rows)

    @pytest.mark.django_db(transaction=True)
    def test_of_one_destination_one_delivery_is_under_way_in_all_processes(self, post):
        assert [len(one) for one in claims_that_cross()] == [1, 0]

    @pytest.mark.django_db(transaction=True)
    def test_without_the_turn_there_are_several(self, post, monkeypatch):
        """The negative control."""
        monkeypatch.setattr(claiming, "_took_turn", lambda transport: True)

        assert [len(one) for one in claims_that_cross()] == [1, 1]


def claims_that_cross():
    """Of two processes: while the first has not committed its claim, an older one comes for the same destination."""
    ada = person()
    delivery(ada, destination="box")
    with transaction.atomic():
        first = claim()

        def second():
            delivery(ada, destination="box", ago=timedelta(minutes=5))
            return claim()

        with in_background(second) as found:
            return [first, found.result(30)]
