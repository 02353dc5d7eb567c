"""Celery work of the audit trail: sweeps, each harmless to run twice or late."""

from celery import shared_task
from django.utils import timezone

from apps.audit import services
from apps.audit.verification import periodic


@shared_task(name="audit.verify_trail")
def verify_trail() -> None:
    periodic.run(now=timezone.now())


@shared_task(name="audit.erase_late_contents")
def erase_late_contents() -> None:
    services.erase_late_contents()
