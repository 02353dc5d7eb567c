"""Feeds a consumer group again from the event log."""

import sys
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_datetime

from apps.events import replay
from apps.events.errors import GroupStopped, ReplayTooOld, Transient
from apps.events.subscriptions import group_named


class Command(BaseCommand):
    help = (
        "Feed a group its events again from the log. What it has handled before changes nothing. "
        "Exit 0 when done, 1 when refused or stopped on the way."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", required=True)
        parser.add_argument("--since", help="From this instant on, such as 2026-11-20T09:00Z.")
        parser.add_argument("--from-position", type=int, help="From this position of the log on.")
        parser.add_argument("--to-position", type=int, help="Up to this position of the log, included.")
        parser.add_argument("--dry-run", action="store_true", help="Only say how many events there are.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["since"] or options["from_position"] is not None):
            raise CommandError("Say from where: --since or --from-position.")
        try:
            group = group_named(options["group"])
            events = replay.select(
                group,
                since=_instant(options["since"]),
                first=options["from_position"],
                last=options["to_position"],
            )
            if options["dry_run"]:
                self.stdout.write(f"{events.count()} events would be fed to {group.name}.")
                return
            outcome = replay.feed(group, events, report=self._progress)
        except (LookupError, ReplayTooOld, GroupStopped, Transient) as reason:
            raise CommandError(str(reason)) from reason
        self.stdout.write(
            f"{group.name}: {outcome.handled} handled, {outcome.repeated} handled before, {outcome.parked} parked."
        )

    def _progress(self, fed: int) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r{fed} fed", ending="")


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = parse_datetime(text) or datetime.fromisoformat(text)
    except ValueError as reason:
        raise CommandError(f"{text!r} is no instant; write 2026-11-20T09:00Z.") from reason
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
