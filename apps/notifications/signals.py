"""What happened to reminders and notifications, in the past tense: sent by the services inside the transaction.

Each carries `changes`, a sequence of `Change` in the order in which they happened, and `occurred_at`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.dispatch import Signal

from apps.events.envelope import Envelope
from apps.events.event_types import EventType

reminders_changed = Signal()
notifications_changed = Signal()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One fact about a row, which is as it was after it: `state` keeps that, since the row may go on changing.

    `told` is what the event says beside the row; `cause` is the event that led to it, by default what is at hand.
    """

    fact: EventType
    row: Any
    version: int
    state: Mapping[str, Any]
    actor_id: UUID | None = None
    cause: Envelope | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
