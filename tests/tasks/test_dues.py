"""What time passes: whom to nudge of what and when, and what a person's day holds."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from apps.tasks import selectors, services
from apps.tasks.due import Due
from tests.support.factories import NOW, person, task_of

pytestmark = pytest.mark.django_db

FRIDAY = date(2026, 11, 20)
THURSDAY = date(2026, 11, 19)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
BEFORE_FRIDAY = datetime(2026, 11, 19, 22, 59, tzinfo=UTC)


def at(text):
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/Berlin")


def nudged(after, until, *, most=100, past=None):
    found = selectors.overdue_between(after=after, until=until, most=most, past=past)
    return [(one.title, one.nudge_at) for one in found]


@pytest.mark.parametrize(
    ("zone", "instant"),
    [
        ("Europe/Berlin", "11-20T08:00"),
        ("UTC", "11-20T09:00"),
        ("Pacific/Kiritimati", "11-19T19:00"),
        ("Etc/GMT+12", "11-20T21:00"),
        ("Asia/Kathmandu", "11-20T03:15"),
    ],
)
class TestADay:
    def test_is_nudged_for_at_nine_on_the_morning_after(self, zone, instant):
        task_of(person(time_zone=zone), title="Pay", due_on=THURSDAY)

        assert nudged(at("11-01T00:00"), at("11-30T00:00")) == [("Pay", at(instant))]
        assert Due(at=None, on=THURSDAY, zone=ZoneInfo(zone)).nudge_at == at(instant)

    def test_is_found_by_the_stretch_that_ends_with_the_instant_and_by_no_other(self, zone, instant):
        task_of(person(time_zone=zone), title="Pay", due_on=THURSDAY)
        then = at(instant)

        assert nudged(then - MINUTE, then) == [("Pay", then)]
        assert nudged(then - 2 * MINUTE, then - MINUTE) == []
        assert nudged(then, then + MINUTE) == []


class TestNudges:
    def test_an_instant_is_nudged_for_when_it_passed(self, ada):
        task_of(ada, title="Call", due_at=NOW)

        assert nudged(NOW - MINUTE, NOW) == [("Call", NOW)]
        assert nudged(NOW, NOW + DAY) == []

    def test_they_come_oldest_first_whosever_they_are(self, ada):
        grace = person("grace", time_zone="UTC")
        task_of(grace, title="third", due_on=THURSDAY)
        task_of(ada, title="second", due_on=THURSDAY)
        task_of(ada, title="fourth", due_at=NOW + MINUTE)
        task_of(grace, title="first", due_at=NOW - 2 * 60 * MINUTE)

        found = [title for title, _ in nudged(NOW - DAY, NOW + DAY)]

        assert found == ["first", "second", "third", "fourth"]

    def test_what_was_cut_short_goes_on_behind_its_last_and_misses_nothing(self, ada):
        """Also where many share an instant, due at it and on the day before it."""
        nine = at("11-20T08:00")
        made = [task_of(ada, title=str(n), due_on=THURSDAY).pk for n in range(4)]
        made += [task_of(ada, title=str(n), due_at=nine).pk for n in range(4, 8)]
        made += [task_of(ada, title=str(n), due_at=nine + MINUTE).pk for n in range(8, 10)]

        found, after, past = [], nine - DAY, None
        for _ in range(5):
            page = selectors.overdue_between(after=after, until=NOW, most=3, past=past)
            found += page
            after, past = (page[-1].nudge_at, page[-1].id) if page else (after, past)

        assert [one.id for one in found] == sorted(made[:8]) + made[8:]

    def test_what_is_done_deleted_or_of_somebody_who_may_not_come_in_is_not_nudged_for(self, ada):
        gone = person("gone", is_active=False)
        done, deleted = task_of(ada, due_at=NOW), task_of(ada, due_on=THURSDAY)
        task_of(gone, due_at=NOW), task_of(gone, due_on=THURSDAY), task_of(ada)
        services.complete_task(task_id=done.pk, actor=ada, now=NOW)
        services.delete_task(task_id=deleted.pk, actor=ada, now=NOW)
        doing = task_of(ada, title="Doing", due_at=NOW, status="in_progress")

        (found,) = selectors.overdue_between(after=NOW - 9 * DAY, until=NOW + 9 * DAY, most=100)

        assert found == selectors.OverdueTask(
            id=doing.pk,
            owner_id=ada.pk,
            version=1,
            title="Doing",
            priority="none",
            due_at=NOW,
            due_on=None,
            due_time_zone="",
            nudge_at=NOW,
        )

    def test_where_clocks_change_nine_is_nine(self, ada):
        """On 28 March 2027 Berlin's clocks go forward at 2."""
        task_of(ada, title="Spring", due_on=date(2027, 3, 27))

        spring = datetime(2027, 3, 28, 7, 0, tzinfo=UTC)
        assert nudged(spring - DAY, spring + DAY) == [("Spring", spring)]

    def test_who_moves_is_nudged_by_the_clocks_where_they_are(self, ada):
        task_of(ada, title="Pay", due_on=THURSDAY)
        ada.time_zone = "America/New_York"
        ada.save()

        assert nudged(NOW - DAY, NOW + DAY) == [("Pay", at("11-20T14:00"))]


class TestAgenda:
    def day(self, owner, *, most=10, now=BEFORE_FRIDAY):
        return selectors.agenda(owner, today=FRIDAY, zone=ZoneInfo("Europe/Berlin"), now=now, most=most)

    def told(self, owner, **options):
        day = self.day(owner, **options)
        overdue, today = ([task.title for task in tasks] for tasks in (day.overdue, day.today))
        return overdue, day.overdue_total, today, day.today_total

    def test_it_has_what_is_left_from_before_and_what_is_due_today(self, ada):
        midnight, next_midnight = at("11-19T23:00"), at("11-20T23:00")  # Friday's, in Berlin
        task_of(ada, title="by day, before", due_on=THURSDAY)
        task_of(ada, title="last minute before", due_at=midnight - MINUTE)
        task_of(ada, title="first today", due_at=midnight)
        task_of(ada, title="by day, today", due_on=FRIDAY)
        task_of(ada, title="last minute today", due_at=next_midnight - MINUTE)
        task_of(ada, title="first tomorrow", due_at=next_midnight)
        task_of(ada, title="by day, tomorrow", due_on=FRIDAY + DAY)
        task_of(ada, title="without due")

        assert self.told(ada) == (
            ["last minute before", "by day, before"],
            2,
            ["first today", "last minute today", "by day, today"],
            3,
        )

    def test_what_passed_earlier_that_day_is_overdue(self, ada):
        task_of(ada, title="just now", due_at=NOW)
        task_of(ada, title="in a minute", due_at=NOW + MINUTE)
        task_of(ada, title="by day", due_on=FRIDAY)

        assert self.told(ada, now=NOW) == (["just now"], 1, ["in a minute", "by day"], 2)
        assert self.told(ada, now=at("11-20T23:00")) == (["just now", "in a minute", "by day"], 3, [], 0)

    def test_it_is_short_and_says_how_many_there_are(self, ada):
        for number in range(4):
            task_of(ada, title=f"late {number}", due_on=THURSDAY - DAY * number)
            task_of(ada, title=f"today {number}", due_at=NOW - MINUTE * number)

        assert self.told(ada, most=2) == (["late 3", "late 2"], 4, ["today 3", "today 2"], 4)

    def test_what_is_done_or_somebody_elses_is_not_in_it(self, ada):
        task_of(person("grace"), due_on=FRIDAY)
        services.complete_task(task_id=task_of(ada, due_on=FRIDAY).pk, actor=ada, now=NOW)

        assert self.told(ada) == ([], 0, [], 0)

    def test_each_tells_what_a_digest_needs(self, ada):
        task = task_of(ada, title="Pay", priority="high", due_on=FRIDAY)

        (told,) = self.day(ada).today

        assert (told.pk, told.title, told.priority, told.due_on, told.due_at) == (task.pk, "Pay", "high", FRIDAY, None)
