"""Creates the Kafka topics of every declared event type."""

from typing import Any

from django.core.management.base import CommandParser

from apps.events import event_types
from apps.events.brokers import get_broker
from apps.events.management.manners import PlatformCommand


class Command(PlatformCommand):
    help = "Create missing Kafka topics. Repeatable."
    exits = {0: "all topics are there"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON object: per topic what was done.")
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be created.")

    def handle(self, *args: Any, **options: Any) -> None:
        topics = event_types.topics()
        done = _missing(topics) if options["dry_run"] else get_broker().ensure_topics(topics)
        if options["json"]:
            self.print_json(done)
            return
        for topic, what in done.items():
            self.stdout.write(f"{topic}: {what}")


def _missing(topics: list[str]) -> dict[str, str]:
    there = get_broker().topic_states()
    return {topic: "there" if topic in there else "would be created" for topic in topics}
