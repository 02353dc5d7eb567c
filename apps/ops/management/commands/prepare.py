"""Makes everything ready for the roles to start: what the `migrate` job runs before a release."""

from typing import Any

from django.core.management import call_command

from apps.events import event_types, schedules
from apps.events.brokers import get_broker
from apps.events.management.manners import PlatformCommand


class Command(PlatformCommand):
    help = "Migrate the database, create missing topics and schedules. Repeatable."
    exits = {0: "all is ready", 1: "PostgreSQL or Kafka refuses or is away: nothing may start"}

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=options["verbosity"])
        for topic, done in get_broker().ensure_topics(event_types.topics()).items():
            self.stdout.write(f"topic {topic}: {done}")
        for name, done in schedules.synchronise().items():
            self.stdout.write(f"schedule {name!r}: {done}")
