"""The next occurrence of a task is a copy of the one before, open again, moved on the wall, and never refused."""

import threading
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from django.db import transaction
from uuid_utils.compat import uuid7

from apps.tasks import selectors, services
from apps.tasks.exceptions import TaskNotFound
from apps.tasks.models import Tag, Task
from apps.tasks.services import changes as writing
from apps.tasks.services import family
from tests.events.concurrency import in_background, waits_for_a_lock
from tests.support.factories import append, event, facts, person

pytestmark = pytest.mark.django_db

MADE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
WEEKLY = {"rule": "FREQ=WEEKLY", "from": "schedule", "month_end": "clamp", "catch_up": "latest"}


@pytest.fixture
def owner():
    return person("ada", time_zone="Europe/Berlin")


def task_of(owner, *, title="Buy milk", **fields):
    return services.create_task(owner=owner, actor=owner, title=title, now=MADE, **fields)


def weekly(owner, **fields):
    return task_of(
        owner, **({"title": "Water the plants", "due_on": date(2026, 5, 4), "recurrence": "weekly"} | fields)
    )


def next_of(task, **asked):
    asked = {"due_on": date(2026, 5, 11), "recurrence_id": "20260511", "recurrence": WEEKLY, "now": LATER} | asked
    return services.create_occurrence(of=task.pk, owner_id=task.owner_id, series_id=task.series_id, **asked)


def parts_of(task):
    return {part.title: part for part in Task.objects.filter(parent=task)}


def at(text):
    return datetime.fromisoformat(text)


class TestWhatIsCopied:
    def test_everything_that_holds_for_the_series_comes_along_open_and_due_then(self, owner):
        home = services.create_list(owner=owner, actor=owner, name="Home", now=MADE)
        parent = task_of(owner, title="Garden")
        task = weekly(
            owner,
            description="All of them",
            priority="high",
            tags=["green", "home"],
            list=home.pk,
            parent=parent.pk,
            reminders=[{"before_due": "PT30M"}],
        )
        services.complete_task(task_id=task.pk, actor=owner, now=LATER)

        made = next_of(task)

        made.refresh_from_db()
        assert (made.title, made.description, made.priority) == ("Water the plants", "All of them", "high")
        assert (made.status, made.version, made.created_at, made.completed_at) == ("pending", 1, LATER, None)
        assert (made.due_on, made.due_at, made.due_time_zone) == (date(2026, 5, 11), None, "")
        assert (made.list_id, made.parent_id, made.position) == (home.pk, parent.pk, task.position)
        assert [tag.name for tag in selectors.tags_on(made)] == ["green", "home"]
        assert (made.series_id, made.recurrence_id, made.recurrence) == (task.series_id, "20260511", WEEKLY)
        assert [reminder["before_due"] for reminder in made.reminders] == ["PT30M"]
        assert made.reminders[0]["id"] != task.reminders[0]["id"]

    def test_it_is_told_by_the_platform_with_its_snapshot(self, owner):
        task = weekly(owner)
        cause = event(owner_id=owner.pk)
        append(cause)
        before = facts().count()

        made = next_of(task, cause=cause)

        (created,) = facts()[before:]
        assert (created.type, created.subject_id, created.actor_id) == ("task.created.v1", made.pk, None)
        assert created.causation_id == cause.id
        assert created.data["task"]["recurrence_id"] == "20260511"
        assert created.data["task"]["series_id"] == str(task.series_id)
        snapshot = type(created).objects.get(type="task.snapshot.v1", data__id=str(made.pk))
        assert snapshot.causation_id == created.event_id

    def test_it_has_the_id_it_is_given(self, owner):
        task_id = uuid7()

        made = next_of(weekly(owner), task_id=task_id)

        assert made.pk == task_id

    def test_what_holds_for_the_series_goes_before_what_differed_once(self, owner):
        home = services.create_list(owner=owner, actor=owner, name="Home", now=MADE)
        services.create_tag(owner=owner, actor=owner, name="green", now=MADE)
        task = weekly(owner, title="Water the plants twice", tags=["today"], reminders=[])
        keep = {"title": "Water the plants", "description": "", "priority": "low", "tags": ["Green", "gone"]}
        keep |= {"list": str(home.pk), "reminders": None}

        made = next_of(task, keep=keep)

        made.refresh_from_db()
        assert (made.title, made.priority, made.list_id, made.reminders) == ("Water the plants", "low", home.pk, None)
        assert [tag.name for tag in selectors.tags_on(made)] == ["green"]
        assert sorted(Tag.objects.values_list("name", flat=True)) == ["green", "today"]

    def test_no_other_field_is_kept(self, owner):
        task = weekly(owner)

        with pytest.raises(ValueError, match="does not keep status"):
            next_of(task, keep={"status": "completed"})

        assert Task.objects.count() == 1


class TestParts:
    def test_they_come_along_open_again_and_moved_as_far(self, owner):
        task = weekly(owner)
        pots = task_of(owner, title="Pots", parent=task.pk, due_on=date(2026, 5, 2), tags=["green"])
        task_of(owner, title="Can", parent=pots.pk, due_at=at("2026-05-04T07:00Z"), due_time_zone="Europe/London")
        services.complete_task(task_id=task.pk, actor=owner, now=LATER)
        before = facts().count()

        made = next_of(task)

        pots_again = parts_of(made)["Pots"]
        can_again = parts_of(pots_again)["Can"]
        assert (pots_again.status, pots_again.due_on) == ("pending", date(2026, 5, 9))
        assert [tag.name for tag in selectors.tags_on(pots_again)] == ["green"]
        assert (can_again.due_at, can_again.due_time_zone) == (at("2026-05-11T07:00Z"), "Europe/London")
        told = list(facts()[before:])
        assert [one.subject_id for one in told] == [made.pk, pots_again.pk, can_again.pk]
        assert [one.causation_id for one in told[1:]] == [told[0].event_id, told[0].event_id]

    def test_what_was_deleted_before_stays_away(self, owner):
        task = weekly(owner)
        gone = task_of(owner, title="Weeds", parent=task.pk)
        services.delete_task(task_id=gone.pk, actor=owner, now=MADE)

        made = next_of(task)

        assert parts_of(made) == {}

    def test_what_was_deleted_with_the_task_comes_along(self, owner):
        task = weekly(owner)
        early = task_of(owner, title="Weeds", parent=task.pk)
        task_of(owner, title="Pots", parent=task.pk)
        services.delete_task(task_id=early.pk, actor=owner, now=MADE)
        services.delete_task(task_id=task.pk, actor=owner, now=LATER, series="continues")

        made = next_of(task)

        assert [(title, part.status) for title, part in parts_of(made).items()] == [("Pots", "pending")]

    def test_one_that_repeats_by_itself_is_left_out_with_its_parts(self, owner):
        task = weekly(owner)
        daily = task_of(owner, title="Post", parent=task.pk, due_on=date(2026, 5, 4), recurrence="daily")
        task_of(owner, title="Stamps", parent=daily.pk)
        task_of(owner, title="Pots", parent=task.pk)

        made = next_of(task)

        assert list(parts_of(made)) == ["Pots"]
        assert Task.objects.filter(title="Stamps").count() == 1

    def test_their_reminders_move_with_them(self, owner):
        task = weekly(owner)
        fixed = [{"trigger_at": "2026-05-03T08:00:00Z"}, {"before_due": "P1D"}]
        task_of(owner, title="Pots", parent=task.pk, due_on=date(2026, 5, 4), reminders=fixed)

        made = next_of(task)

        reminders = parts_of(made)["Pots"].reminders
        assert [one.get("trigger_at") or one["before_due"] for one in reminders] == ["2026-05-10T08:00:00Z", "P1D"]


class TestOnTheWall:
    def test_what_moves_along_keeps_its_hour_where_clocks_change(self, owner):
        # Clocks in Berlin go back on 25 October 2026.
        task = weekly(
            owner,
            due_on=None,
            due_at=at("2026-10-19T09:00+02:00"),
            reminders=[{"trigger_at": "2026-10-19T06:30:00Z"}],
        )
        task_of(owner, title="Pots", parent=task.pk, due_at=at("2026-10-19T08:00+02:00"))

        made = next_of(task, due_on=None, due_at=at("2026-10-26T09:00+01:00"), recurrence_id="20261026T090000")

        assert [reminder["trigger_at"] for reminder in made.reminders] == ["2026-10-26T07:30:00Z"]
        assert parts_of(made)["Pots"].due_at == at("2026-10-26T08:00+01:00")

    def test_a_due_that_a_gap_moved_is_measured_from_what_the_series_meant(self, owner):
        # Clocks in Berlin leap from 02:00 to 03:00 on 29 March 2026.
        task = weekly(owner, due_on=None, due_at=at("2026-03-28T02:30+01:00"), recurrence="daily")
        task_of(owner, title="Pots", parent=task.pk, due_at=at("2026-03-28T01:30+01:00"))
        daily = WEEKLY | {"rule": "FREQ=DAILY"}

        in_gap = next_of(
            task, due_on=None, due_at=at("2026-03-29T03:30+02:00"), recurrence_id="20260329T023000", recurrence=daily
        )
        after = next_of(
            in_gap, due_on=None, due_at=at("2026-03-30T02:30+02:00"), recurrence_id="20260330T023000", recurrence=daily
        )

        assert parts_of(after)["Pots"].due_at == at("2026-03-30T01:30+02:00")

    def test_of_a_due_that_a_person_moved_the_distance_is_the_one_there_is(self, owner):
        task = weekly(owner, due_on=None, due_at=at("2026-05-04T09:00+02:00"))
        second = next_of(task, due_on=None, due_at=at("2026-05-11T09:00+02:00"), recurrence_id="20260511T090000")
        moved = {"due_at": at("2026-05-12T10:00+02:00")}
        services.update_task(task_id=second.pk, actor=owner, changes=moved, now=LATER)
        task_of(owner, title="Pots", parent=second.pk, due_at=at("2026-05-12T09:00+02:00"))

        third = next_of(second, due_on=None, due_at=at("2026-05-18T09:00+02:00"), recurrence_id="20260518T090000")

        assert parts_of(third)["Pots"].due_at == at("2026-05-18T08:00+02:00")

    def test_without_a_due_before_it_is_measured_by_the_days_they_were_made(self, owner):
        after = WEEKLY | {"from": "completion"}
        task = task_of(owner, recurrence=after, reminders=[{"trigger_at": (MADE + timedelta(hours=1)).isoformat()}])
        task_of(owner, title="Pots", parent=task.pk, due_on=MADE.date())

        made = next_of(task, due_on=MADE.date() + timedelta(days=7))

        assert parts_of(made)["Pots"].due_on == MADE.date() + timedelta(days=7)
        assert made.reminders[0]["trigger_at"] == (MADE + timedelta(days=7, hours=1)).isoformat().replace("+00:00", "Z")


class TestNothingIsRefused:
    def test_a_due_and_a_reminder_that_have_passed(self, owner):
        task = weekly(owner, due_on=date(2026, 3, 2), reminders=[{"before_due": "PT30M"}])

        made = next_of(task, due_on=date(2026, 3, 9), now=LATER)

        assert [reminder["before_due"] for reminder in made.reminders] == ["PT30M"]

    def test_a_reminder_that_could_not_be_is_left_out(self, owner):
        reminders = [{"trigger_at": "2026-05-04T21:00:00Z"}, {"before_due": "PT30M"}]
        task = weekly(owner, reminders=reminders)

        made = next_of(task, due_on=None, due_at=at("2026-05-11T09:00+02:00"), recurrence_id="20260511T090000")

        assert [one.get("trigger_at") or one["before_due"] for one in made.reminders] == ["PT30M"]

    def test_a_relative_reminder_without_a_due_is_left_out(self, owner):
        task = weekly(owner, reminders=[{"before_due": "PT30M"}])

        made = next_of(task, due_on=None)

        assert made.reminders == []

    def test_a_part_whose_due_would_lie_outside_the_calendar_has_none(self, owner):
        task = weekly(owner)
        task_of(owner, title="Pots", parent=task.pk, due_on=date(8999, 12, 30))

        made = next_of(task)

        assert parts_of(made)["Pots"].due_on is None

    def test_a_list_that_is_gone(self, owner):
        home = services.create_list(owner=owner, actor=owner, name="Home", now=MADE)
        task = weekly(owner, list=home.pk)
        services.delete_list(list_id=home.pk, actor=owner, now=MADE)

        made = next_of(task, keep={"list": str(home.pk)})

        assert made.list is None

    def test_a_parent_that_is_deleted(self, owner):
        parent = task_of(owner, title="Garden")
        task = weekly(owner, parent=parent.pk)
        services.delete_task(task_id=parent.pk, actor=owner, now=MADE, series="continues")

        made = next_of(task)

        assert made.parent is None

    def test_a_tree_that_is_full_for_people_has_room_for_what_the_platform_makes(self, owner, monkeypatch):
        parent = task_of(owner, title="Garden")
        task = weekly(owner, parent=parent.pk)
        monkeypatch.setattr("apps.tasks.services.family.MAX_TREE", 2)

        made = next_of(task)

        assert made.parent_id == parent.pk

    def test_from_a_tree_that_one_command_could_not_change_any_more_it_steps_out(self, owner, monkeypatch):
        parent = task_of(owner, title="Garden")
        task = weekly(owner, parent=parent.pk)
        monkeypatch.setattr(writing, "MAX_TASKS_AT_ONCE", 2)

        made = next_of(task)

        assert made.parent is None

    def test_a_tag_limit_that_is_reached(self, owner, monkeypatch):
        task = weekly(owner, tags=["green"])
        monkeypatch.setattr("apps.tasks.services.tags.MAX_TAGS_OF_OWNER", 1)

        made = next_of(task)

        assert [tag.name for tag in selectors.tags_on(made)] == ["green"]


class TestWhatThereIsNot:
    @pytest.mark.parametrize("task_id", [UUID(int=1)])
    def test_of_no_task_nothing_is_made(self, owner, task_id):
        with pytest.raises(TaskNotFound):
            services.create_occurrence(
                of=task_id, owner_id=owner.pk, series_id=uuid7(), recurrence_id="20260511", recurrence=WEEKLY, now=MADE
            )

        assert (Task.objects.count(), facts().count()) == (0, 0)

    def test_of_another_persons_task_nothing_is_made(self, owner):
        theirs = weekly(person("eve"))

        with pytest.raises(TaskNotFound):
            services.create_occurrence(
                of=theirs.pk, owner_id=owner.pk, series_id=uuid7(), recurrence_id="1", recurrence=WEEKLY, now=MADE
            )

        assert Task.objects.count() == 1


class TestDeletingOne:
    @pytest.mark.parametrize("series", ["ends", "continues"])
    def test_the_event_tells_whether_the_series_ends(self, owner, series):
        task = weekly(owner)

        services.delete_task(task_id=task.pk, actor=owner, now=LATER, series=series)

        assert facts().last().data["series"] == series

    def test_when_nothing_is_said_it_ends(self, owner):
        task = weekly(owner)

        services.delete_task(task_id=task.pk, actor=owner, now=LATER)

        assert facts().last().data["series"] == "ends"

    def test_what_is_told_holds_for_the_parts_that_repeat(self, owner):
        whole = task_of(owner, title="Garden")
        weekly(owner, parent=whole.pk)

        services.delete_task(task_id=whole.pk, actor=owner, now=LATER, series="continues")

        first, second = list(facts())[-2:]
        assert ("series" in first.data, second.data["series"]) == (False, "continues")

    def test_a_list_that_takes_its_tasks_along_ends_their_series(self, owner):
        home = services.create_list(owner=owner, actor=owner, name="Home", now=MADE)
        weekly(owner, list=home.pk)

        services.delete_list(list_id=home.pk, actor=owner, now=LATER, tasks="delete")

        assert facts().last().data["series"] == "ends"


def test_which_of_some_tasks_are_completed_and_which_open(owner):
    done, gone, still = (task_of(owner, title=title) for title in ("done", "gone", "still"))
    services.complete_task(task_id=done.pk, actor=owner, now=LATER)
    services.delete_task(task_id=gone.pk, actor=owner, now=LATER)
    ids = [done.pk, gone.pk, still.pk, UUID(int=1)]

    assert selectors.completed_among(ids) == {done.pk: LATER}
    assert selectors.open_among(ids) == [still]


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_the_owners_turn_and_copies_what_that_command_left(owner):
    task = weekly(owner, tags=["green"])
    in_turn, may_commit = threading.Event(), threading.Event()

    def rename_slowly():
        with transaction.atomic():
            services.update_task(task_id=task.pk, actor=owner, changes={"tags": ["red"], "title": "Wait"}, now=LATER)
            in_turn.set()
            may_commit.wait(10)

    with in_background(rename_slowly) as renaming:
        in_turn.wait(10)
        with in_background(lambda: next_of(task)) as making:
            waited = waits_for_a_lock()
            may_commit.set()
            renaming.result(10)
            made = making.result(10)

    assert waited
    assert (made.title, [tag.name for tag in selectors.tags_on(made)]) == ("Wait", ["red"])


def test_a_simple_one_is_made_in_few_queries(owner, django_assert_num_queries):
    task = weekly(owner)

    with django_assert_num_queries(8):
        next_of(task)


def test_the_next_of_a_part_whose_whole_is_done_stands_by_itself(owner):
    whole = task_of(owner, title="Move house")
    part = task_of(owner, title="Pack", parent=whole.pk, due_on=MADE.date(), recurrence="daily")
    services.complete_task(task_id=whole.pk, actor=owner, now=LATER)

    following = services.create_occurrence(
        of=part.pk,
        owner_id=owner.pk,
        series_id=part.series_id,
        recurrence_id="20261122",
        recurrence=part.recurrence,
        due_on=LATER.date(),
        now=LATER,
    )

    assert following.parent_id is None


def test_no_more_parts_come_along_than_a_tree_may_have(owner, monkeypatch):
    whole = task_of(owner, title="Inventory", due_on=MADE.date(), recurrence="daily")
    for number in range(4):
        task_of(owner, title=f"Shelf {number}", parent=whole.pk)
    monkeypatch.setattr(family, "MAX_TREE", 3)

    following = services.create_occurrence(
        of=whole.pk,
        owner_id=owner.pk,
        series_id=whole.series_id,
        recurrence_id="20260505",
        recurrence=whole.recurrence,
        due_on=LATER.date(),
        now=LATER,
    )

    assert Task.objects.filter(parent=following).count() == 2
