"""Creates the Kafka topics of every declared event type."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.events import event_types
from apps.events.brokers import get_broker
from apps.events.errors import BrokerFailed


class Command(BaseCommand):
    help = "Create missing Kafka topics. Repeatable; exit 0 when all are there, 1 when Kafka refuses or is away."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for topic, done in get_broker().ensure_topics(event_types.topics()).items():
                self.stdout.write(f"{topic}: {done}")
        except BrokerFailed as reason:
            raise CommandError(str(reason)) from reason
