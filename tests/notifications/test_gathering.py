"""What falls together goes out together, nothing is lost and nothing early, whoever tells and sends at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.events.models import Event
from apps.notifications.choices.quiet import QuietHours
from apps.notifications.models import Delivery, DeliveryItem, Notification
from apps.notifications.services import gathering, preferences, telling
from apps.notifications.services.telling import tell
from tests.events.concurrency import at_once, waits_for_a_lock, with_own_connection
from tests.notifications.told import NOON, Pigeon, claimed, news, only_in_app_and
from tests.support.factories import NOW, person

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
EVENING = datetime(2026, 5, 4, 19, 30, tzinfo=UTC)
NIGHT, BERLIN = QuietHours(time(22), time(7)), ZoneInfo("Europe/Berlin")

gaps = st.sampled_from([0, 0.3, 0.999, 1, 1.5, 20, 59, 60, 61, 600, 1799, 9 * 3600]).map(lambda s: timedelta(seconds=s))
# After a while somebody is told so many things, urgent or not, and the sender comes round or not.
steps = st.lists(st.tuples(gaps, st.integers(0, 3), st.booleans(), st.booleans()), min_size=1, max_size=8)


@pytest.fixture(autouse=True)
def _pigeon():
    with only_in_app_and(Pigeon()):
        yield


def lived(taken):
    """Somebody's evening and night; per notification when it was told, with whom, and what it went out in."""
    owner, now, told = person(time_zone="Europe/Berlin"), EVENING, {}
    preferences.change(owner=owner, changes={"quiet_from": time(22), "quiet_until": time(7)}, now=NOW)
    for step, (gap, count, urgent, sends) in enumerate(taken):
        now += gap
        for one in tell([news(owner, urgent=urgent) for _ in range(count)], now=now):
            told[one.pk] = (now, step)
        if sends:
            claimed(now)
    claimed(now + timedelta(days=2))
    return owner, told


def check(owner, told):
    items = list(DeliveryItem.objects.filter(delivery__owner=owner).select_related("delivery", "notification"))
    went = {item.notification_id: item.delivery for item in items}
    assert len(items) == len(went) == len(told)
    assert {one.status for one in went.values()} <= {"delivered"}
    for item in items:
        at, step = told[item.notification_id]
        if item.notification.urgent:
            assert item.delivery.send_at == at
        elif until := NIGHT.end(at, zone=BERLIN):
            assert (item.delivery.send_at, item.delivery.held_quiet) == (until, True)
        else:
            assert item.delivery.send_at <= at + 61 * SECOND
        together = {went[pk].pk for pk, (_, other) in told.items() if other == step}
        assert item.notification.urgent or together == {item.delivery.pk}
    batches = Delivery.objects.filter(owner=owner, urgent=False, held_quiet=False).order_by("send_at")
    assert all(later - earlier >= MINUTE for earlier, later in pairwise(one.send_at for one in batches))


@pytest.mark.django_db
class TestWhateverComes:
    @pytest.mark.timeout(300)
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(taken=steps)
    def test_nothing_is_lost_or_early_and_what_falls_together_goes_together(self, taken):
        owner, told = lived(taken)

        check(owner, told)

    def test_without_looking_at_what_was_sent_two_go_out_in_one_minute(self, monkeypatch):
        monkeypatch.setattr(telling, "last_sent", lambda *_, **__: {})
        taken = [(SECOND, 1, False, False), (2 * SECOND, 0, False, True), (SECOND, 1, False, False)]

        owner, told = lived(taken)

        with pytest.raises(AssertionError):
            check(owner, told)


def told_while_claimed(ada):
    """Somebody has taken what collects and has not committed yet, when there is more news; what was taken."""
    tell([news(ada)], now=NOON)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            taken = Delivery.objects.select_for_update().get(status="collecting")
            Delivery.objects.filter(pk=taken.pk).update(status="sending")
            late = pool.submit(with_own_connection(lambda: tell([news(ada)], now=NOON)))
            # From outside: a transaction goes on seeing who waited when it first looked.
            (waited,) = at_once(waits_for_a_lock)
            assert waited
        late.result(30)
    return taken


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(180)
class TestAtTheSameInstant:
    def test_the_same_news_told_by_several_is_told_once(self):
        one = news(person("ada"))

        told = at_once(*[lambda: tell([one], now=NOON)] * 4)

        assert sorted(map(len, told)) == [0, 0, 0, 1]
        assert (Notification.objects.count(), DeliveryItem.objects.count()) == (1, 1)
        assert Event.objects.filter(type="notification.created.v1").count() == 1

    def test_what_several_tell_one_person_is_one_delivery(self):
        ada = person("ada")

        at_once(*[lambda: tell([news(ada), news(ada)], now=NOON)] * 4)

        assert (Delivery.objects.count(), DeliveryItem.objects.count()) == (1, 8)

    def test_what_several_tell_the_same_people_waits_for_nobody_in_a_circle(self):
        people = [person(name) for name in ("ada", "bob", "eve")]

        at_once(
            *[lambda: tell([news(one) for one in people], now=NOON)] * 3,
            *[lambda: tell([news(one) for one in reversed(people)], now=NOON)] * 3,
        )

        assert (Delivery.objects.count(), DeliveryItem.objects.count()) == (3, 18)

    def test_nothing_joins_what_is_just_being_claimed(self):
        taken = told_while_claimed(person("ada"))

        assert taken.items.count() == 1
        assert Delivery.objects.get(status="collecting").items.count() == 1

    def test_without_the_lock_it_is_lost_in_what_was_claimed(self, monkeypatch):
        monkeypatch.setattr(gathering, "_locked", lambda rows: rows)
        taken = told_while_claimed(person("ada"))

        assert taken.items.count() == 2
