"""What the writer of checkpoints notes for instruments: the newest, how it went, and since when records wait."""

import base64
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, connection

from apps.audit import checkpoint_writer, checkpoints
from apps.audit.checkpoint_writer import NotWritten, Trouble
from apps.audit.models import AuditRecord, CheckpointNote
from apps.audit.subscribers import group
from apps.events import handling
from tests.audit.tampering import sql
from tests.support.append_only import guards_off
from tests.support.factories import event, life_of_one_subject

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path: Path, settings) -> Path:
    path = tmp_path / "checkpoints"
    path.mkdir()
    settings.AUDIT_CHECKPOINTS_URL = path.as_uri()
    settings.AUDIT_SIGNING_KEY = base64.b64encode(bytes(range(32))).decode()
    return path


def now() -> datetime:
    return datetime.now(UTC)


def record(*, count: int = 1, seconds_ago: float = 0.0) -> None:
    """So many records of one thing, recorded so long ago."""
    known = list(AuditRecord.objects.values_list("pk", flat=True))
    handling.handle(group, life_of_one_subject(count))
    at = now() - timedelta(seconds=seconds_ago)
    sql("UPDATE audit_auditrecord SET recorded_at = %s WHERE NOT id = ANY(%s)", [at, known])


def test_before_its_first_round_nothing_is_known():
    found = checkpoint_writer.status()

    assert (found.number, found.age_seconds, found.tried_age_seconds, found.trouble) == (0, None, None, "")
    assert found.unsigned_age_seconds == 0


def test_the_newest_checkpoint_is_noted_and_every_record_is_signed(folder):
    record(count=3, seconds_ago=600)
    before = checkpoint_writer.status()

    written = checkpoint_writer.run(now=now() - timedelta(seconds=40))

    found = checkpoint_writer.status()
    assert before.unsigned_age_seconds == pytest.approx(600, abs=10)
    assert written == checkpoints.newest()
    assert (found.number, found.trouble, found.because, found.unsigned_age_seconds) == (1, "", "", 0)
    assert found.age_seconds == pytest.approx(40, abs=10)
    assert found.tried_age_seconds == pytest.approx(40, abs=10)


def test_a_round_in_which_nothing_moved_notes_that_it_looked(folder):
    record()
    checkpoint_writer.run(now=now() - timedelta(hours=2))

    assert checkpoint_writer.run(now=now()) is None

    found = checkpoint_writer.status()
    assert found.number == 1
    assert found.age_seconds == pytest.approx(7200, abs=10)
    assert found.tried_age_seconds == pytest.approx(0, abs=10)


def test_a_record_that_nobody_signed_waits_since_it_was_recorded_not_since_the_last_checkpoint(folder):
    record()
    checkpoint_writer.run(now=now() - timedelta(hours=2))
    record(seconds_ago=100)
    record(seconds_ago=50)

    assert checkpoint_writer.status().unsigned_age_seconds == pytest.approx(100, abs=10)


def _no_key(folder: Path, settings) -> None:
    settings.AUDIT_SIGNING_KEY = ""


def _changed(folder: Path, settings) -> None:
    (folder / "000000000/000000000001.json").write_text("{}")


def _cut(folder: Path, settings) -> None:
    with guards_off():
        AuditRecord.objects.all().delete()


@pytest.mark.parametrize(
    ("harm", "trouble"),
    [
        (lambda folder, settings: shutil.rmtree(folder), Trouble.STORE_AWAY),
        (_no_key, Trouble.NO_KEY),
        (_changed, Trouble.CHECKPOINT_REFUSED),
        (_cut, Trouble.HEADS_WENT_BACK),
    ],
    ids=lambda value: str(value) if isinstance(value, Trouble) else "",
)
def test_why_nothing_was_written_is_noted_beside_the_newest_that_was(folder, settings, harm, trouble):
    record()
    checkpoint_writer.run(now=now() - timedelta(hours=1))
    harm(folder, settings)

    with pytest.raises(NotWritten) as refused:
        checkpoint_writer.run(now=now())

    found = checkpoint_writer.status()
    assert refused.value.trouble is trouble
    assert (found.number, found.trouble, found.because) == (1, trouble, str(refused.value))
    assert found.age_seconds == pytest.approx(3600, abs=10)
    assert found.tried_age_seconds == pytest.approx(0, abs=10)


def test_trying_notes_nothing(folder, settings):
    record()
    checkpoint_writer.run(now=now(), dry_run=True)
    settings.AUDIT_SIGNING_KEY = ""
    with pytest.raises(NotWritten):
        checkpoint_writer.run(now=now(), dry_run=True)

    assert CheckpointNote.objects.count() == 0
    assert list(folder.iterdir()) == []


def test_a_forged_note_deceives_the_instrument_and_not_the_verification(folder):
    """Why the note is no proof: here it says that all is signed, while nothing is."""
    from apps.audit.verification import against_checkpoints

    record(seconds_ago=5000)
    ((number, head),) = checkpoints.selectors.heads().items()
    CheckpointNote.objects.create(tried_at=now(), number=9, taken_at=now(), sequences={str(number): head.sequence})

    assert checkpoint_writer.status().unsigned_age_seconds == 0
    assert against_checkpoints.hold(whole=False).unproven == "There is no checkpoint yet."


def test_there_is_one_note():
    with pytest.raises(IntegrityError, match="audit_checkpoint_note_is_one"):
        CheckpointNote.objects.create(pk=2, tried_at=now())

    assert CheckpointNote.objects.count() == 0


def test_a_long_trail_is_looked_at_by_its_index(folder):
    handling.handle(group, [event() for _ in range(50)])
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {checkpoint_writer._OLDEST_UNSIGNED}", [[0, 1], [0, 0]])
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")

    assert "Index Scan using audit_record_once_in_chain" in plan
