"""The doctor on the audit trail: its checkpoints are there and fit it, their writer works, it is verified and sound."""

import base64
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.audit import checkpoint_writer
from apps.audit.checkpoint_writer import NotWritten
from apps.audit.models import AuditRecord, AuditVerification, CheckpointNote
from apps.audit.subscribers import group
from apps.events import handling
from apps.ops import overview, pipeline
from apps.ops.doctor import trail
from apps.ops.doctor.examination import Level, well
from tests.audit.tampering import remove, rewrite_from
from tests.support.factories import life_of_one_subject

pytestmark = pytest.mark.django_db(transaction=True)

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    path = tmp_path / "checkpoints"
    path.mkdir()
    settings.AUDIT_CHECKPOINTS_URL = path.as_uri()
    settings.AUDIT_SIGNING_KEY = KEY
    return path


@pytest.fixture
def records(folder: Path) -> list[AuditRecord]:
    """Three of one chain, signed a moment ago."""
    handling.handle(group, life_of_one_subject(3))
    checkpoint_writer.run(now=datetime.now(UTC))
    return list(AuditRecord.objects.order_by("sequence"))


def verified(*, sound: bool = True, whole: bool = True, seconds_ago: float) -> None:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    AuditVerification.objects.create(
        started_at=at, finished_at=at, whole=whole, full=whole, records=1, sound=sound, findings=[] if sound else [{}]
    )


def test_a_trail_that_is_what_was_signed_is_well(records: list[AuditRecord]) -> None:
    verdict = trail.checkpoints_kept()

    assert verdict.level is Level.WELL
    assert verdict.told.startswith("number 1 of 20")


def test_records_after_the_checkpoint_are_well(records: list[AuditRecord]) -> None:
    handling.handle(group, life_of_one_subject(1))

    assert trail.checkpoints_kept().level is Level.WELL


def test_a_cut_tail_is_wrong(records: list[AuditRecord]) -> None:
    remove(records[2])

    verdict = trail.checkpoints_kept()

    assert verdict.level is Level.WRONG
    assert verdict.told == f"chain {records[0].chain} no longer holds record 3 as checkpoint 1 signed it"
    assert "docs/operations.md" in verdict.fix


def test_a_chain_rewritten_to_its_end_is_wrong_though_no_shorter(records: list[AuditRecord]) -> None:
    rewrite_from(records[1], type="task.deleted.v1")

    verdict = trail.checkpoints_kept()

    assert AuditRecord.objects.count() == 3
    assert verdict.level is Level.WRONG
    assert verdict.told == f"chain {records[0].chain} no longer holds record 3 as checkpoint 1 signed it"


def test_a_store_that_is_away_is_wrong(records: list[AuditRecord], folder: Path) -> None:
    shutil.rmtree(folder)

    verdict = trail.checkpoints_kept()

    assert (verdict.level, verdict.fix) == (Level.WRONG, trail._STORE)
    assert "there is no such folder" in verdict.told


def test_a_changed_checkpoint_is_wrong(records: list[AuditRecord], folder: Path) -> None:
    (folder / "000000000/000000000001.json").write_text("{}")

    assert trail.checkpoints_kept().told == (
        "Checkpoint 000000000/000000000001.json: it does not have the form of a checkpoint."
    )


def test_without_a_key_it_is_wrong_with_the_fix(records: list[AuditRecord], settings: Any) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    settings.AUDIT_VERIFYING_KEYS = []

    verdict = trail.checkpoints_kept()

    assert (verdict.level, verdict.fix) == (Level.WRONG, trail._KEY)


def test_where_the_store_is_not_named_the_note_of_the_writer_tells(records: list[AuditRecord], settings: Any) -> None:
    settings.AUDIT_CHECKPOINTS_URL = settings.AUDIT_SIGNING_KEY = ""
    noted = trail.checkpoints_kept()
    CheckpointNote.objects.update(trouble="store away", because="s3://trail: 503")
    away = trail.checkpoints_kept()

    assert noted == well("number 1 by its writer's note; the store is not named here")
    assert (away.level, away.told) == (Level.WARNING, "store away: s3://trail: 503")


def test_a_writer_that_stopped_is_a_warning(records: list[AuditRecord]) -> None:
    CheckpointNote.objects.update(tried_at=datetime.now(UTC) - timedelta(seconds=1000))

    verdict = trail.checkpoints_kept()

    assert verdict.level is Level.WARNING
    assert verdict.told.startswith("its writer's last round was 100")


def test_what_the_writer_could_not_do_is_a_warning_though_the_store_answers_now(
    records: list[AuditRecord], settings: Any
) -> None:
    settings.AUDIT_SIGNING_KEY = ""
    with pytest.raises(NotWritten):
        checkpoint_writer.run(now=datetime.now(UTC))
    settings.AUDIT_SIGNING_KEY = KEY

    verdict = trail.checkpoints_kept()

    assert verdict.level is Level.WARNING
    assert verdict.told.startswith("no key: AUDIT_SIGNING_KEY is not set")


def test_before_the_first_checkpoint_it_is_a_warning(folder: Path) -> None:
    verdict = trail.checkpoints_kept()

    assert verdict.level is Level.WARNING
    assert verdict.told.endswith("there is none yet")


@pytest.mark.parametrize(
    ("run", "level", "words"),
    [
        ({"seconds_ago": 60}, Level.WELL, "sound, verified 1 minutes ago, every record 0 hours ago"),
        ({"seconds_ago": 360, "whole": False}, Level.WARNING, "sound, verified 6 minutes ago, every record never"),
        ({"seconds_ago": 60, "sound": False}, Level.WRONG, "the trail was found unsound: 1 findings"),
    ],
)
def test_a_verification_is_judged_by_its_age_and_what_it_found(run: Any, level: Level, words: str) -> None:
    verified(**run)

    assert (trail.verification().level, trail.verification().told) == (level, words)


def test_a_trail_that_was_never_verified_is_a_warning() -> None:
    assert trail.verification().told == "it never ran"


def test_health_doctor_and_status_say_the_same_of_a_whole_verification_of_three_days_ago() -> None:
    verified(seconds_ago=3 * 86_400)
    verified(whole=False, seconds_ago=1)
    pipeline.STATE.forget()

    assert pipeline.conditions_of(pipeline.state())["audit_trail"].status == "degraded"
    assert trail.verification().level is Level.WARNING
    assert trail.verification().told == "sound, verified 0 minutes ago, every record 72 hours ago"
    assert "audit trail is degraded" in overview.troubles(overview.take())
