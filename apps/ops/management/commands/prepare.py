"""Makes everything ready for the roles to start: what the `migrate` job runs before a release."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from apps.events import event_types, rights, schedules
from apps.events.brokers import get_broker
from apps.events.management.manners import PlatformCommand


class Command(PlatformCommand):
    help = (
        "Migrate the database as its owner, give the application's role its rights, create missing topics and "
        "schedules. Repeatable."
    )
    exits = {
        0: "all is ready",
        1: "the application's role could not be given its rights: nothing may start",
        3: "PostgreSQL or Kafka refuses or is away: nothing may start",
    }

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be migrated and created.")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = rights.OWNER_ALIAS if rights.OWNER_ALIAS in connections else "default"
        if options["dry_run"]:
            self._tell_what_would_be(owner)
            return
        call_command("migrate", database=owner, interactive=False, verbosity=options["verbosity"])
        self.stdout.write(self._grant(owner))
        for topic, done in get_broker().ensure_topics(event_types.topics()).items():
            self.stdout.write(f"topic {topic}: {done}")
        for name, done in schedules.synchronise().items():
            self.stdout.write(f"schedule {name!r}: {done}")

    def _tell_what_would_be(self, owner: str) -> None:
        call_command("migrate", database=owner, plan=True, interactive=False)
        call_command("create_topics", dry_run=True)
        executor = MigrationExecutor(connections[owner])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.say("The schedules can be told when the migrations are applied.")
        else:
            call_command("sync_schedules", dry_run=True)

    def _grant(self, owner: str) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            role: str = cursor.fetchone()[0]
        if owner != "default" and connections[owner].settings_dict["USER"] != role:
            try:
                rights.grant(to=role, using=owner)
            except rights.RightsNotGranted as reason:
                raise CommandError(str(reason)) from reason
        if found := rights.excess():
            return f"role {role}: {'; '.join(map(str, found))}. See DATABASE_OWNER_URL in .env.example"
        return f"role {role}: has its rights and no more"
