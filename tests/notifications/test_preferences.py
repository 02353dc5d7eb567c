"""How people want to be told: what can be asked for, and what follows from a change."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest

from apps.notifications.choices import switches
from apps.notifications.exceptions import InvalidPreferences
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, Preferences
from apps.notifications.services import preferences as service
from apps.notifications.transports import transport_named
from apps.tasks.exceptions import StaleVersion
from tests.support.factories import person

pytestmark = pytest.mark.django_db

EVENING = datetime(2026, 5, 4, 21, 0, tzinfo=UTC)  # 23:00 in Berlin
SEVEN = datetime(2026, 5, 5, 5, 0, tzinfo=UTC)


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/Berlin")


def change(owner, now=EVENING, expected_version=None, **changes):
    return service.change(owner=owner, changes=changes, now=now, expected_version=expected_version)


def held_for(owner, *, send_at):
    return Delivery.objects.create(
        owner=owner, transport="email", kind="digest", held_quiet=True, send_at=send_at, created_at=EVENING
    )


class TestDefaults:
    def test_who_never_changed_anything_has_them_as_version_0_and_no_row(self, ada):
        found = service.of([ada.pk])[ada.pk]

        assert (found.version, found.switches, found.batches, found.digest_at) == (0, {}, True, None)
        assert (found.default_before_due, found.default_on_day, found.stale_after_hours) == ("PT30M", time(9), 24)
        assert not Preferences.objects.exists()

    def test_each_transport_says_which_kinds_it_carries(self):
        table = {kind: by_transport["in_app"] for kind, by_transport in switches.table({}).items()}

        assert table == {"reminder": True, "overdue": True, "digest": False, "notice": True}


class TestChange:
    def test_what_differs_from_the_defaults_is_kept_and_counted(self, ada):
        changed = change(ada, switches={"reminder": {"in_app": False}, "overdue": {"in_app": True}})

        assert changed.switches == {"reminder": {"in_app": False}}
        assert (changed.version, changed.updated_at) == (1, EVENING)
        assert not switches.is_on(changed.switches, kind=Kind.REMINDER, transport=transport_named("in_app"))
        assert switches.is_on(changed.switches, kind=Kind.OVERDUE, transport=transport_named("in_app"))

    def test_switches_that_are_not_named_stay(self, ada):
        change(ada, switches={"reminder": {"in_app": False}})

        changed = change(ada, switches={"overdue": {"in_app": False}})

        assert changed.switches == {"reminder": {"in_app": False}, "overdue": {"in_app": False}}

    def test_a_switch_set_back_is_no_longer_kept(self, ada):
        change(ada, switches={"reminder": {"in_app": False}})

        assert change(ada, switches={"reminder": {"in_app": True}}).switches == {}

    def test_a_change_that_changes_nothing_is_not_counted(self, ada):
        change(ada, batches=False)

        assert change(ada, batches=False, now=SEVEN).version == 1
        assert Preferences.objects.get().updated_at == EVENING

    def test_a_length_is_kept_in_its_shortest_form(self, ada):
        assert change(ada, default_before_due="PT90M").default_before_due == "PT1H30M"

    @pytest.mark.parametrize(
        ("field", "changes"),
        [
            ("switches", {"switches": [True]}),
            ("switches.birthday", {"switches": {"birthday": {"in_app": False}}}),
            ("switches.reminder", {"switches": {"reminder": True}}),
            ("switches.reminder.pigeon", {"switches": {"reminder": {"pigeon": True}}}),
            ("switches.reminder.in_app", {"switches": {"reminder": {"in_app": "no"}}}),
            ("switches.notice.in_app", {"switches": {"notice": {"in_app": False}}}),
            ("default_before_due", {"default_before_due": "half an hour"}),
            ("default_before_due", {"default_before_due": "-PT5M"}),
            ("default_before_due", {"default_before_due": "P400D"}),
            ("default_on_day", {"default_on_day": "09:00"}),
            ("quiet_until", {"quiet_from": time(22)}),
            ("quiet_from", {"quiet_until": time(7)}),
            ("quiet_until", {"quiet_from": time(22), "quiet_until": time(22)}),
            ("digest_at", {"digest_at": time(8, tzinfo=UTC)}),
            ("batches", {"batches": None}),
            ("stale_after_hours", {"stale_after_hours": 0}),
            ("stale_after_hours", {"stale_after_hours": True}),
            ("stale_after_hours", {"stale_after_hours": 24 * 366 + 1}),
            ("volume", {"volume": 11}),
        ],
    )
    def test_what_cannot_be_kept_is_refused_with_its_field_and_nothing_changes(self, ada, field, changes):
        change(ada, quiet_from=None, batches=False)

        with pytest.raises(InvalidPreferences) as refused:
            change(ada, **{"digest_at": time(8), **changes})

        assert refused.value.field == field
        kept = Preferences.objects.get()
        assert (kept.version, kept.digest_at, kept.batches, kept.switches, kept.quiet_from) == (
            1,
            None,
            False,
            {},
            None,
        )

    def test_who_has_not_seen_the_last_change_is_refused(self, ada):
        change(ada, batches=False, expected_version=0)

        with pytest.raises(StaleVersion, match="at version 1 now"):
            change(ada, batches=True, expected_version=0)

        assert not Preferences.objects.get().batches

    def test_other_defaults_give_the_tasks_other_reminders(self, ada):
        change(ada, batches=False)
        before = Preferences.objects.get().follows_up_from
        change(ada, default_before_due=None)

        assert (before, Preferences.objects.get().follows_up_from) == (None, UUID(int=0))


class TestDigest:
    def test_its_next_instant_is_by_the_wall_clock(self, ada):
        assert change(ada, digest_at=time(7)).next_digest_at == SEVEN

    def test_without_an_hour_there_is_none(self, ada):
        change(ada, digest_at=time(7))

        assert change(ada, digest_at=None).next_digest_at is None


class TestWhatQuietHoursHold:
    def test_goes_by_the_new_quiet_hours(self, ada):
        held = held_for(ada, send_at=SEVEN)

        change(ada, quiet_from=time(22), quiet_until=time(8))

        held.refresh_from_db()
        assert held.send_at == SEVEN + timedelta(hours=1)

    def test_goes_out_when_none_hold_any_more(self, ada):
        change(ada, quiet_from=time(22), quiet_until=time(7))
        held = held_for(ada, send_at=SEVEN)

        change(ada, quiet_from=None, quiet_until=None)

        held.refresh_from_db()
        assert held.send_at == EVENING

    def test_stays_as_it_is_after_other_changes_and_other_peoples(self, ada):
        change(ada, quiet_from=time(22), quiet_until=time(7))
        held = held_for(ada, send_at=SEVEN)

        change(ada, batches=False)
        change(person("bob"), quiet_from=time(1), quiet_until=time(2))

        held.refresh_from_db()
        assert held.send_at == SEVEN


class TestAnotherTimeZone:
    def test_the_walls_stay_where_they_are(self, ada):
        change(ada, digest_at=time(7), quiet_from=time(22), quiet_until=time(8))
        held = held_for(ada, send_at=SEVEN)

        service.follow_time_zone(owner_id=ada.pk, time_zone="America/New_York", now=EVENING)  # 17:00 there

        held.refresh_from_db()
        assert Preferences.objects.get().next_digest_at == datetime(2026, 5, 5, 11, 0, tzinfo=UTC)
        assert held.send_at == EVENING

    def test_who_never_changed_anything_has_none(self, ada):
        service.follow_time_zone(owner_id=ada.pk, time_zone="America/New_York", now=EVENING)

        assert not Preferences.objects.exists()
