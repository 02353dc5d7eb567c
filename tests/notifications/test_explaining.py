"""Why somebody was told, or was not: every decision, try and answer has a sentence."""

from datetime import time, timedelta
from uuid import uuid4

import pytest

from apps.notifications.choices.choosing import Decision
from apps.notifications.choices.explanations import of_attempt, of_change, of_delivery
from apps.notifications.events import ReminderEvent
from apps.notifications.models import Delivery, DeliveryAttempt, RemindedTask, Reminder
from apps.notifications.selectors.explaining import why, why_reminder
from apps.notifications.services import changes, inbox, preferences
from apps.notifications.services.reminders import Changes
from apps.notifications.services.telling import tell, tell_reminders
from apps.notifications.transports.base import Destination
from tests.notifications.told import NOON, Pigeon, news, only_in_app_and, triggered
from tests.support.factories import NOW, person

pytestmark = pytest.mark.django_db

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture(autouse=True)
def pigeon():
    pigeon = Pigeon()
    with only_in_app_and(pigeon):
        yield pigeon


@pytest.fixture
def reminder(ada):
    task = RemindedTask.objects.create(task_id=uuid4(), owner=ada, version=1, status="pending", priority="none")
    made = Reminder(owner=ada, task=task, origin="default", before_due="PT30M", planned_for=NOON, trigger_at=NOON)
    keep(lambda changes: changes.make(made), at=NOON - 2 * HOUR)
    return made


def keep(do, *, at):
    changes = Changes(now=at)
    do(changes)
    changes.keep()


def becomes(reminder, fact, *, at, told, **values):
    keep(lambda changes: changes.change(reminder, fact, values=values, told=told), at=at)


def told(owner, **fields):
    (one,) = tell([news(owner, **fields)], now=fields.pop("now", NOON))
    return one


def sentences(reasons):
    return [(one.what, one.reason) for one in reasons]


def prefer(owner, **wanted):
    preferences.change(owner=owner, changes=wanted, now=NOW)


class TestANotification:
    def test_tells_what_was_decided_tried_answered_and_done_in_order(self, ada):
        one = told(ada)
        delivery = Delivery.objects.get()
        answered = {"status": 503, "body": "come back later"}
        DeliveryAttempt.objects.create(
            delivery=delivery,
            number=1,
            fence=1,
            started_at=NOON + SECOND,
            finished_at=NOON + 2 * SECOND,
            outcome="retry",
            error="it answered 503",
            request={"url": "https://example.org"},
            response=answered,
        )
        Delivery.objects.update(status="delivered", attempts=2, finished_at=NOON + 9 * SECOND)
        inbox.mark_read(notification_id=one.pk, actor=ada, now=NOON + HOUR)
        one.refresh_from_db()

        reasons = why(one)

        assert sentences(reasons) == [
            ("made", "It is for 4 May at 14:00."),
            ("told", "It was put into your inbox at once."),
            ("batch", "It is sent at once, together with what comes at the same moment."),
            ("attempt_retry", "Attempt 1 failed and is made again: it answered 503"),
            ("delivery_delivered", "It was delivered by pigeon, with 2 attempts."),
            ("read", "You read it."),
        ]
        assert [one.transport for one in reasons] == ["", "in_app", "pigeon", "pigeon", "pigeon", ""]
        assert reasons[3].detail["response"] == answered
        assert reasons[2].detail["delivery"] == str(delivery.pk)

    def test_says_how_late_it_was_made(self, ada):
        assert (
            sentences(why(told(ada, late_seconds=7200.0)))[0][1] == "It is for 4 May at 14:00, and was made 2 h late."
        )

    def test_that_is_done_says_why(self, ada):
        one = told(ada)
        values = {"status": "done", "because": "completed"}
        changes.change([one], values, kind="done", now=NOON + HOUR)

        assert sentences(why(one))[-1] == ("done", "It needs nobody any more: the task was completed.")

    def test_that_was_never_told_of_anywhere_still_says_why(self, ada):
        prefer(ada, switches={"reminder": {"in_app": False, "pigeon": False}})

        assert sentences(why(told(ada)))[1:] == [
            ("off", "You have switched this off in the app in your preferences."),
            ("off", "You have switched this off by pigeon in your preferences."),
        ]

    def test_that_is_off_by_itself_does_not_say_that_somebody_switched_it_off(self, ada):
        off = [reason for what, reason in sentences(why(told(ada, kind="notice"))) if what == "off"]

        assert off == ["This is off by pigeon unless you switch it on in your preferences."]

    def test_that_joined_what_was_collecting_was_made_before_it_waits(self, ada):
        first = told(ada)
        (second,) = tell([news(ada)], now=NOON + SECOND / 2)

        assert Delivery.objects.get().created_at == first.created_at < second.created_at
        assert [what for what, _ in sentences(why(second))] == ["made", "told", "batch", "delivery_collecting"]

    def test_tells_a_success_once(self, ada):
        one = told(ada)
        delivery = Delivery.objects.get()
        DeliveryAttempt.objects.create(
            delivery=delivery, number=1, fence=1, started_at=NOON, finished_at=NOON + SECOND, outcome="delivered"
        )
        Delivery.objects.update(status="delivered", attempts=1, finished_at=NOON + SECOND)
        assert sentences(why(one))[-1] == ("attempt_delivered", "Attempt 1 was accepted: it was delivered by pigeon.")
        assert "delivery_delivered" not in dict(sentences(why(one)))

        DeliveryAttempt.objects.all().delete()

        assert sentences(why(one))[-1] == ("delivery_delivered", "It was delivered by pigeon, with 1 attempt.")


class TestEveryDecision:
    """Each is met by news of its own, and says why in its own words."""

    def met(self, ada, pigeon):
        bob, night = person("bob", time_zone="Europe/Berlin"), NOON + 10 * HOUR
        RemindedTask.objects.create(task_id=uuid4(), owner=ada, version=2, status="completed", priority="none")
        again = news(ada)
        made = [
            *tell([again, again], now=NOON),
            told(ada, task_id=RemindedTask.objects.get().pk),
            told(ada, only=frozenset({"in_app"})),
            told(ada, urgent=True),
        ]
        prefer(bob, quiet_from=time(22), quiet_until=time(7))
        made += tell([news(bob)], now=night)
        prefer(bob, switches={"reminder": {"in_app": False}})
        for places in ([], [Destination("roof", held=True)]):
            pigeon.places[bob.pk] = places
            made += tell([news(bob)], now=NOON)
        found = {}
        for one in made:
            one.refresh_from_db()
            found |= {reason.what: reason.reason for reason in why(one)}
        return found

    def test_is_kept_and_has_a_sentence(self, ada, pigeon):
        found = self.met(ada, pigeon)

        decided = {decision: found[decision] for decision in Decision}
        assert len(set(decided.values())) == len(Decision)
        assert all(sentence.endswith(".") for sentence in decided.values())

    def test_and_each_status_outcome_and_change_has_one_too(self):
        of_deliveries = {of_delivery(Delivery(status=one, transport="pigeon"), called="") for one in Delivery.Status}
        of_attempts = {
            of_attempt(DeliveryAttempt(number=1, outcome=one), transport="pigeon") for one in DeliveryAttempt.Outcome
        }
        of_changes = {
            of_change(change, because="", by_owner=by_owner)
            for change in ("read", "unread", "snoozed", "done")
            for by_owner in (True, False)
        }

        assert (len(of_deliveries), len(of_attempts), len(of_changes)) == (7, 5, 7)


class TestAReminder:
    def test_that_waits_says_until_when(self, reminder):
        assert sentences(why_reminder(reminder)) == [
            ("scheduled", "It was planned for 4 May at 14:00: 30 minutes before due, your default."),
            ("is_planned", "Its time has not come yet: it is planned for 4 May at 14:00."),
        ]

    def test_of_a_day_s_default_does_not_say_that_somebody_chose_an_instant(self, ada):
        task = RemindedTask.objects.create(task_id=uuid4(), owner=ada, version=1, status="pending", priority="none")
        made = Reminder(owner=ada, task=task, origin="default", planned_for=NOON, trigger_at=NOON)
        keep(lambda changes: changes.make(made), at=NOON - 2 * HOUR)

        assert sentences(why_reminder(made))[0] == (
            "scheduled",
            "It was planned for 4 May at 14:00: on the day it is due, your default.",
        )

    def test_tells_its_whole_way_with_what_was_told_of_it(self, ada, reminder):
        moved = {"before": "2026-05-04T12:00:00Z", "after": "2026-05-04T13:00:00Z"}
        becomes(
            reminder,
            ReminderEvent.RESCHEDULED,
            at=NOON - HOUR,
            told={**moved, "because": "task"},
            trigger_at=NOON + HOUR,
            planned_for=NOON + HOUR,
        )
        becomes(
            reminder,
            ReminderEvent.SNOOZED,
            at=NOON,
            told={**moved, "notification_id": None},
            status="snoozed",
        )
        event = triggered(ada.pk, reminder_id=reminder.pk, task_id=str(reminder.task_id))
        becomes(
            reminder,
            ReminderEvent.TRIGGERED,
            at=NOON + HOUR,
            told={name: event.data[name] for name in ("task", "number")} | {"late_seconds": 125.0},
            status="triggered",
            triggers=1,
        )
        tell_reminders([event], now=NOON + HOUR + SECOND)
        reminder.refresh_from_db()

        reasons = sentences(why_reminder(reminder))

        assert reasons[:4] == [
            ("scheduled", "It was planned for 4 May at 14:00: 30 minutes before due, your default."),
            ("rescheduled", "It was moved from 4 May at 14:00 to 4 May at 15:00, because the task was changed."),
            ("snoozed", "It was put off from 4 May at 14:00 to 4 May at 15:00."),
            ("triggered", "Its time came, and it was triggered 2 min late."),
        ]
        assert "delivered" not in dict(reasons)
        assert ("told", "It was put into your inbox at once.") in reasons
        assert reasons[-1] == ("is_delivered", "It has reached you.")

    @pytest.mark.parametrize("because", [one for one in Reminder.Because if one != Reminder.Because.TOO_LATE])
    def test_that_was_cancelled_says_why(self, reminder, because):
        told = {"because": str(because)}
        becomes(reminder, ReminderEvent.CANCELLED, at=NOON, told=told, status="cancelled", because=because)

        assert sentences(why_reminder(reminder))[1:] == [
            ("cancelled", f"It was cancelled, because {because.label}."),
            ("is_cancelled", f"It is cancelled: {because.label}."),
        ]

    def test_that_came_too_late_says_how_late_and_what_is_too_late(self, reminder):
        told = {"late_seconds": 30 * 3600.0, "limit_seconds": 86400.0}
        becomes(reminder, ReminderEvent.STALE, at=NOON, told=told, status="stale", because="too_late")

        assert sentences(why_reminder(reminder))[1:] == [
            ("stale", "It was 30 h late, and you want to be told up to 1 day late."),
            ("is_stale", "It was not told: it was later than its owner wants to be told."),
        ]

    def test_that_could_not_be_delivered_says_what_was_answered(self, reminder):
        told = {"transport": "pigeon", "delivery_id": None, "attempts": 8, "error": "no such roof"}
        told["notification_id"] = str(uuid4())
        becomes(reminder, ReminderEvent.FAILED, at=NOON, told=told, status="failed")

        assert sentences(why_reminder(reminder))[1:] == [
            ("failed", "It could not be delivered by pigeon: no such roof"),
            ("is_failed", "All that was tried has failed."),
        ]
