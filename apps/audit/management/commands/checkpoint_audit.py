"""Signs a checkpoint of the audit trail now, instead of at the next beat."""

import base64
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser

from apps.audit import checkpoint_writer, signing
from apps.audit.checkpoint_writer import NotWritten
from apps.audit.checkpoints import Checkpoint
from apps.events.management.manners import COULD_NOT_LOOK, FOUND_WRONG, PlatformCommand


class Command(PlatformCommand):
    help = (
        "Sign the heads of the audit chains and keep them outside the database, if they moved since the newest "
        "checkpoint."
    )
    exits = {
        0: "signed and kept, or nothing moved",
        1: "nothing kept: checkpoint refused (the newest is not what was signed), or heads went back (the trail is not "
        "what was signed)",
        3: "nothing kept: no key, or the store or PostgreSQL is away",
    }

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")
        parser.add_argument("--dry-run", action="store_true", help="Sign, and keep nothing.")
        parser.add_argument(
            "--public-key",
            action="store_true",
            help="Only print what the key's signatures are verified by, for AUDIT_VERIFYING_KEYS.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run: bool = options["dry_run"]
        try:
            if options["public_key"]:
                self._tell_public_key(as_json=options["json"])
                return
            told = _as_dict(checkpoint_writer.run(now=datetime.now(UTC), dry_run=dry_run), dry_run=dry_run)
        except (NotWritten, ImproperlyConfigured) as refusal:
            reason = refusal if isinstance(refusal, NotWritten) else NotWritten(refusal)
            code = FOUND_WRONG if reason.trouble.found_wrong else COULD_NOT_LOOK
            if options["json"]:
                error = {"error": str(reason)} if code == COULD_NOT_LOOK else {}
                self.print_json({**_as_dict(None, dry_run=dry_run, not_written=reason), **error})
            raise CommandError(f"{str(reason.trouble).capitalize()}: {reason}", returncode=code) from refusal
        if options["json"]:
            self.print_json(told)
        else:
            self.stdout.write(_in_words(told))

    def _tell_public_key(self, *, as_json: bool) -> None:
        signer = signing.Signer()
        public_key = base64.b64encode(signer.public_key).decode()
        if as_json:
            self.print_json({"key": signer.key_id, "public_key": public_key})
        else:
            self.stdout.write(public_key)


def _as_dict(taken: Checkpoint | None, *, dry_run: bool, not_written: NotWritten | None = None) -> dict[str, Any]:
    why = {"trouble": not_written.trouble if not_written else "", "refused": str(not_written or "")}
    if taken is None:
        return {"written": False, "dry_run": dry_run, **why, "checkpoint": None}
    heads = {str(chain): {"sequence": head.sequence, "hash": head.hash.hex()} for chain, head in taken.heads.items()}
    return {
        "written": not dry_run,
        "dry_run": dry_run,
        **why,
        "checkpoint": {
            "number": taken.number,
            "name": taken.name,
            "taken_at": taken.taken_at.isoformat(),
            "heads": heads,
            "previous": taken.previous,
            "key": taken.key_id,
            "sha256": taken.digest,
        },
    }


def _in_words(told: dict[str, Any]) -> str:
    checkpoint = told["checkpoint"]
    if checkpoint is None:
        return "Nothing moved since the newest checkpoint."
    records = sum(head["sequence"] for head in checkpoint["heads"].values())
    verb = "Would write" if told["dry_run"] else "Wrote"
    return f"{verb} checkpoint {checkpoint['name']}: {records} records in {len(checkpoint['heads'])} chains."
