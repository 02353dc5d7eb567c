"""F3: a transaction that stays open for long and commits its events below positions already relayed and handled.

The negative control stands in tests/events/test_relay.py: a relay that goes by positions loses such an event for good.
"""

import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as StopSignal
from uuid import UUID

import pytest
from django.db import transaction

from apps.accounts.models import User
from apps.audit.models import AuditRecord
from apps.events import reconcile, retention
from apps.events.models import Event, GroupProgress, OutboxEntry
from apps.events.subscriptions import group_named
from apps.tasks import services
from tests.events.concurrency import in_background
from tests.faults import checker
from tests.faults import journal as journals
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, wait_until

OPEN_SECONDS = 20.0


@pytest.mark.fault("F3", "a writer's transaction stays open for 20 s and commits late", bound=2)
def test_what_commits_late_flows_at_once_and_nobody_takes_it_for_lost(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    pipeline.start("relay")
    pipeline.start("worker-audit")
    journals.write(journal, prefix="before", count=2)
    wait_until(checker.quiet, "the pipeline works", seconds=60)
    reconcile_now(pipeline)
    written, may_commit = StopSignal(), StopSignal()

    with in_background(lambda: write_slowly(journal, written, may_commit)) as writer:
        assert written.wait(20)
        opened_at = time.monotonic()
        journals.write(journal, prefix="meanwhile", count=5)
        wait_until(checker.quiet, "what came later is relayed and handled meanwhile", seconds=60)
        while time.monotonic() < opened_at + OPEN_SECONDS:
            reconcile_now(pipeline)
            retention.prune_events()
            time.sleep(1)
        may_commit.set()
        late = writer.result(20)

    evidence.recovered(wait_until(lambda: is_audited(late), "the late one is audited", seconds=60))
    reconcile_now(pipeline)
    evidence.judge(journal, pipeline.broker)
    row = Event.objects.exclude(topic="task-updates").get(subject_id=late)
    assert Event.objects.filter(position__gt=row.position, transaction_id__gt=row.transaction_id).exists()
    assert (GroupProgress.objects.get(group="audit").repaired, OutboxEntry.objects.count()) == (0, 0)


def write_slowly(path: Path, written: StopSignal, may_commit: StopSignal) -> UUID:
    """Create a task of another person than the journal's, whose changes would wait for it, and commit when told to."""
    person, journal = User.objects.get_or_create(username="slow")[0], journals.Journal(path)
    try:
        with journal.operation("late-create", verb="create"), transaction.atomic():
            task = services.create_task(owner=person, actor=person, title="Late", now=datetime.now(UTC))
            written.set()
            # Short of the limit for an idle transaction.
            may_commit.wait(28)
        return UUID(str(task.pk))
    finally:
        journal.close()


def reconcile_now(pipeline: Pipeline) -> None:
    reconcile.run(group_named("audit"), broker=pipeline.broker)


def is_audited(subject_id: UUID) -> bool:
    return AuditRecord.objects.filter(subject_id=subject_id).exists()
