"""Shows the whole pipeline at a glance, once or again and again."""

import argparse
import json
import time
from typing import Any

from django.core.management.base import CommandParser
from rich.live import Live

from apps.events.management.manners import AlreadyTold, PlatformCommand, as_text
from apps.ops import overview, status_picture

PACE_SECONDS = 2.0


class Command(PlatformCommand):
    requires_system_checks: list[str] = []
    help = (
        "Show the whole pipeline at a glance: outbox, relay, Kafka, groups, roles, sweeps, jobs, audit. "
        "Reads only, and no table that grows is counted. What is away is shown as such."
    )
    exits = {0: "all is well, or --watch was left by Ctrl-C", 1: "something is late, or away: that is what it shows"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--watch",
            nargs="?",
            type=_pace,
            const=PACE_SECONDS,
            metavar="SECONDS",
            help=f"Look again every so many seconds ({PACE_SECONDS:g}), until Ctrl-C.",
        )
        parser.add_argument("--json", action="store_true", help="One JSON object; with --watch one a line.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["watch"]:
            self._watch(options["watch"], as_json=options["json"])
            return
        seen = overview.take()
        if options["json"]:
            self.print_json(seen.as_dict())
        else:
            self.console.print(status_picture.draw(seen))
        if wrong := overview.troubles(seen):
            raise AlreadyTold("; ".join(wrong))

    def _watch(self, pace: float, *, as_json: bool) -> None:
        try:
            if as_json:
                while True:
                    self.stdout.write(json.dumps(overview.take().as_dict(), ensure_ascii=False, default=as_text))
                    self.stdout.flush()
                    time.sleep(pace)
            with Live(console=self.console, auto_refresh=False) as live:
                while True:
                    live.update(status_picture.draw(overview.take()), refresh=True)
                    time.sleep(pace)
        except KeyboardInterrupt:
            return


def _pace(text: str) -> float:
    try:
        pace = float(text)
    except ValueError:
        pace = 0.0
    if not 0.2 <= pace <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no pace: between 0.2 and 3600 seconds")
    return pace
