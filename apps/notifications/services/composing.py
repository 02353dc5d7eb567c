"""What is sent: composed once, and the same in every attempt.

Invariant: whoever lost their claim freezes nothing. An error of one delivery is what became of its attempt, and holds
up no other.
"""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from apps.notifications.selectors.clock import database_now
from apps.notifications.services.claiming import Claimed
from apps.notifications.transports.base import NotSent

DIED = "Its sender died on the way, or was stopped. Whether it arrived is not known."

_FREEZE = """
UPDATE notifications_delivery d SET content = v.content
FROM unnest(%s::uuid[], %s::integer[], %s::jsonb[]) AS v(id, fence, content)
WHERE d.id = v.id AND d.fence = v.fence AND d.status = 'sending' RETURNING d.id
"""


class Died(NotSent):
    """Nobody is left who knows."""


def prepare(claimed: Sequence[Claimed]) -> list[tuple[Claimed, Any]]:
    """Compose what was never composed, and freeze it. With each what `Transport.send` needs besides, or the exception
    that came of it: whatever the transport raises, `Died` where the claim is not ours any more.
    """
    composed = {one.delivery.pk: _composed(one) for one in claimed if one.delivery.content is None}
    new = [one for one in claimed if isinstance(composed.get(one.delivery.pk), dict)]
    frozen = _froze([(one, composed[one.delivery.pk]) for one in new])
    prepared = []
    for one in claimed:
        content = composed.get(one.delivery.pk)
        if isinstance(content, Exception):
            prepared.append((one, content))
        elif content is not None and one.delivery.pk not in frozen:
            prepared.append((one, Died(DIED)))
        else:
            one.delivery.content = one.delivery.content if content is None else content
            prepared.append((one, _reached(one)))
    return prepared


def _composed(claimed: Claimed) -> dict[str, Any] | Exception:
    """As it is read again before the next attempt."""
    row = claimed.delivery
    try:
        content = claimed.transport.compose(row, owner=claimed.owner, items=claimed.items, now=database_now())
        return dict(json.loads(json.dumps(content, cls=DjangoJSONEncoder)))
    except Exception as reason:  # noqa: BLE001 - it is what became of the attempt
        return reason


def _reached(claimed: Claimed) -> Any:
    try:
        return claimed.transport.reach(claimed.delivery, owner=claimed.owner)
    except Exception as reason:  # noqa: BLE001 - it is what became of the attempt
        return reason


def _froze(composed: Sequence[tuple[Claimed, Any]]) -> set[UUID]:
    """Of those whose claim is still ours."""
    if not composed:
        return set()
    rows = [one.delivery for one, _ in composed]
    contents = [json.dumps(content) for _, content in composed]
    with connection.cursor() as cursor:
        cursor.execute(_FREEZE, [[row.pk for row in rows], [row.fence for row in rows], contents])
        return {pk for (pk,) in cursor.fetchall()}
