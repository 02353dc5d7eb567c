"""What docs/operations.md tells to do is enough, and no step of it is in vain."""

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.core.management import CommandError, call_command

from apps.audit import checkpoint_writer
from apps.audit.models import AuditRecord, AuditVerification
from apps.audit.selectors import verification_status
from apps.audit.subscribers import group
from apps.audit.verification.findings import Wrong
from apps.events import handling
from apps.events.models import Event
from tests.audit.tampering import remove, sql
from tests.support.factories import append, life_of_one_subject

pytestmark = pytest.mark.django_db(transaction=True)

RUNBOOK = project.BASE_DIR / "docs" / "operations.md"


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.AUDIT_SIGNING_KEY = base64.b64encode(bytes(range(32))).decode()
    settings.AUDIT_CHECKPOINTS_URL = tmp_path.as_uri()
    return tmp_path


@pytest.fixture
def restored(folder: Path) -> None:
    """Three records, signed one by one and verified; then the last is gone from the trail and from the log."""
    life = life_of_one_subject(3)
    for one in life:
        append(one)
        handling.handle(group, [one])
        checkpoint_writer.run(now=datetime.now(UTC))
    call_command("verify_audit")
    remove(AuditRecord.objects.get(event_id=life[2].id))
    sql("DELETE FROM events_outboxentry")
    sql("DELETE FROM events_handledevent WHERE event_id = %s", [life[2].id])
    sql("DELETE FROM events_event WHERE event_id = %s", [life[2].id])


def first_finding() -> str:
    with pytest.raises(CommandError, match="not sound"):
        call_command("verify_audit")
    return str(AuditVerification.objects.latest().findings[0]["wrong"])


def test_a_restore_is_told_by_cut_tails_alone(restored: None) -> None:
    with pytest.raises(CommandError, match="not sound"):
        call_command("verify_audit")

    assert {finding["wrong"] for finding in AuditVerification.objects.latest().findings} == {"tail cut"}
    assert Event.objects.count() == 2


def test_after_a_restore_the_steps_end_the_alarm(restored: None, folder: Path, settings: Any) -> None:
    assert first_finding() == "tail cut"

    (folder / "new").mkdir()
    settings.AUDIT_CHECKPOINTS_URL = (folder / "new").as_uri()
    assert "DELETE FROM audit_auditverification;" in RUNBOOK.read_text()
    sql("DELETE FROM audit_auditverification")
    call_command("checkpoint_audit")
    call_command("verify_audit")

    assert verification_status().sound is True


def test_with_the_old_notes_kept_the_alarm_goes_on(restored: None, folder: Path, settings: Any) -> None:
    """The control: they know of checkpoints that the new place does not have."""
    (folder / "new").mkdir()
    settings.AUDIT_CHECKPOINTS_URL = (folder / "new").as_uri()
    call_command("checkpoint_audit")

    assert first_finding() == "checkpoint refused"
    assert verification_status().sound is False


def test_with_the_old_place_kept_nothing_is_signed(restored: None) -> None:
    with pytest.raises(CommandError, match="Heads went back"):
        call_command("checkpoint_audit")


def test_every_kind_of_finding_is_explained() -> None:
    told = RUNBOOK.read_text()

    assert [kind for kind in Wrong if f"| `{kind}` |" not in told] == []


def test_every_kind_of_trouble_of_the_writer_is_explained() -> None:
    told = RUNBOOK.read_text()

    assert [kind for kind in checkpoint_writer.Trouble if f"`{kind}`" not in told] == []
