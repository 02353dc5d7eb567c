"""Answers a repeated request as it was answered the first time.

Invariant: the answer is kept in the transaction of the change it tells of, so a change without its answer, or an
answer without its change, cannot be. Whatever was refused changed nothing and is not kept.

Source: the IETF draft "The Idempotency-Key HTTP Header Field".
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.models import QuerySet

from apps.tasks.models import IdempotentAnswer

KEPT_FOR = timedelta(hours=24)
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")


class InvalidKey(Exception):
    def __init__(self) -> None:
        super().__init__("An Idempotency-Key has 1 to 255 visible ASCII characters, best a random UUID.")


class KeyInFlight(Exception):
    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is being answered just now; try again in a moment.")


class KeyReused(Exception):
    def __init__(self) -> None:
        super().__init__("This Idempotency-Key came with another request within the last day; take a new one.")


def fingerprint(*, method: str, address: str, body: Any) -> str:
    """Tells one request from another: equal for equal JSON, however it was written."""
    asked = json.dumps([method, address, body], sort_keys=True, default=str)  # a form may hold files: by their names
    return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()


def claim(*, owner_id: UUID, key: str, fingerprint: str, now: datetime) -> IdempotentAnswer | None:
    """What the key was answered before, `None` when it is new; it is the caller's until the transaction ends.

    Raises `InvalidKey`, `KeyInFlight` and `KeyReused`.
    """
    if not _KEY.match(key):
        raise InvalidKey
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 1))", [f"{owner_id}:{key}"])
        if not cursor.fetchone()[0]:
            raise KeyInFlight
    kept = IdempotentAnswer.objects.filter(owner_id=owner_id, key=key).first()
    if kept is None:
        return None
    if kept.created_at <= now - KEPT_FOR:
        kept.delete()
        return None
    if kept.fingerprint != fingerprint:
        raise KeyReused
    return kept


def keep(*, owner_id: UUID, key: str, fingerprint: str, status: int, headers: Mapping[str, str], data: Any) -> None:
    IdempotentAnswer.objects.create(
        owner_id=owner_id,
        key=key,
        fingerprint=fingerprint,
        status=status,
        headers=dict(headers),
        data=json.loads(json.dumps(data, cls=DjangoJSONEncoder)),
    )


def answers_to(owner_id: UUID) -> QuerySet[IdempotentAnswer]:
    """What a person was answered: it repeats what they wrote."""
    return IdempotentAnswer.objects.filter(owner_id=owner_id)


def forget_old(*, now: datetime, most: int = 5000) -> int:
    """Delete answers older than a day; how many."""
    old = IdempotentAnswer.objects.filter(created_at__lte=now - KEPT_FOR).order_by("created_at")
    deleted, _ = IdempotentAnswer.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:most])).delete()
    return deleted
