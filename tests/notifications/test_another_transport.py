"""A transport is one module in a folder: `more_transports/letters.py` is all there is of this one, and it works."""

from datetime import UTC, datetime
from importlib import import_module
from uuid import uuid4

import pytest

from apps.notifications import transports
from apps.notifications.choices import switches
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery
from apps.notifications.sending.sender import Sender
from apps.notifications.services import preferences, telling
from apps.notifications.services.news import News
from apps.notifications.transports.base import Destination, TryAgain
from tests.support.factories import person

pytestmark = pytest.mark.timeout(120)

BOX = str(uuid4())


@pytest.fixture
def ada(db):
    return person("ada")


def told(owner, **more):
    """A reminder that was told just now."""
    now = datetime.now(UTC)
    news = News(
        owner_id=owner.pk,
        kind=Kind.REMINDER,
        once=f"test/{uuid4()}",
        title="Buy milk",
        text="",
        about_at=now,
        only=frozenset({"letters"}),
        **more,
    )
    (notification,) = telling.tell([news], now=now)
    notification.refresh_from_db()
    return notification


def reasons(notification):
    return [
        (choice["decision"], choice["reason"]) for choice in notification.choices if choice["transport"] == "letters"
    ]


def test_without_its_module_nobody_knows_it():
    assert "letters" not in transports.transports()
    with pytest.raises(LookupError, match="letters"):
        transports.transport_named("letters")


def test_preferences_know_it(ada, post):
    assert {kind: row["letters"] for kind, row in switches.table({}).items()} == {
        "reminder": True,
        "overdue": True,
        "digest": False,
        "notice": False,
    }

    changed = preferences.change(owner=ada, changes={"switches": {"digest": {"letters": True}}}, now=datetime.now(UTC))

    assert changed.switches == {"digest": {"letters": True}}


def test_what_is_told_goes_out_by_it(ada, post):
    notification = told(ada, urgent=True)

    assert Sender().run() == 1

    row = Delivery.objects.get(transport="letters")
    assert (row.status, list(row.notifications.all())) == ("delivered", [notification])
    assert [content for *_, content in post.came] == [{"dear": "ada", "titles": ["Buy milk"]}]


def test_what_falls_together_goes_out_as_one(ada, post):
    told(ada)
    told(ada)

    assert Sender(linger_seconds=3).run() == 1

    assert [content["titles"] for *_, content in post.came] == [["Buy milk", "Buy milk"]]


def test_who_has_switched_it_off_gets_none_and_is_told_why(ada, post):
    preferences.change(owner=ada, changes={"switches": {"reminder": {"letters": False}}}, now=datetime.now(UTC))

    notification = told(ada)

    ((decision, reason),) = reasons(notification)
    assert (decision, "switched this off" in reason) == ("off", True)
    assert Delivery.objects.count() == 0


def test_who_cannot_be_reached_by_it_is_told_in_its_words(ada, post):
    post.addresses = []

    notification = told(ada)

    ((decision, reason),) = reasons(notification)
    assert (decision, reason) == ("nowhere", "You have no letter box.")


def test_a_failure_of_it_is_kept_and_tried_again(ada, post):
    def full():
        raise TryAgain("The box is full.")

    post.addresses = [Destination(BOX)]
    post.doing[BOX] = full
    told(ada, urgent=True)

    Sender().run()

    row = Delivery.objects.get(transport="letters")
    assert (row.destination, row.status, row.error) == (BOX, "waiting", "The box is full.")


def test_what_is_for_a_destination_that_is_off_is_held(ada, post):
    post.addresses = [Destination(BOX, held=True)]
    told(ada, urgent=True)

    assert Sender(linger_seconds=0).run() == 0

    assert Delivery.objects.get(transport="letters").status == "held"


@pytest.mark.parametrize("seconds", [0, -1, 21])
def test_one_that_asks_for_more_time_than_a_job_has_is_refused(more_transports, monkeypatch, seconds):
    letters = import_module("apps.notifications.transports.letters")
    monkeypatch.setattr(letters.Letters, "seconds", seconds)
    transports.transports.cache_clear()

    with pytest.raises(ValueError, match=f"An attempt of letters may take 20 s, not {seconds}"):
        transports.transports()
