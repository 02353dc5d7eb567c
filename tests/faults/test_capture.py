"""F1: a writer that dies between the task's row and its event leaves neither or both."""

import sys
from pathlib import Path

import pytest

from apps.tasks.models import Task
from tests.faults import checker
from tests.faults import journal as journals
from tests.faults.pipeline import Pipeline, wait_until
from tests.support.factories import facts


@pytest.mark.parametrize("point", ["outbox.before_event:8", "outbox.after_event:8"])
def test_a_writer_killed_around_the_event_leaves_no_task_without_event_and_no_event_without_task(
    pipeline: Pipeline, journal: Path, point: str
) -> None:
    command = [sys.executable, "-m", "tests.faults.journal", str(journal), "w", "50"]
    writer = pipeline.run("writer", command, CRASH_POINT=point)

    wait_until(lambda: not writer.runs, "the writer dies at its crash point", seconds=20)

    assert writer.exit_code == -9
    # 7 events were committed: six of the first task, one of the second; the eighth change is gone whole.
    assert facts().count() == 7
    assert [task.version for task in Task.objects.order_by("id")] == [6, 1]
    checker.check_versions_are_contiguous()
    checker.check_acknowledged_changes_are_there(journals.read(journal))


def test_a_writer_that_commits_the_row_alone_is_refused_by_the_database_and_without_the_trigger_is_found_by_the_checker(
    pipeline: Pipeline,
) -> None:
    """The negative control: the checker goes red when the cure is switched off."""
    from datetime import UTC, datetime

    from django.db import IntegrityError, connection, transaction

    from apps.accounts.models import User

    owner = User.objects.create(username="raw")
    now = datetime.now(UTC)

    def write_the_row_alone() -> None:
        with transaction.atomic():
            Task(owner=owner, title="raw", created_at=now, updated_at=now).save(force_insert=True)

    with pytest.raises(IntegrityError, match="has no event"):
        write_the_row_alone()
    assert not Task.objects.exists()

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tasks_task DISABLE TRIGGER task_has_event")
    try:
        write_the_row_alone()
        with pytest.raises(AssertionError):
            checker.check_versions_are_contiguous()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE tasks_task ENABLE TRIGGER task_has_event")
