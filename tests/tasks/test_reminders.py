"""One reminder of a task added, moved or taken away, beside the others and the owner's default."""

import threading
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from apps.tasks import intents, services
from apps.tasks.exceptions import InvalidTask, ReminderNotFound, StaleVersion, TaskDeleted, TaskNotFound
from apps.tasks.models import Task
from apps.tasks.services import reminders as reminding
from tests.events.concurrency import in_background, waits_for_a_lock
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db

DUE = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # three hours from now
HALF_AN_HOUR = {"before_due": "PT30M"}
AN_HOUR = {"before_due": "PT1H"}
AT_TEN = {"trigger_at": "2026-11-20T10:00:00Z"}


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/Berlin")


def add(task, reminder, **more):
    return services.add_reminder(task_id=task.pk, actor=task.owner, now=NOW, reminder=reminder, **more)


def move(task, reminder_id, reminder, **more):
    return services.move_reminder(
        task_id=task.pk, reminder_id=UUID(str(reminder_id)), actor=task.owner, now=NOW, reminder=reminder, **more
    )


def remove(task, reminder_id, **more):
    return services.remove_reminder(
        task_id=task.pk, reminder_id=UUID(str(reminder_id)), actor=task.owner, now=NOW, **more
    )


def without_ids(reminders):
    return [{name: value for name, value in one.items() if name != "id"} for one in reminders]


def refused(task, refusal, command):
    """The refusal, of which nothing is left behind."""
    before = (Task.objects.filter(pk=task.pk).values().first(), facts().count())
    with pytest.raises(refusal) as reason:
        command()
    assert (Task.objects.filter(pk=task.pk).values().first(), facts().count()) == before
    return reason.value


class TestAdding:
    def test_one_more_stands_beside_the_others_and_is_told_of(self, ada):
        task = task_of(ada, due_at=DUE, reminders=[HALF_AN_HOUR])

        changed, added = add(task, AT_TEN)

        assert changed.reminders == [*task.reminders, {"id": str(added), **AT_TEN}]
        assert (added.version, changed.version) == (7, 2)
        told = facts().last()
        assert (told.type, told.data["changes"]) == (
            "task.updated.v1",
            {"reminders": {"before": task.reminders, "after": changed.reminders}},
        )

    def test_the_owners_default_stays_beside_it_and_keeps_its_id(self, ada):
        task = task_of(ada, due_at=DUE)

        changed, added = add(task, AN_HOUR, default=HALF_AN_HOUR)

        assert changed.reminders == [
            {"id": intents.default_id(task.pk), **HALF_AN_HOUR},
            {"id": str(added), **AN_HOUR},
        ]

    def test_a_default_of_a_day_stays_too(self, ada):
        task = task_of(ada, due_on=date(2026, 11, 21))

        changed, _ = add(task, AT_TEN, default={"trigger_at": "2026-11-21T08:00:00Z"})

        assert without_ids(changed.reminders) == [{"trigger_at": "2026-11-21T08:00:00Z"}, AT_TEN]

    @pytest.mark.parametrize("same", [HALF_AN_HOUR, {"trigger_at": "2026-11-20T11:30:00Z"}])
    def test_one_for_the_instant_of_the_default_is_the_default(self, ada, same):
        task = task_of(ada, due_at=DUE)

        changed, added = add(task, same, default=HALF_AN_HOUR)

        assert changed.reminders == [{"id": intents.default_id(task.pk), **same}]
        assert str(added) == intents.default_id(task.pk)

    def test_a_default_that_has_passed_was_acted_on_and_stays_out(self, ada):
        task = task_of(ada, due_at=NOW + timedelta(minutes=20))

        changed, _ = add(task, {"before_due": "PT5M"}, default=HALF_AN_HOUR)

        assert without_ids(changed.reminders) == [{"before_due": "PT5M"}]

    def test_a_default_has_no_meaning_without_a_due(self, ada):
        changed, _ = add(task_of(ada), AT_TEN, default=HALF_AN_HOUR)

        assert without_ids(changed.reminders) == [AT_TEN]

    def test_where_there_are_none_the_default_does_not_come_back(self, ada):
        changed, _ = add(task_of(ada, due_at=DUE, reminders=[]), AN_HOUR, default=HALF_AN_HOUR)

        assert without_ids(changed.reminders) == [AN_HOUR]

    @pytest.mark.parametrize(
        ("reminder", "field", "words"),
        [
            ({"trigger_at": "2026-11-20T08:59:00Z"}, "trigger_at", "in the past"),
            ({"trigger_at": "2026-11-20T12:01:00Z"}, "trigger_at", "after due"),
            ({"before_due": "P1D"}, "before_due", "in the past"),
            ({"before_due": "soon"}, "before_due", "PT30M"),
            ({"before_due": "PT30M", "trigger_at": "2026-11-20T10:00:00Z"}, "trigger_at", "Give"),
            ({}, "before_due", "Give"),
            ({"before_due": "PT2H", "sound": "loud"}, "sound", "Not a part"),
            ({"before_due": "PT30M"}, "before_due", "twice"),
        ],
    )
    def test_what_cannot_be_is_refused_by_the_name_it_was_given(self, ada, reminder, field, words):
        task = task_of(ada, due_at=DUE, reminders=[HALF_AN_HOUR])

        reason = refused(task, InvalidTask, lambda: add(task, reminder))

        assert (reason.field, words in str(reason)) == (field, True)

    def test_a_relative_one_needs_a_due(self, ada):
        task = task_of(ada)

        reason = refused(task, InvalidTask, lambda: add(task, HALF_AN_HOUR))

        assert (reason.field, "needs a due" in str(reason)) == ("before_due", True)

    def test_there_are_twenty_at_most(self, ada):
        task = task_of(ada, due_at=DUE, reminders=[{"before_due": f"PT{n}M"} for n in range(20)])

        assert refused(task, InvalidTask, lambda: add(task, AN_HOUR)).field == "reminders"

    def test_of_a_deleted_task_an_older_one_or_none_it_is_refused(self, ada):
        task = task_of(ada, due_at=DUE)
        stale = refused(task, StaleVersion, lambda: add(task, AN_HOUR, expected_version=7))
        services.delete_task(task_id=task.pk, actor=ada, now=NOW)

        refused(task, TaskDeleted, lambda: add(task, AN_HOUR))
        with pytest.raises(TaskNotFound):
            add(Task(pk=uuid4(), owner=ada), AN_HOUR)
        assert stale.current.version == 1


class TestMoving:
    def test_it_keeps_its_id_and_place(self, ada):
        task = task_of(ada, due_at=DUE, reminders=[HALF_AN_HOUR, AN_HOUR])
        first, second = task.reminders

        changed = move(task, first["id"], AT_TEN)

        assert changed.reminders == [{"id": first["id"], **AT_TEN}, second]

    def test_the_default_becomes_an_explicit_one_of_its_id(self, ada):
        task = task_of(ada, due_at=DUE)

        changed = move(task, intents.default_id(task.pk), AN_HOUR)

        assert changed.reminders == [{"id": intents.default_id(task.pk), **AN_HOUR}]

    def test_to_where_it_is_is_no_change(self, ada):
        task = task_of(ada, due_at=DUE, reminders=[HALF_AN_HOUR])

        assert move(task, task.reminders[0]["id"], HALF_AN_HOUR).version == 1

    def test_one_that_is_not_there_is_not_moved(self, ada):
        task = task_of(ada, due_at=DUE, reminders=[HALF_AN_HOUR])

        refused(task, ReminderNotFound, lambda: move(task, uuid4(), AN_HOUR))
        refused(task, ReminderNotFound, lambda: move(task, intents.default_id(task.pk), AN_HOUR))

    def test_into_the_past_it_is_refused(self, ada):
        task = task_of(ada, due_at=DUE, reminders=[AN_HOUR, HALF_AN_HOUR])
        past = {"trigger_at": "2026-11-20T08:00:00Z"}

        reason = refused(task, InvalidTask, lambda: move(task, task.reminders[1]["id"], past))

        assert reason.field == "trigger_at"

    def test_of_a_deleted_task_or_an_older_one_it_is_refused(self, ada):
        task = task_of(ada, due_at=DUE, reminders=[AN_HOUR])
        (only,) = task.reminders
        refused(task, StaleVersion, lambda: move(task, only["id"], HALF_AN_HOUR, expected_version=7))
        services.delete_task(task_id=task.pk, actor=ada, now=NOW)

        refused(task, TaskDeleted, lambda: move(task, only["id"], HALF_AN_HOUR))


class TestRemoving:
    def test_the_others_stay(self, ada):
        task = task_of(ada, due_at=DUE, reminders=[HALF_AN_HOUR, AN_HOUR])
        first, second = task.reminders

        assert remove(task, first["id"]).reminders == [second]

    def test_the_last_leaves_none_and_not_the_default(self, ada):
        task = task_of(ada, due_at=DUE, reminders=[HALF_AN_HOUR])

        assert remove(task, task.reminders[0]["id"]).reminders == []

    def test_without_the_default_there_are_none(self, ada):
        task = task_of(ada, due_at=DUE)

        assert remove(task, intents.default_id(task.pk)).reminders == []
        assert facts().last().data["changes"] == {"reminders": {"before": None, "after": []}}

    def test_one_that_is_not_there_is_not_taken_away(self, ada):
        task = task_of(ada, due_at=DUE)

        refused(task, ReminderNotFound, lambda: remove(task, uuid4()))
        refused(task, StaleVersion, lambda: remove(task, intents.default_id(task.pk), expected_version=7))


class TestTheDefaultsId:
    def test_a_patch_may_keep_it_too(self, ada):
        task = task_of(ada, due_at=DUE)
        explicit = {"id": intents.default_id(task.pk), **AN_HOUR}

        changed = services.update_task(task_id=task.pk, actor=ada, changes={"reminders": [explicit]}, now=NOW)

        assert changed.reminders == [explicit]

    def test_it_is_nobodys_where_the_task_has_others(self, ada):
        task = task_of(ada, due_at=DUE, reminders=[])
        explicit = {"id": intents.default_id(task.pk), **AN_HOUR}

        reason = refused(
            task,
            InvalidTask,
            lambda: services.update_task(task_id=task.pk, actor=ada, changes={"reminders": [explicit]}, now=NOW),
        )

        assert reason.field == "reminders.0.id"


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def add_two(self, task, monkeypatch):
        """The second while the first has not committed; how many there are then."""
        under_way, may_go_on = threading.Event(), threading.Event()
        write = reminding.update_task

        def slowly(**arguments):
            under_way.set()
            assert may_go_on.wait(30)
            return write(**arguments)

        monkeypatch.setattr(reminding, "update_task", slowly)
        with in_background(lambda: add(task, HALF_AN_HOUR)) as first:
            assert under_way.wait(30)
            monkeypatch.setattr(reminding, "update_task", write)
            with in_background(lambda: add(task, AN_HOUR)) as second:
                self.meanwhile(second)
                may_go_on.set()
                first.result(30), second.result(30)
        return without_ids(Task.objects.get(pk=task.pk).reminders)

    def test_neither_is_lost(self, ada, monkeypatch):
        self.meanwhile = lambda second: waits_for_a_lock()

        assert self.add_two(task_of(ada, due_at=DUE), monkeypatch) == [HALF_AN_HOUR, AN_HOUR]

    def test_without_the_lock_one_is(self, ada, monkeypatch):
        """The negative control."""
        monkeypatch.setattr(reminding, "_locked", lambda task_id, **_: Task.objects.get(pk=task_id))
        self.meanwhile = lambda second: second.result(30)

        assert self.add_two(task_of(ada, due_at=DUE), monkeypatch) == [HALF_AN_HOUR]
