"""Looks at the events that groups gave up on, and decides about them."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import InterfaceError, OperationalError, connection
from django.db.models import QuerySet

from apps.events import dead_letters
from apps.events.errors import DeadLetterNotParked
from apps.events.management.manners import PlatformCommand, in_one_line, wrong_use
from apps.events.models import DeadLetter


class Command(PlatformCommand):
    help = "List, replay or discard dead letters. A replay applies the event and those parked behind it, in order."
    exits = {0: "done", 1: "one failed again, or was decided about before"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["list", "replay", "discard"])
        parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="Which; for replay also --group.")
        parser.add_argument("--group", help="Those of one consumer group.")
        parser.add_argument("--all", action="store_true", help="List: also those replayed and discarded.")
        parser.add_argument(
            "--json", action="store_true", help="Print JSON: the list with its events, or what was done."
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        letters = DeadLetter.objects.order_by("id")
        if options["group"]:
            letters = letters.filter(group=options["group"])
        if options["ids"]:
            letters = letters.filter(pk__in=options["ids"])
            if missing := sorted(set(options["ids"]) - set(letters.values_list("pk", flat=True))):
                raise wrong_use(f"No dead letter {', '.join(map(str, missing))}.")
        if options["action"] == "list":
            if not options["all"]:
                letters = letters.filter(status=DeadLetter.Status.PARKED)
            self._list(letters, as_json=options["json"])
        elif not options["ids"] and not (options["action"] == "replay" and options["group"]):
            raise wrong_use("Say which: ids, or for replay --group.")
        else:
            self._decide(letters, options)

    def _list(self, letters: QuerySet[DeadLetter], *, as_json: bool) -> None:
        if as_json:
            rows = [
                {field: str(value) if field.endswith(("_at", "_id")) else value for field, value in row.items()}
                for row in letters.values()
            ]
            self.print_json(rows)
            return
        for letter in letters:
            place = f"{letter.topic}/{letter.record_partition}@{letter.record_offset}"
            waits = f" behind {letter.behind_id}" if letter.behind_id else ""
            self.stdout.write(
                f"{letter.pk:>6}  {letter.group}  {letter.type}  {letter.event_id}  {place}  "
                f"{letter.status}{waits}  {letter.reason.splitlines()[0][:120]}"
            )
        if not letters:
            self.stdout.write("No dead letters.")

    def _decide(self, letters: QuerySet[DeadLetter], options: dict[str, Any]) -> None:
        action = options["action"]
        chosen = letters.filter(status=DeadLetter.Status.PARKED) if not options["ids"] else letters
        # A discard frees what waits behind it: what is to be discarded too goes first.
        order = "-pk" if action == "discard" else "pk"
        outcomes = []
        for pk in list(chosen.order_by(order).values_list("pk", flat=True)):
            if options["dry_run"]:
                told, outcome = f"would {action} {pk}", f"would {action}"
            else:
                outcome = self._decide_about(pk, action, options["ids"])
                told = f"{action} {pk}: {outcome}"
            outcomes.append({"id": pk, "action": action, "outcome": outcome})
            if outcome.startswith("failed"):
                self.say(told)
            elif outcome and not options["json"]:
                self.stdout.write(told)
        if options["json"]:
            self.print_json(outcomes)
        if failed := sum(each["outcome"].startswith("failed") for each in outcomes):
            raise CommandError(f"{failed} failed again and stay parked.")

    def _decide_about(self, pk: int, action: str, ids: list[int]) -> str:
        """What came of it, in words. Raises `CommandError` when it was decided about before."""
        try:
            applied = (dead_letters.replay if action == "replay" else dead_letters.discard)(pk)
        except DeadLetterNotParked as reason:
            if ids and not self._was_freed_just_now(pk, ids):
                raise CommandError(str(reason)) from reason
            return ""  # it went with an earlier one
        except Exception as reason:  # whatever a handler raises
            if isinstance(reason, OperationalError | InterfaceError) and not connection.is_usable():
                raise
            return f"failed again: {type(reason).__name__}: {in_one_line(reason)}"
        return f"{applied} applied."

    def _was_freed_just_now(self, pk: int, ids: list[int]) -> bool:
        """Replaying one frees those behind it, which may have been named too."""
        letter = DeadLetter.objects.get(pk=pk)
        earlier = DeadLetter.objects.filter(pk__in=ids, pk__lt=pk, topic=letter.topic, key=letter.key)
        return letter.status == DeadLetter.Status.REPLAYED and earlier.exists()
