"""Pictures of tasks for those who act on time: as they are now, held while asked for, and never waited for."""

import threading
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.tasks import selectors, services
from apps.tasks.models import Task
from tests.events.concurrency import in_background, waits_for_a_lock
from tests.support.factories import NOW, facts, person, task_of

DUE = datetime(2026, 12, 24, 18, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/Berlin")


def complete(task):
    return services.complete_task(task_id=task.pk, actor=task.owner, now=LATER)


def change(task, **changes):
    return services.update_task(task_id=task.pk, actor=task.owner, changes=changes, now=LATER)


@contextmanager
def looking_at(task, *, lock):
    """Somebody has a picture, in a transaction that goes on until the event is set or the block ends."""
    looked, enough = threading.Event(), threading.Event()

    def look():
        with transaction.atomic():
            selectors.pictures([task.pk], lock=lock)
            looked.set()
            enough.wait(30)

    with in_background(look) as looking:
        assert looked.wait(30)
        yield enough
        enough.set()
        looking.result(30)


@pytest.mark.django_db
class TestPictures:
    def test_it_shows_all_that_planning_needs(self, ada):
        task = task_of(
            ada,
            title="Fly",
            priority="urgent",
            due_at=DUE,
            due_time_zone="Asia/Tokyo",
            reminders=[{"before_due": "PT1H"}],
        )

        (picture,) = selectors.pictures([task.pk], lock=False).values()

        assert picture == selectors.TaskPicture(
            id=task.pk,
            owner_id=ada.pk,
            version=1,
            title="Fly",
            status="pending",
            priority="urgent",
            due_at=DUE,
            due_on=None,
            due_time_zone="Asia/Tokyo",
            reminders=[{"id": task.reminders[0]["id"], "before_due": "PT1H"}],
            updated_at=NOW,
            owner_time_zone="Europe/Berlin",
            owner_is_active=True,
        )
        assert (picture.due.at, picture.due.zone.key, picture.is_open) == (DUE, "Asia/Tokyo", True)

    def test_the_owners_default_is_told_from_no_reminders(self, ada):
        by_default, without = task_of(ada, due_on=date(2026, 12, 24)), task_of(ada, reminders=[])

        found = selectors.pictures([by_default.pk, without.pk], lock=False)

        assert {one: picture.reminders for one, picture in found.items()} == {by_default.pk: None, without.pk: []}

    def test_a_day_hangs_in_the_owners_zone(self, ada):
        task = task_of(ada, due_on=date(2026, 12, 24))

        (picture,) = selectors.pictures([task.pk], lock=False).values()

        assert picture.due.reminders_count_from == datetime(2026, 12, 24, 8, 0, tzinfo=UTC)

    def test_done_and_deleted_ones_are_there_and_not_open(self, ada):
        done, deleted, purged = task_of(ada), task_of(ada), uuid4()
        complete(done)
        services.delete_task(task_id=deleted.pk, actor=ada, now=LATER)

        found = selectors.pictures([done.pk, deleted.pk, purged], lock=False)

        told = {one: (picture.status, picture.is_open, picture.version) for one, picture in found.items()}
        assert told == {done.pk: ("completed", False, 2), deleted.pk: ("deleted", False, 2)}
        assert selectors.existing_among([done.pk, deleted.pk, purged]) == {done.pk, deleted.pk}

    def test_an_owner_who_may_not_come_in_any_more_is_told_of(self, ada):
        task = task_of(ada)
        ada.is_active = False
        ada.save()

        assert selectors.pictures([task.pk], lock=False)[task.pk].owner_is_active is False

    @pytest.mark.parametrize("lock", [True, False])
    def test_many_take_one_question(self, ada, lock, django_assert_num_queries):
        tasks = [task_of(ada, title=str(number)) for number in range(3)]

        with django_assert_num_queries(1):
            found = selectors.pictures([task.pk for task in tasks], lock=lock)

        assert {picture.title for picture in found.values()} == {"0", "1", "2"}

    def test_of_none_there_are_none(self):
        assert selectors.pictures([], lock=True) == {}


@pytest.mark.django_db(transaction=True)
class TestLocking:
    def test_a_task_that_is_being_changed_has_no_picture_and_is_there(self, ada):
        task, other = task_of(ada), task_of(ada)

        with transaction.atomic():
            complete(task)
            with in_background(lambda: selectors.pictures([task.pk, other.pk], lock=True)) as looking:
                found = looking.result(30)
            with in_background(lambda: selectors.existing_among([task.pk, other.pk])) as looking:
                there = looking.result(30)

        assert found.keys() == {other.pk}
        assert there == {task.pk, other.pk}

    def test_without_the_lock_a_stale_picture_is_seen(self, ada):
        """The negative control."""
        task = task_of(ada)

        with transaction.atomic():
            complete(task)
            with in_background(lambda: selectors.pictures([task.pk], lock=False)) as looking:
                found = looking.result(30)

        assert found[task.pk].status == "pending"

    def test_a_change_waits_until_whoever_looked_is_done(self, ada):
        task = task_of(ada)

        with looking_at(task, lock=True) as enough, in_background(lambda: complete(task)) as completing:
            waited, status = waits_for_a_lock(), Task.objects.get(pk=task.pk).status
            enough.set()
            completing.result(30)

        assert (waited, status) == (True, "pending")
        assert Task.objects.get(pk=task.pk).status == "completed"

    def test_without_the_lock_it_does_not(self, ada):
        """The negative control."""
        task = task_of(ada)

        with looking_at(task, lock=False), in_background(lambda: complete(task)) as completing:
            completing.result(30)
            status = Task.objects.get(pk=task.pk).status

        assert status == "completed"

    def test_two_may_look_at_once(self, ada):
        task = task_of(ada)

        with transaction.atomic():
            first = selectors.pictures([task.pk], lock=True)
            with in_background(lambda: selectors.pictures([task.pk], lock=True)) as looking:
                second = looking.result(30)

        assert (list(first), list(second)) == ([task.pk], [task.pk])

    def test_the_owners_row_is_not_held(self, ada):
        task = task_of(ada)

        with transaction.atomic():
            selectors.pictures([task.pk], lock=True)
            with in_background(lambda: type(ada).objects.filter(pk=ada.pk).update(first_name="Ada")) as naming:
                assert naming.result(30) == 1


@pytest.mark.django_db
class TestTimeZoneInEvents:
    def told(self):
        return facts().last().data["task"].get("time_zone")

    def test_of_a_task_due_on_a_day_the_owners_zone_is_told(self, ada):
        task_of(ada, due_on=date(2026, 12, 24))

        assert self.told() == "Europe/Berlin"

    def test_of_a_task_due_at_an_instant_or_not_at_all_it_is_not(self, ada):
        task_of(ada, due_at=DUE)
        at_an_instant = self.told()
        task_of(ada)

        assert (at_an_instant, self.told()) == (None, None)

    def test_it_comes_and_goes_with_the_day(self, ada):
        task = task_of(ada)

        change(task, due_on=date(2026, 12, 24))
        with_day = self.told()
        change(task, due_at=DUE)

        assert (with_day, self.told()) == ("Europe/Berlin", None)

    def test_it_is_the_owners_also_where_somebody_else_acts(self, ada):
        task = task_of(ada, due_on=date(2026, 12, 24))
        admin = person("admin", time_zone="Asia/Tokyo")

        services.update_task(task_id=task.pk, actor=admin, changes={"title": "Fly"}, now=LATER)

        assert self.told() == "Europe/Berlin"

    def questions(self, task):
        with CaptureQueriesContext(connection) as asked:
            change(task, title="Fly")
        return len(asked)

    def test_nobody_reads_the_owners_row_for_it_where_the_owner_acts(self, ada):
        plain, on_a_day = task_of(ada), task_of(ada, due_on=date(2026, 12, 24))

        assert self.questions(on_a_day) == self.questions(plain)
