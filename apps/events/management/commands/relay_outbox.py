"""The `relay` role: moves events from the outbox to Kafka."""

import signal
import threading
from typing import Any

from apps.events import leaving
from apps.events.brokers import get_broker
from apps.events.errors import BrokerFailed
from apps.events.leadership import Leadership
from apps.events.management.manners import PlatformCommand, could_not_look
from apps.events.relay import Relay


class Command(PlatformCommand):
    requires_system_checks: list[str] = []  # `prepare` ran them; a relay that starts at once is missed less
    help = (
        "Relay events from the outbox to Kafka until stopped. Any number may run: one is active, the others stand by. "
        "While PostgreSQL or Kafka is away it waits; caught in a statement of a PostgreSQL that hangs, without beating."
    )
    exits = {0: "stopped by a signal", 3: "Kafka's client failed for good, or a setting is missing: start it again"}

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        leaving.when_told(then=stop.set)
        with Leadership() as leadership:
            try:
                Relay(get_broker(), leadership=leadership, stop=stop).run()
            except BrokerFailed as reason:
                raise could_not_look(f"Kafka's client failed for good: {reason}") from reason
