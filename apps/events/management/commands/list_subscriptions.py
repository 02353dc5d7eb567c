"""Prints the wiring: which group applies which types of event, by what function."""

from typing import Any

from django.core.management.base import CommandParser

from apps.events.management.manners import PlatformCommand
from apps.events.subscriptions import groups


def wiring() -> list[dict[str, str]]:
    """One row per subscription, in the order they are declared."""
    return [
        {
            "group": group.name,
            "types": ", ".join(event_type.name for event_type in subscription.types) or "*",
            "function": f"{subscription.function.__module__}.{subscription.function.__name__}",
            "takes": "batch" if subscription.batch else "event",
            "transaction": "event" if group.one_by_one else "batch",
            "failing for good": "parked" if group.parks else "retried for ever",
        }
        for group in groups()
        for subscription in group.subscriptions
    ]


class Command(PlatformCommand):
    help = "List every subscription: group, event types, function."
    exits = {0: "listed"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = wiring()
        if options["json"]:
            self.print_json(rows)
            return
        columns = list(rows[0]) if rows else []
        widths = [max(len(name), *(len(row[name]) for row in rows)) for name in columns]
        for line in [dict(zip(columns, columns, strict=True)), *rows]:
            self.stdout.write("  ".join(line[n].ljust(w) for n, w in zip(columns, widths, strict=True)).rstrip())
