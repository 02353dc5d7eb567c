"""The daily digest: at its hour, once a day, with what is left and what is due."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction

from apps.accounts.models import User
from apps.calendar import zones
from apps.calendar.zones import UnknownTimeZone
from apps.notifications.choices.quiet import next_digest
from apps.notifications.models import Delivery, Notification, Preferences
from apps.notifications.selectors.clock import database_now
from apps.notifications.services import each_apart, preferences
from apps.notifications.services.digests import send_digests
from apps.tasks import services as tasks
from tests.events.concurrency import at_once
from tests.notifications.told import Pigeon, only_in_app_and
from tests.support.factories import person

pytestmark = pytest.mark.django_db

BERLIN = zones.zone("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture(autouse=True)
def _pigeon():
    with only_in_app_and(Pigeon()):
        yield


@pytest.fixture
def now():
    return database_now()


@pytest.fixture
def today(now):
    return zones.local_date(now, BERLIN)


def wanted_at(owner, at, *, now):
    """The digest is due since the instant `at`."""
    wall = at.astimezone(BERLIN).time().replace(microsecond=0)
    preferences.change(owner=owner, changes={"digest_at": wall}, now=now)
    Preferences.objects.filter(pk=owner.pk).update(next_digest_at=at)
    return wall


def due(owner, on, *, title="Buy milk", **fields):
    return tasks.create_task(owner=owner, actor=owner, title=title, due_on=on, now=database_now(), **fields)


class TestDigest:
    def test_tells_what_is_left_and_what_is_due_by_what_is_switched_on(self, ada, now, today):
        due(ada, today - DAY, title="Call Bob")
        due(ada, today, priority="high")
        due(ada, today + DAY, title="Not yet")
        wanted_at(ada, now, now=now)

        assert send_digests() == 1

        digest = Notification.objects.get()
        assert (digest.kind, digest.once) == ("digest", f"digest/{ada.pk}/{today.isoformat()}")
        assert digest.title == "1 task overdue, 1 due today"
        assert digest.text == "Overdue:\n- Call Bob (was due yesterday)\nDue today:\n- Buy milk (due today)"
        assert [task["title"] for task in digest.data["overdue"]] == ["Call Bob"]
        assert [(task["title"], task["priority"]) for task in digest.data["today"]] == [("Buy milk", "high")]
        assert (digest.in_inbox, Delivery.objects.get().transport) == (False, "pigeon")

    def test_what_passed_earlier_that_day_is_overdue_everywhere(self, ada, monkeypatch):
        nine = datetime(2026, 5, 4, 7, 0, tzinfo=UTC)
        monkeypatch.setattr("apps.notifications.services.digests.database_now", lambda: nine)
        for title, due_at in (("Passed", nine - HOUR), ("Coming", nine + HOUR)):
            tasks.create_task(owner=ada, actor=ada, title=title, due_at=due_at, now=nine - DAY)
        wanted_at(ada, nine, now=nine - DAY)

        send_digests()

        digest = Notification.objects.get()
        assert digest.title == "1 task overdue, 1 due today"
        assert digest.text == ("Overdue:\n- Passed (was due today at 08:00)\nDue today:\n- Coming (due today at 10:00)")

    def test_moves_on_to_the_next_day(self, ada, now, today):
        due(ada, today)
        wall = wanted_at(ada, now, now=now)

        send_digests()

        assert Preferences.objects.get().next_digest_at == next_digest(wall, after=now, zone=BERLIN)
        assert send_digests() == 0

    def test_one_that_cannot_be_made_holds_up_nobody_and_is_put_off(self, ada, now, today):
        bob = person("bob", time_zone="Europe/Berlin")
        for owner, at in ((bob, now - HOUR / 60), (ada, now)):
            due(owner, today)
            wanted_at(owner, at, now=now)
        User.objects.filter(pk=bob.pk).update(time_zone="Mars/Olympus")

        assert (send_digests(), send_digests()) == (2, 0)

        assert Notification.objects.get().owner_id == ada.pk
        assert Preferences.objects.get(owner=bob).next_digest_at > now + HOUR * 0.9

    def test_one_that_cannot_be_told_holds_up_nobody(self, ada, now, today, monkeypatch):
        bob = person("bob", time_zone="Europe/Berlin")
        for owner in (bob, ada):
            due(owner, today)
            wanted_at(owner, now, now=now)
        tell = each_apart.tell

        def fails_for_bob(news, **more):
            assert bob.pk not in [one.owner_id for one in news], "what cannot be told"
            return tell(news, **more)

        monkeypatch.setattr(each_apart, "tell", fails_for_bob)

        assert (send_digests(), send_digests()) == (2, 0)
        assert Notification.objects.get().owner_id == ada.pk

    def test_without_savepoints_it_would(self, ada, now, today, monkeypatch):
        """The negative control."""
        due(ada, today)
        wanted_at(ada, now, now=now)
        bob = person("bob", time_zone="Europe/Berlin")
        wanted_at(bob, now - HOUR / 60, now=now)
        User.objects.filter(pk=bob.pk).update(time_zone="Mars/Olympus")
        monkeypatch.setattr(each_apart, "each", lambda them, act, **_: [(one, act(one)) for one in them])

        with pytest.raises(UnknownTimeZone):
            send_digests()

        assert not Notification.objects.exists()

    def test_of_a_date_there_is_one_also_when_its_hour_is_moved(self, ada, now, today):
        due(ada, today)
        wanted_at(ada, now, now=now)
        send_digests()
        Preferences.objects.update(next_digest_at=now)

        assert send_digests() == 1
        assert Notification.objects.count() == 1

    def test_without_anything_due_there_is_none_and_the_next_day_comes(self, ada, now, today):
        due(ada, today + DAY)
        wanted_at(ada, now, now=now)

        assert send_digests() == 1
        assert not Notification.objects.exists()
        assert Preferences.objects.get().next_digest_at > now

    def test_after_days_of_downtime_there_is_one(self, ada, now, today):
        due(ada, today - 3 * DAY)
        wanted_at(ada, now, now=now)
        Preferences.objects.update(next_digest_at=now - 3 * DAY)

        assert send_digests() == 1
        assert Notification.objects.get().once.endswith(today.isoformat())

    def test_who_wants_it_by_nothing_gets_none(self, ada, now, today):
        due(ada, today)
        wanted_at(ada, now, now=now)
        preferences.change(owner=ada, changes={"switches": {"digest": {"pigeon": False}}}, now=now)

        assert send_digests() == 1
        assert not Notification.objects.exists()

    def test_nobody_is_told_before_their_hour_and_nobody_who_may_not_come_in(self, ada, now, today):
        due(ada, today)
        wanted_at(ada, now, now=now)
        Preferences.objects.update(next_digest_at=now + HOUR)
        bob = person("bob", time_zone="Europe/Berlin", is_active=False)
        wanted_at(bob, now, now=now)

        assert send_digests() == 0

    def test_more_than_fit_are_counted(self, ada, now, today, monkeypatch):
        monkeypatch.setattr("apps.notifications.services.digests.MOST_TASKS", 1)
        for number in range(3):
            due(ada, today, title=f"{number} " + "x" * 400)
        wanted_at(ada, now, now=now)

        send_digests()

        digest = Notification.objects.get()
        assert (digest.title, digest.data["today_total"], len(digest.data["today"])) == ("3 tasks due today", 3, 1)
        assert digest.text.endswith("x… (due today)\nAnd 2 more.")

    def test_is_kept_with_the_move_to_the_next_day(self, ada, now, today):
        due(ada, today)
        wanted_at(ada, now, now=now)

        with transaction.atomic():
            send_digests()
            transaction.set_rollback(True)

        assert (Notification.objects.count(), Preferences.objects.get().next_digest_at) == (0, now)


class TestADayThatIsOver:
    """The last digest was due before midnight, and nobody was there."""

    @pytest.mark.parametrize(("late", "told"), [(timedelta(minutes=59), True), (timedelta(minutes=61), False)])
    def test_gets_one_only_just_after_it(self, ada, now, late, told, monkeypatch):
        morning = datetime(2026, 5, 4, 22, 30, tzinfo=UTC)
        monkeypatch.setattr("apps.notifications.services.digests.database_now", lambda: morning)
        due(ada, date(2026, 5, 4))
        wanted_at(ada, morning - late, now=morning - 2 * DAY)

        send_digests()

        assert Notification.objects.filter(once__endswith="2026-05-04").exists() == told
        assert Notification.objects.count() == told
        assert Preferences.objects.get().next_digest_at == morning - late + DAY


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_tell_it_once(ada, now, today):
    due(ada, today)
    wanted_at(ada, now, now=now)

    looked_at = at_once(send_digests, send_digests, send_digests)

    assert (sum(looked_at), Notification.objects.count()) == (1, 1)
