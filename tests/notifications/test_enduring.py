"""How long what cannot be sent is tried, and what ends sooner."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from apps.notifications.models import Delivery
from apps.notifications.sending import backing_off
from apps.notifications.sending.fairness import Room
from apps.notifications.services import sending
from apps.notifications.transports import transport_named
from tests.notifications.given import database_instant, delivery
from tests.support.factories import person

ALL = Room(all=100, risky=100, person=100)
DOCS = Path(settings.BASE_DIR) / "docs"


def hours(name, *, first=5):
    transport = transport_named(name)
    return backing_off.mean_seconds(transport.most_attempts, first=first) / 3600


def test_mails_outlast_a_server_that_is_away_for_a_day():
    assert hours("email") == pytest.approx(25.2, abs=0.1)


def test_pushes_and_webhooks_are_tried_for_hours():
    assert [hours(name) for name in ("push", "webhook")] == pytest.approx([5.2, 10.2], abs=0.1)


def test_eight_attempts_last_minutes():
    """The negative control: what was thought to last for hours."""
    assert backing_off.mean_seconds(8, first=5) == pytest.approx(317.5)


@pytest.mark.parametrize(
    ("page", "name", "told"),
    [
        (
            "operations.md",
            "email",
            "60 times, each pause about twice the last and up to an hour, which lasts about {} hours",
        ),
        ("operations.md", "push", "pushes 20 times, about {} hours"),
        ("operations.md", "webhook", "webhooks 30 times, about {} hours"),
        ("webhooks.md", "webhook", "30 attempts in all, further and further apart up to an hour, over about {} hours"),
    ],
)
def test_the_docs_say_how_long(page, name, told):
    text = " ".join((DOCS / page).read_text().split())

    assert told.format(round(hours(name))) in text
    assert str(transport_named(name).most_attempts) in told


@pytest.mark.django_db
def test_what_kills_its_senders_is_given_up_long_before(post, monkeypatch):
    monkeypatch.setattr(transport_named("letters"), "most_attempts", 60)
    row = delivery(person("ada"))

    deaths = [_die_of(row) for _ in range(sending.MOST_DEATHS)]

    assert [one.status for one in deaths] == ["waiting"] * (sending.MOST_DEATHS - 1) + ["failed"]
    assert deaths[-1].error == sending.DIED


def _die_of(row):
    now = database_instant()
    Delivery.objects.filter(pk=row.pk).update(send_at=now - timedelta(seconds=1))
    transport = transport_named("letters")
    sending.claim(transport=transport, room=ALL) or sending.claim(transport=transport, room=ALL, deadly=True)
    Delivery.objects.filter(pk=row.pk).update(lease_until=now - timedelta(seconds=1))
    sending.bury(transport)
    return Delivery.objects.get(pk=row.pk)
