"""No change of a task without its event: what the database and the queryset refuse, in their own words."""

from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from apps.tasks import services
from apps.tasks.exceptions import WriteOutsideServices
from apps.tasks.models import Task
from tests.support.append_only import guards_off
from tests.support.factories import NOW, append, backdated_event, event, facts, person, task_of

INSERT = (
    "INSERT INTO tasks_task (id, owner_id, title, description, status, status_before_deletion, priority, version,"
    " created_at, updated_at) SELECT gen_random_uuid(), id, 'Raw', '', 'pending', '', 'none', %s, now(), now()"
    " FROM accounts_user"
)
RAW_WRITES = {
    "an insert": (INSERT % 1, "INSERT refused: version 1 of task .* has no event"),
    "an insert of another version": (INSERT % 2, "must count one more change, to version 1"),
    "an update": ("UPDATE tasks_task SET title = 'Raw'", "must count one more change, to version 2"),
    "an update that counts": (
        "UPDATE tasks_task SET title = 'Raw', version = version + 1",
        "UPDATE refused: version 2 of task .* has no event",
    ),
    "an update that counts two": (
        "UPDATE tasks_task SET version = version + 2",
        "must count one more change, to version 2",
    ),
    "an update of the id": (
        "UPDATE tasks_task SET id = gen_random_uuid(), version = version + 1",
        "must count one more change, to version 2",
    ),
    "a delete": ("DELETE FROM tasks_task", "DELETE refused: version 2 of task .* has no event"),
    "a truncate": ("TRUNCATE tasks_task", "TRUNCATE refused: tasks_task does not change this way"),
}


def run(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def task(db):
    """A task whose creation has been checked as at a commit."""
    task = task_of(person())
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run("SET CONSTRAINTS ALL DEFERRED")
    return task


@pytest.fixture
def committed_task(transactional_db):
    return task_of(person())


@contextmanager
def as_at_commit():
    """Runs a block and what is deferred to its commit, without a commit: the database is left as it was."""
    with transaction.atomic():
        yield
        run("SET CONSTRAINTS ALL IMMEDIATE")
    run("SET CONSTRAINTS ALL DEFERRED")


def test_a_temporary_table_of_the_logs_name_satisfies_no_guard(task):
    """A session finds temporary tables first, unless a function says where to look."""
    run("CREATE TEMP TABLE events_event (LIKE public.events_event INCLUDING DEFAULTS) ON COMMIT DROP")
    run(
        "INSERT INTO pg_temp.events_event (position, event_id, type, topic, key, source, subject_type, subject_id,"
        " subject_version, occurred_at, correlation_id, traceparent, data)"
        f" VALUES (1, gen_random_uuid(), 'x', '', '', '', 'task', '{task.pk}', 2, now(), '', '', '{{}}')"
    )

    with pytest.raises(IntegrityError, match=r"version 2 of task .* has no event"), as_at_commit():
        run("UPDATE tasks_task SET title = 'Raw', version = version + 1")


def test_a_snapshot_is_no_fact_to_the_guard(task):
    append(
        event(
            subject_id=task.pk,
            version=2,
            type="task.snapshot.v1",
            data={"id": str(task.pk), "version": 2, "task": None},
        )
    )

    with pytest.raises(IntegrityError, match=r"version 2 of task .* has no event"), as_at_commit():
        run("UPDATE tasks_task SET title = 'Raw', version = version + 1")


@pytest.mark.parametrize(("statement", "words"), RAW_WRITES.values(), ids=RAW_WRITES)
def test_a_raw_write_of_a_task_is_refused_at_commit(task, statement, words):
    with pytest.raises(IntegrityError, match=words), as_at_commit():
        run(statement)

    assert list(Task.objects.values_list("pk", "title", "version")) == [(task.pk, "Buy milk", 1)]
    assert facts().count() == 1


def test_a_raw_write_is_refused_by_the_commit_itself(committed_task):
    with pytest.raises(IntegrityError, match=r"UPDATE refused: version 2 of task .* has no event"):
        run("UPDATE tasks_task SET title = 'Raw', version = version + 1")

    assert Task.objects.get().title == "Buy milk"


def test_a_raw_write_hidden_behind_a_proper_change_is_refused_with_it(committed_task):
    @transaction.atomic
    def complete_and_write():
        services.complete_task(task_id=committed_task.pk, actor=committed_task.owner, now=NOW)
        run("UPDATE tasks_task SET title = 'Raw'")

    with pytest.raises(IntegrityError, match="must count one more change, to version 3"):
        complete_and_write()

    assert list(Task.objects.values_list("title", "status", "version")) == [("Buy milk", "pending", 1)]
    assert facts().count() == 1


def test_several_changes_in_one_transaction_commit_with_an_event_each(task):
    with as_at_commit():
        services.complete_task(task_id=task.pk, actor=task.owner, now=NOW)
        services.reopen_task(task_id=task.pk, actor=task.owner, now=NOW)

    assert Task.objects.get().version == 3
    assert list(facts().values_list("subject_version", flat=True)) == [1, 2, 3]


def test_saving_the_model_past_the_services_is_refused(task):
    task.title = "Raw"

    with pytest.raises(IntegrityError, match="must count one more change, to version 2"), as_at_commit():
        task.save()

    assert Task.objects.get().title == "Buy milk"


def test_deleting_the_model_past_the_services_is_refused(task):
    with pytest.raises(IntegrityError, match=r"DELETE refused: version 2 of task .* has no event"), as_at_commit():
        task.delete()

    assert Task.objects.count() == 1


def test_two_events_cannot_claim_the_same_version_of_a_task(task):
    with pytest.raises(IntegrityError, match="event_one_per_subject_version"):
        append(event(subject_id=task.pk, version=1))

    assert facts().count() == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda tasks: tasks.update(title="Raw"),
        lambda tasks: tasks.filter(title="Buy milk").update(title="Raw"),
        lambda tasks: tasks.all().delete(),
        lambda tasks: tasks.bulk_create([Task(title="Raw")]),
        lambda tasks: tasks.bulk_update([Task(title="Raw")], ["title"]),
    ],
    ids=["update", "filtered update", "delete", "bulk_create", "bulk_update"],
)
def test_the_queryset_refuses_mass_writes(task, write):
    with pytest.raises(WriteOutsideServices, match="a mass write would leave no events"):
        write(Task.objects)

    assert list(Task.objects.values_list("title", "version")) == [("Buy milk", 1)]


def test_an_owner_with_tasks_cannot_be_deleted_away_with_them(task):
    with pytest.raises(IntegrityError), as_at_commit():
        run("DELETE FROM accounts_user")

    assert Task.objects.count() == 1


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE events_event SET type = 'x'", "UPDATE refused: events_event does not change this way"),
        ("DELETE FROM events_event", "DELETE refused: events_event keeps its rows for 90 days"),
        ("TRUNCATE events_event CASCADE", "TRUNCATE refused: events_event does not change this way"),
    ],
    ids=["update", "delete", "truncate"],
)
def test_the_log_refuses_to_be_rewritten(task, statement, words):
    with pytest.raises(IntegrityError, match=words), as_at_commit():
        run(statement)

    assert list(facts().values_list("type", flat=True)) == ["task.created.v1"]


def test_the_log_lets_go_of_what_is_older_than_its_retention(db):
    backdated_event(event(), days=91)

    run("DELETE FROM events_event")

    assert facts().count() == 0


def test_with_the_guard_off_a_raw_write_slips_by_and_verify_events_finds_it(committed_task, capsys):
    """Negative control of the constraint trigger."""
    with guards_off():
        run("UPDATE tasks_task SET title = 'Raw', version = version + 1")

    with pytest.raises(CommandError, match="does not hold"):
        call_command("verify_events")

    assert f"task/{committed_task.pk} is at version 2, but its events end at 1" in capsys.readouterr().out


def test_with_the_guard_off_a_task_without_any_event_is_found_by_verify_events(committed_task, capsys):
    """Negative control of the constraint trigger."""
    with guards_off():
        run(INSERT % 1)

    with pytest.raises(CommandError, match="does not hold"):
        call_command("verify_events")

    assert "is at version 1, but has no event" in capsys.readouterr().out


def test_with_the_guard_on_verify_events_finds_nothing(task, capsys):
    call_command("verify_events")

    assert "BROKEN" not in capsys.readouterr().out


def test_an_event_committed_before_does_not_let_a_raw_write_pass(committed_task):
    """The event must be of the same transaction: one appended ahead of time tells of nothing."""
    append(event(version=2, subject_id=committed_task.pk))

    with pytest.raises(IntegrityError, match="has no event"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE tasks_task SET title = 'raw', version = 2")

    committed_task.refresh_from_db()
    assert (committed_task.title, committed_task.version) == ("Buy milk", 1)
