"""Celery work of the audit trail: sweeps, each harmless to run twice or late."""

import structlog
from celery import shared_task
from django.utils import timezone

from apps.audit import checkpoint_writer, erasing
from apps.audit.checkpoint_writer import NotWritten, Trouble
from apps.audit.verification import periodic

log = structlog.get_logger(__name__)


@shared_task(name="audit.verify_trail")
def verify_trail() -> None:
    periodic.run(now=timezone.now())


@shared_task(name="audit.erase_late_contents")
def erase_late_contents() -> None:
    erasing.erase_late_contents()


@shared_task(name="audit.write_checkpoint")
def write_checkpoint() -> None:
    """What goes wrong is told, and tried again at the next beat."""
    try:
        checkpoint = checkpoint_writer.run(now=timezone.now())
    except NotWritten as reason:
        what = "checkpoints_away" if reason.trouble is Trouble.STORE_AWAY else "checkpoint_not_written"
        log.error(what, reason=str(reason))  # noqa: TRY400 - the words say all
    else:
        if checkpoint is not None:
            log.info("checkpoint_written", number=checkpoint.number, name=checkpoint.name)
