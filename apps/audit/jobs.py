"""Celery work of the audit trail: sweeps, each harmless to run twice or late."""

import structlog
from celery import shared_task
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from apps.audit import checkpoints, services
from apps.audit.checkpoints import CheckpointRefused, CheckpointsAway, HeadsWentBack
from apps.audit.verification import periodic

log = structlog.get_logger(__name__)


@shared_task(name="audit.verify_trail")
def verify_trail() -> None:
    periodic.run(now=timezone.now())


@shared_task(name="audit.erase_late_contents")
def erase_late_contents() -> None:
    services.erase_late_contents()


@shared_task(name="audit.write_checkpoint")
def write_checkpoint() -> None:
    """What goes wrong is told, and tried again at the next beat."""
    try:
        checkpoint = checkpoints.take(now=timezone.now())
    except CheckpointsAway as reason:
        log.error("checkpoints_away", reason=str(reason))  # noqa: TRY400 - the words say all
    except (CheckpointRefused, HeadsWentBack, ImproperlyConfigured) as reason:
        log.error("checkpoint_not_written", reason=str(reason))  # noqa: TRY400 - the words say all
    else:
        if checkpoint is not None:
            log.info("checkpoint_written", number=checkpoint.number, name=checkpoint.name)
