"""Tells owners of webhooks that we switched them off.

Invariant: a notice for each time that one was, whoever looks how often: `once` names the webhook and its version then.
"""

from datetime import datetime
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat

from apps.notifications.kinds import Kind
from apps.notifications.models import Notification, WebhookEndpoint
from apps.notifications.services import telling
from apps.notifications.services.news import News

AT_ONCE = 100


@transaction.atomic
def tell_of_failing(*, now: datetime) -> int:
    """How many were told of. Those of people who may not come in any more are told nothing."""
    rows = list(_untold()[:AT_ONCE])
    return len(telling.tell([_news(row) for row in rows], now=now)) if rows else 0


def _untold() -> QuerySet[WebhookEndpoint]:
    parts = (Value("notice/webhook/"), OuterRef("pk"), Value("/"), OuterRef("version"))
    once = Concat(*(Cast(part, TextField()) for part in parts), output_field=TextField())
    told = Notification.objects.filter(once=once)
    failing = WebhookEndpoint.objects.filter(status=WebhookEndpoint.Status.FAILING, owner__is_active=True)
    return failing.filter(~Exists(told)).order_by("pk")


def _news(row: WebhookEndpoint) -> News:
    host = urlsplit(row.url).hostname
    return News(
        owner_id=row.owner_id,
        kind=Kind.NOTICE,
        once=f"notice/webhook/{row.pk}/{row.version}",
        title=f"Your webhook to {host} was switched off",
        text=f"{row.disabled_because} What is for it is held for a week. Repair it, then enable it again.",
        about_at=row.disabled_at or row.updated_at,
        data={"webhook_id": str(row.pk)},
    )
