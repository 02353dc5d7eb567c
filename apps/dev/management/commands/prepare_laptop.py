"""Prepares and seeds the laptop's database, and tells the supervisor which roles there are.

One process and not three: importing Django costs as much as the work itself.
"""

import json
from typing import Any

from django.conf import settings
from django.core.management import call_command

from apps.events.management.manners import PlatformCommand

LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}


class Command(PlatformCommand):
    help = "Run prepare and seed, then print the roles and their commands as a last line of JSON."
    exits = {0: "all is ready", 3: "PostgreSQL or Kafka refuses or is away: nothing may start"}

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("prepare", verbosity=options["verbosity"])
        host = settings.DATABASES["default"]["HOST"]
        if host in LOOPBACK_HOSTS:
            call_command("seed")
        else:
            self.stdout.write(f"The database at {host} is not this machine's: nobody is seeded there.")
        self.stdout.write(json.dumps(settings.ROLES))
