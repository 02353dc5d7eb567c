"""Feeds a consumer group again from the event log."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

from apps.events import replay
from apps.events.brokers import get_broker
from apps.events.errors import GroupBehind, GroupStopped, ReplayTooOld, Transient
from apps.events.handling import Outcome
from apps.events.management.manners import PlatformCommand, wrong_use
from apps.events.models import Event
from apps.events.subscriptions import ConsumerGroup, group_named

# A group that has not caught up by then has another illness than a replay cures.
PATIENCE_SECONDS = 300


class Command(PlatformCommand):
    help = (
        "Feed a group its events again from the log, once it has caught up. What it has handled before changes nothing."
    )
    exits = {0: "done", 1: "refused, the group is behind, or stopped on the way"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", required=True, help="The consumer group, such as audit.")
        parser.add_argument("--since", help="From this instant on, such as 2026-11-20T09:00Z.")
        parser.add_argument("--from-position", type=int, help="From this position of the log on.")
        parser.add_argument("--to-position", type=int, help="Up to this position of the log, included.")
        parser.add_argument("--dry-run", action="store_true", help="Only say how many events there are.")
        parser.add_argument(
            "--no-wait",
            action="store_true",
            help=f"Refuse at once while the group is behind, instead of waiting up to {PATIENCE_SECONDS} s.",
        )
        parser.add_argument("--json", action="store_true", help="Print what came of it as one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["since"] or options["from_position"] is not None):
            raise wrong_use("Say from where: --since or --from-position.")
        try:
            group = group_named(options["group"])
        except LookupError as reason:
            raise wrong_use(str(reason.args[0])) from reason
        try:
            events = replay.select(
                group,
                since=_instant(options["since"]),
                first=options["from_position"],
                last=options["to_position"],
            )
            if options["dry_run"]:
                self._tell_what_would_be(group, events, as_json=options["json"])
                return
            outcome = self._feed(group, events, patience_seconds=0 if options["no_wait"] else PATIENCE_SECONDS)
        except (ReplayTooOld, GroupBehind, GroupStopped, Transient) as reason:
            raise CommandError(str(reason)) from reason
        counts = {
            "handled": outcome.handled,
            "repeated": outcome.repeated,
            "parked": outcome.parked,
            "erased": outcome.erased,
        }
        if options["json"]:
            self.print_json({"group": group.name, **counts})
            return
        erased = f" {outcome.erased} left out: erased with their owner." if outcome.erased else ""
        told = f"{outcome.handled} handled, {outcome.repeated} handled before, {outcome.parked} parked."
        self.stdout.write(f"{group.name}: {told}{erased}")

    def _tell_what_would_be(self, group: ConsumerGroup, events: QuerySet[Event], *, as_json: bool) -> None:
        count = events.filter(erased_at=None).count()
        if as_json:
            self.print_json({"group": group.name, "would_be_fed": count})
        else:
            self.stdout.write(f"{count} events would be fed to {group.name}.")

    def _feed(self, group: ConsumerGroup, events: QuerySet[Event], *, patience_seconds: float) -> Outcome:
        with self.progress("waiting") as steps:
            replay.wait_until_caught_up(group, broker=get_broker(), patience_seconds=patience_seconds, report=steps.now)
        with self.progress("fed", total=events.count()) as steps:
            return replay.feed(group, events, report=steps.done)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = parse_datetime(text) or datetime.fromisoformat(text)
    except ValueError as reason:
        raise wrong_use(f"{text!r} is no instant; write 2026-11-20T09:00Z.") from reason
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
