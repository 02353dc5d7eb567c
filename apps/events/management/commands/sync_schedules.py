"""Puts the declared schedules into celery beat's tables."""

from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from apps.events import schedules
from apps.events.management.manners import PlatformCommand


class Command(PlatformCommand):
    help = "Create missing beat schedules, update untouched ones, keep those changed in the admin. Repeatable."
    exits = {0: "the schedules are as declared, or kept as somebody changed them"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON object: per schedule what was done.")
        parser.add_argument("--dry-run", action="store_true", help="Do it and take it back: only say what would be.")

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            done = schedules.synchronise()
            transaction.set_rollback(options["dry_run"])
        if options["json"]:
            self.print_json(done)
            return
        if options["dry_run"]:
            self.say("A dry run: nothing was changed.")
        for name, what in done.items():
            self.stdout.write(f"{name}: {what}")
