"""What a person asks of deliveries that came to an end."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.notifications.exceptions import DeliveryForgotten, DeliveryNotFailed, DeliveryNotFound
from apps.notifications.models import Delivery
from apps.notifications.services.worth_sending import ASKED_AGAIN

log = structlog.get_logger(__name__)

Status = Delivery.Status


@transaction.atomic
def retry(*, delivery_id: UUID, actor: User, now: datetime) -> Delivery:
    """Try one that has failed again, with the same key and as often as a new one, whatever was read meanwhile.

    Raises `DeliveryNotFound`, also for somebody else's unless `actor` is staff, `DeliveryNotFailed`, and
    `DeliveryForgotten` of one whose content is not kept any more: by its key nothing else may go out.
    """
    rows = Delivery.objects.select_for_update()
    row = (rows if actor.is_staff else rows.filter(owner=actor)).filter(pk=delivery_id).first()
    if row is None:
        raise DeliveryNotFound(delivery_id)
    if row.status != Status.FAILED:
        raise DeliveryNotFailed(delivery_id, status=row.status)
    if row.content is None and row.finished_at and row.finished_at < now - _content_kept():
        raise DeliveryForgotten(delivery_id)
    row.status, row.because, row.attempts, row.finished_at = Status.WAITING, ASKED_AGAIN, 0, None
    row.send_at = now
    row.save(update_fields=["status", "because", "attempts", "finished_at", "send_at"])
    log.info("delivery_asked_again", delivery_id=str(row.pk), transport=row.transport, actor_id=str(actor.pk))
    return row


def _content_kept() -> timedelta:
    return timedelta(days=settings.DELIVERY_CONTENT_RETENTION_DAYS)
