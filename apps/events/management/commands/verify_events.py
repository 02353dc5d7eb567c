"""Checks what the event core promises against what stands in the database."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.events import verify
from apps.events.management.manners import PlatformCommand


class Command(PlatformCommand):
    help = "Verify the event log: versions without gaps, every event handled by every group that subscribes to it."
    exits = {0: "all holds", 1: "something is broken, or PostgreSQL is away"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = verify.run(patience_seconds=verify.PATIENCE_SECONDS)
        if options["json"]:
            self.print_json([finding.as_dict() for finding in findings])
        else:
            for finding in findings:
                self.stdout.write(f"{'ok    ' if finding.holds else 'BROKEN'}  {finding.promise}: {finding.told}")
        if not all(finding.holds for finding in findings):
            raise CommandError("The event log does not hold what it promises.")
