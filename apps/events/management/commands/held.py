"""Looks at the events that cannot go to Kafka, and gives one up."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.events import held
from apps.events.brokers import get_broker
from apps.events.errors import GroupBehind, GroupStopped, NotHeld, Transient
from apps.events.management.manners import PlatformCommand, wrong_use

PATIENCE_SECONDS = 60
MOST = 1000


class Command(PlatformCommand):
    help = (
        "List the events that are held: Kafka cannot take them, or they wait behind such a one of their key. The first "
        "of each key is offered again every few seconds. To give one up hands it to every group from the log: Kafka "
        "never gets it, and those behind it go on."
    )
    exits = {0: "done", 1: "it could not be given up: it is not the first of its key, or a group is behind or refuses"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", nargs="?", choices=["list", "give-up"], default="list")
        parser.add_argument("position", nargs="?", type=int, help="Give up: which, by its position in the log.")
        parser.add_argument("--json", action="store_true", help=f"Print JSON: at most {MOST}, or what was done.")
        parser.add_argument("--dry-run", action="store_true", help="Give up: only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        if (options["action"] == "give-up") != (options["position"] is not None):
            raise wrong_use("Say which one to give up, by its position.")
        if options["action"] == "list":
            self._list(as_json=options["json"])
        else:
            self._give_up(options["position"], as_json=options["json"], dry_run=options["dry_run"])

    def _list(self, *, as_json: bool) -> None:
        rows = held.listed(MOST)
        if as_json:
            self.print_json([asdict(row) for row in rows])
            return
        for row in rows:
            self.stdout.write(f"{row.position:>8}  {row.type or '-'}  {row.topic or '-'}/{row.key or '-'}  {row.why}")
        if not rows:
            self.stdout.write("Nothing is held.")

    def _give_up(self, position: int, *, as_json: bool, dry_run: bool) -> None:
        try:
            if dry_run:
                names = [group.name for group in held.wanting(held.first_held(position))]
            else:
                with self.progress("waiting") as steps:
                    names = held.give_up(
                        position, broker=get_broker(), patience_seconds=PATIENCE_SECONDS, report=steps.now
                    )
        except (NotHeld, GroupBehind, GroupStopped, Transient) as reason:
            raise CommandError(str(reason)) from reason
        if as_json:
            self.print_json({"position": position, "groups": names, "given_up": not dry_run})
            return
        told = "would be handed" if dry_run else "was handed"
        self.stdout.write(f"{position} {told} to {', '.join(names) or 'no group'} from the log, and not to Kafka.")
