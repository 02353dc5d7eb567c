"""Prepares and seeds the laptop's database, and tells the supervisor which roles there are.

One process and not three: importing Django costs as much as the work itself.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core.management import call_command

from apps.accounts.models import User
from apps.dev.people import PEOPLE, Person
from apps.events.management.manners import PlatformCommand

LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}


class Command(PlatformCommand):
    help = (
        "Run prepare and seed, then print the roles with their commands, and who can sign in, as a last line of JSON."
    )
    exits = {0: "all is ready", 3: "PostgreSQL or Kafka refuses or is away: nothing may start"}

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("prepare", verbosity=options["verbosity"])
        host = settings.DATABASES["default"]["HOST"]
        if host in LOOPBACK_HOSTS:
            call_command("seed")
        else:
            self.stdout.write(f"The database at {host} is not this machine's: nobody is seeded there.")
        self.stdout.write(json.dumps({"roles": settings.ROLES, "sign_ins": _sign_ins()}))


def _sign_ins() -> list[str]:
    """Those of the laptop's people who are there still and have kept the password that everybody knows."""
    hashes = dict(
        User.objects.filter(is_active=True, username__in=[each.username for each in PEOPLE]).values_list(
            "username", "password"
        )
    )

    def may(person: Person) -> bool:
        return person.username in hashes and check_password(person.password, hashes[person.username])

    # A third of a second each once they have signed in; hashing lets other threads run.
    with ThreadPoolExecutor() as pool:
        return [each.username for each, right in zip(PEOPLE, pool.map(may, PEOPLE), strict=True) if right]
