"""Examines the platform and prints a line for everything it stands on."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.events.management.manners import PlatformCommand
from apps.ops.doctor import report
from apps.ops.doctor.checks import CHECKS


class Command(PlatformCommand):
    requires_system_checks: list[str] = []  # one of the checks runs them
    help = (
        "Look at everything the platform stands on, at once; what is wrong is told with its fix. "
        "Changes nothing, prints no secret, ends within about ten seconds whatever hangs."
    )
    exits = {0: "all is well, or there are warnings only", 1: "something is wrong, or away: that is what it looks for"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        results = report.examine_while_watched(CHECKS)
        if options["json"]:
            self.print_json(report.as_json(results))
        else:
            report.draw(results, console=self.console)
        if wrong := report.count_wrong(results):
            raise CommandError(f"{wrong} of {len(results)} checks {'is' if wrong == 1 else 'are'} wrong.")
