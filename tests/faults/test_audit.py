"""F24: a writer of the trail that froze in the middle and comes back when others have gone on."""

from pathlib import Path

from apps.audit.models import AuditRecord
from tests.faults import checker
from tests.faults import journal as journals
from tests.faults.pipeline import Pipeline, thaw, wait_until

TOPICS = ["task-events"]
# The lock that the frozen one holds goes with its session: PostgreSQL ends a transaction that idles for 30 s.
RECOVERY_SECONDS = 60.0


def test_a_writer_frozen_between_head_and_record_makes_no_fork_when_it_comes_back(
    pipeline: Pipeline, journal: Path
) -> None:
    pipeline.start("relay")
    zombie = pipeline.start("worker-audit", name="zombie", CRASH_POINT="audit.heads_read", CRASH_SIGNAL="SIGSTOP")
    journals.write(journal, prefix="a", count=10)
    wait_until(lambda: _is_stopped(zombie.id.number), "the writer freezes", seconds=30)
    assert not AuditRecord.objects.exists()

    pipeline.start("worker-audit", name="heir")
    recovery = wait_until(checker.quiet, "another has recorded every event", seconds=RECOVERY_SECONDS + 30)
    thaw(zombie)
    journals.write(journal, prefix="b", count=10)
    wait_until(checker.quiet, "both go on", seconds=60)
    wait_until(lambda: pipeline.broker.lag("audit", TOPICS) == 0, "all is read", seconds=60)

    assert recovery < RECOVERY_SECONDS
    checker.check_all(journals.read(journal), checker.all_records(pipeline.broker, TOPICS))


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
