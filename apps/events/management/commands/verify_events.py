"""Checks what the event core promises against what stands in the database."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.events import verify
from apps.events.management.manners import PlatformCommand


class Command(PlatformCommand):
    help = "Verify the event log: versions without gaps, every event handled by every group that subscribes to it."
    exits = {0: "all holds", 1: "something is broken"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        promises = verify.run(patience_seconds=verify.PATIENCE_SECONDS)
        if options["json"]:
            self.print_json([promise.as_dict() for promise in promises])
        else:
            for each in promises:
                self.stdout.write(f"{'ok    ' if each.holds else 'BROKEN'}  {each.promise}: {each.told}")
        if not all(each.holds for each in promises):
            raise CommandError("The event log does not hold what it promises.")
