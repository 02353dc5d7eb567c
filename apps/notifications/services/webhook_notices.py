"""Tells owners of webhooks that we switched them off.

Invariant: a notice for each time that one was, whoever looks how often: `once` names the webhook and the instant it
was switched off.
"""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Exists, Func, OuterRef, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat

from apps.notifications.kinds import Kind
from apps.notifications.models import Notification, WebhookEndpoint
from apps.notifications.services import telling
from apps.notifications.services.news import News

AT_ONCE = 100


class _Stamp(Func):
    """An instant as a part of `once`, to the microsecond."""

    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISSUS')"""
    output_field = TextField()


@transaction.atomic
def tell_of_failing(*, now: datetime) -> int:
    """How many were told of. Those of people who may not come in any more are told nothing."""
    rows = list(_untold()[:AT_ONCE])
    return len(telling.tell([_news(row) for row in rows], now=now)) if rows else 0


def _untold() -> QuerySet[WebhookEndpoint]:
    parts = (Value("notice/webhook/"), Cast(OuterRef("pk"), TextField()), Value("/"), _Stamp(OuterRef("disabled_at")))
    once = Concat(*parts, output_field=TextField())
    told = Notification.objects.filter(once=once)
    failing = WebhookEndpoint.objects.filter(status=WebhookEndpoint.Status.FAILING, owner__is_active=True)
    return failing.filter(~Exists(told)).order_by("pk")


def _news(row: WebhookEndpoint) -> News:
    assert row.disabled_at is not None, "one that is switched off was so at an instant"
    host = urlsplit(row.url).hostname
    return News(
        owner_id=row.owner_id,
        kind=Kind.NOTICE,
        once=f"notice/webhook/{row.pk}/{row.disabled_at.astimezone(UTC):%Y%m%dT%H%M%S%f}",
        title=f"Your webhook to {host} was switched off",
        text=f"{row.disabled_because} What is for it is held for a week. Repair it, then enable it again.",
        about_at=row.disabled_at,
        data={"webhook_id": str(row.pk)},
    )
