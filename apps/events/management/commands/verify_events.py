"""Checks what the event core promises against what stands in the database."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.events import verify


class Command(BaseCommand):
    help = (
        "Verify the event log: versions without gaps, every event handled by every group that subscribes to it. "
        "Exit 0 when all holds, 1 when something is broken."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = verify.run()
        if options["json"]:
            self.stdout.write(json.dumps([finding.as_dict() for finding in findings], indent=2))
        else:
            for finding in findings:
                self.stdout.write(f"{'ok    ' if finding.holds else 'BROKEN'}  {finding.promise}: {finding.told}")
        if not all(finding.holds for finding in findings):
            raise CommandError("The event log does not hold what it promises.")
