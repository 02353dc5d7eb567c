"""Lets time pass for what is told, in one process: the sweep, the pipeline and a sender, step by step.

Time is the database's and the process's alike, and stands still between two steps.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from django.db import connection

from apps.notifications.sending.fairness import Room
from apps.notifications.services import sending, triggering
from apps.notifications.services.sending import Claimed, Finished
from apps.notifications.transports import transport_named, transports
from apps.notifications.transports.base import Receipt
from tests.support import database_clock
from tests.support.pump import Pump

_TABLES = (
    *("remindedtask", "reminder", "notification", "delivery", "deliveryitem", "deliveryattempt", "preferences"),
    *("webhookendpoint", "pushsubscription"),
)
_ALL = Room(all=1000, risky=1000, person=1000)


class Clock:
    """One clock for PostgreSQL and Python."""

    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def advance(self, **how: float) -> None:
        """By hours, minutes, seconds."""
        self._traveller.shift(timedelta(**how))
        database_clock.set_to(self.now)


@contextmanager
def standing_clock(instant: datetime) -> Iterator[Clock]:
    with time_machine.travel(instant, tick=False) as traveller, database_clock.database_clock(instant):
        yield Clock(traveller)


def sweep_and_run(pump: Pump) -> int:
    """What is due is triggered, and all that follows is handled; how many were triggered."""
    triggered = triggering.trigger_due().triggered
    pump.run()
    return triggered


def claim(name: str) -> list[Claimed]:
    """As a sender begins: what died is given up, what is due is claimed and composed."""
    transport = transport_named(name)
    sending.bury(transport)
    return sending.claim(transport=transport, room=_ALL)


def try_once(claimed: Claimed) -> Finished:
    """One attempt, whose outcome nobody has kept yet."""
    try:
        ((_, to),) = sending.prepare([claimed])
        if isinstance(to, Exception):
            return Finished(claimed, to)
        content = claimed.delivery.content
        return Finished(
            claimed, claimed.transport.send(content, to=to, key=claimed.key, attempt=claimed.delivery.attempts)
        )
    except Exception as reason:  # noqa: BLE001  whatever it is, it is judged
        return Finished(claimed, reason)


def send_due() -> list[Receipt | BaseException]:
    """Each transport sends what is due now, once; how each ended."""
    made = [try_once(one) for name, transport in transports().items() if not transport.at_once for one in claim(name)]
    sending.finish(made)
    return [one.outcome for one in made]


def rows() -> dict[str, list[str]]:
    """Everything the app keeps, in no order, as text."""
    found = {}
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"SELECT to_jsonb(t)::text FROM notifications_{table} t")
            found[table] = sorted(row[0] for row in cursor.fetchall())
    return found
