"""Erases a person: nothing in the database tells who they were or what they wrote."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from apps.accounts import services as accounts
from apps.accounts.exceptions import AccountErased, StaffNotErased
from apps.accounts.models import User
from apps.events.management.manners import PlatformCommand, wrong_use
from apps.ops import erasure


class Command(PlatformCommand):
    help = (
        "Erase a person for good: what they wrote, who they were, and all they come in with. Their id stays, so that "
        "the audit trail still verifies. Broken off, it goes on when run again. Staff are refused."
    )
    exits = {
        0: "erased, now or before",
        1: "something was written meanwhile: run it again",
        3: "PostgreSQL is away: run it again",
    }

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", metavar="USERNAME-or-id", help="Whom; after the erasure by the id only.")
        parser.add_argument("--by", metavar="USERNAME", help="Who asked for it: the actor of the event.")
        parser.add_argument("--dry-run", action="store_true", help="Only say what would go. Changes nothing.")
        parser.add_argument("--yes", action="store_true", help="Do not ask. Needed where nobody can answer.")
        parser.add_argument("--json", action="store_true", help="Print what came of it as one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = _named(options["person"])
        actor = _named(options["by"]) if options["by"] else None
        if user.erased_at is not None:
            self._go_on(user, options)
            return
        try:
            accounts.check_may_be_erased(user)
        except StaffNotErased as reason:
            raise wrong_use(str(reason)) from reason
        there = erasure.what_there_is(user)
        if options["dry_run"]:
            self._tell({"user_id": str(user.pk), "erased": False, "would_go": there}, options)
            return
        if not options["yes"]:
            self._ask(user, there)
        self._erase(user, actor, there, options)

    def _erase(self, user: User, actor: User | None, there: dict[str, int], options: dict[str, Any]) -> None:
        things = there["tasks"] + there["lists"] + there["tags"]
        try:
            with self.progress("things gone", total=things) as steps:
                left = erasure.erase(user, actor=actor, now=datetime.now(UTC), report=steps.done)
        except AccountErased:  # by somebody else, while this one asked or purged
            user.refresh_from_db()
            self._go_on(user, options)
            return
        except erasure.ThingsLeft as reason:
            raise CommandError(str(reason)) from reason
        self._tell({"user_id": str(user.pk), "erased": True, "gone": there, **asdict(left)}, options)

    def _go_on(self, user: User, options: dict[str, Any]) -> None:
        """A second run: says so, and empties what other processes had in their hands at the first."""
        assert user.erased_at is not None
        left = erasure.left_of(user.pk) if options["dry_run"] else erasure.finish(user.pk)
        told = {"user_id": str(user.pk), "erased": True, "erased_before": user.erased_at.isoformat()}
        self._tell({**told, **asdict(left)}, options)

    def _ask(self, user: User, there: dict[str, int]) -> None:
        if not sys.stdin.isatty():
            raise wrong_use("Nobody is there to be asked. Say --yes, or look first with --dry-run.")
        self.say(f"{_listed(there)} of {user.username} ({user.pk}) will be gone for good. Type the username to go on:")
        if sys.stdin.readline().strip() != user.username:
            raise wrong_use("That is not the username. Nothing was done.")

    def _tell(self, told: dict[str, Any], options: dict[str, Any]) -> None:
        if options["json"]:
            self.print_json(told)
            return
        if "would_go" in told:
            self.stdout.write(f"{told['user_id']} would be erased, and with them {_listed(told['would_go'])}.")
            return
        before = f" They were erased before, at {told['erased_before']}." if "erased_before" in told else ""
        self.stdout.write(f"{told['user_id']} is erased.{before}")
        if told["events_waiting"]:
            self.say(
                f"Still to be given to their groups: {_counted(told['events_waiting'], 'events')}; each is emptied "
                "within a minute after that, by itself."
            )
        if told["contents_waiting"]:
            self.say(
                f"Still in the audit trail: {_counted(told['contents_waiting'], 'contents')} of what they wrote; its "
                "sweep takes them away every minute, by itself. Run it again to see what is left."
            )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(_counted(count, name.replace("_", " ")) for name, count in counts.items() if count) or "nothing"


def _counted(count: int, things: str) -> str:
    one = things.replace("ies", "y") if "ies" in things else things.removesuffix("s")
    one = things if things == "series" else one
    return f"{count:,} {one if count == 1 else things}"


def _named(text: str) -> User:
    """By name, or by id; who was erased has no name to be found by."""
    user = User.objects.filter(username=text).first()
    if user is None:
        try:
            user = User.objects.filter(pk=UUID(text)).first()
        except ValueError:
            user = None
    if user is None:
        raise wrong_use(f"Nobody is called {text!r} or has that id.")
    return user
