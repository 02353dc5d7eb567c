"""Turns the signals of accounts into events: the one module that knows both.

Invariant: runs inside the transaction of the change, so a change and its event are kept together or not at all.
"""

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from apps.accounts import signals
from apps.accounts.events import AccountEvent
from apps.accounts.models import User
from apps.events import envelope, outbox


@receiver(signals.time_zone_changed)
def publish_time_zone_changed(user: User, actor: User, occurred_at: datetime, before: str, **_: Any) -> None:
    outbox.append(
        envelope.new(
            AccountEvent.TIME_ZONE_CHANGED,
            subject_type="account",
            subject_id=user.id,
            version=None,
            owner_id=user.id,
            actor_id=actor.id,
            occurred_at=occurred_at,
            data={"time_zone": {"before": before, "after": user.time_zone}},
        )
    )


@receiver(signals.account_erased)
def publish_account_erased(user: User, actor: User | None, occurred_at: datetime, **_: Any) -> None:
    """That and when, and nothing of the person: whoever keeps something of theirs lets go of it."""
    outbox.append(
        envelope.new(
            AccountEvent.ERASED,
            subject_type="account",
            subject_id=user.id,
            version=None,
            owner_id=user.id,
            actor_id=actor.id if actor else None,
            occurred_at=occurred_at,
            data={},
        )
    )
