"""Proves the audit trail complete, contiguous and untouched, or names the first bad record."""

import math
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.audit import selectors, verification
from apps.audit.models import AuditVerification
from apps.audit.verification import against_checkpoints, periodic
from apps.audit.verification.findings import Report
from apps.events.management.manners import PlatformCommand, could_not_look


class Command(PlatformCommand):
    help = (
        "Hold the audit trail against its chains, the event log and the signed checkpoints. Reads only, and notes the"
        " result."
    )
    exits = {
        0: "complete, contiguous and untouched",
        1: "something is wrong, and the first bad record is named",
        3: "could not look: PostgreSQL is away, or the signed checkpoints are; what was seen is sound",
    }

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--new", action="store_true", help="Only what came since the last verification; default: every record."
        )
        parser.add_argument(
            "--all-checkpoints",
            action="store_true",
            help="Against every signed checkpoint; default: the newest 1,000. The newest vouches for every record.",
        )
        parser.add_argument("--json", action="store_true", help="The report as one JSON document on stdout.")

    def handle(self, *args: Any, new: bool, all_checkpoints: bool, json: bool, **options: Any) -> None:
        last = periodic.last_run()
        most = math.inf if all_checkpoints else against_checkpoints.MOST
        report = self._verify(last, new=new, most_checkpoints=most)
        periodic.keep(report, full=not new)
        if json:
            error = {"error": report.unproven} if report.sound and report.could_not_ask else {}
            self.print_json({**report.as_dict(), **error})
        else:
            self._tell_person(report)
        if report.first is not None:
            raise CommandError(f"The audit trail is not sound: {report.first.told}")
        if report.could_not_ask:
            raise could_not_look(f"The signed checkpoints could not be asked: {report.unproven}")

    def _verify(self, last: AuditVerification | None, *, new: bool, most_checkpoints: float) -> Report:
        behind = periodic.behind(last) if new else None
        ahead = sum(head.sequence for head in selectors.heads().values())
        known = sum(head.sequence for head in behind.heads.values()) if behind else 0
        with self.progress("Looking at records", total=ahead - known) as steps:
            return verification.verify(
                now=timezone.now(),
                behind=behind,
                known_checkpoint=last.checkpoint if last else None,
                most_checkpoints=most_checkpoints,
                progress=steps.done,
            )

    def _tell_person(self, report: Report) -> None:
        chains = sum(1 for head in report.heads.values() if head.sequence)
        what = "Records" if report.whole else "New records"
        self.stdout.write(f"{what} looked at: {report.records:,} in {chains} chains, in {report.seconds:.1f} s.")
        if report.erased:
            self.stdout.write(f"Of {report.erased:,} the content is gone with the people it was of.")
        if report.waiting:
            self.stdout.write(f"{report.waiting:,} events are in the log and not recorded yet.")
        if report.unlogged:
            self.stdout.write(f"{report.unlogged:,} records came by Kafka, of events that the log does not have.")
        self._tell_checkpoint(report)
        if report.first is None and report.could_not_ask:
            self.stdout.write("What the database has of the audit trail is complete and contiguous.")
            return
        if report.first is None:
            self.stdout.write(self.style.SUCCESS("The audit trail is complete, contiguous and untouched."))
            return
        self.stdout.write(self.style.ERROR(f"NOT SOUND. First: {report.first.wrong}. {report.first.told}"))
        for finding in report.findings:
            if finding is not report.first:
                self.stdout.write(f"  {finding.wrong}: {finding.told}")

    def _tell_checkpoint(self, report: Report) -> None:
        if report.checkpoint:
            self.stdout.write(f"Signed checkpoint {report.checkpoint} of {report.checkpoint_at:%Y-%m-%d %H:%M:%S} UTC.")
        if report.unproven:
            told = f"Without a checkpoint a cut or wholly rewritten chain cannot be told: {report.unproven}"
            self.stdout.write(self.style.WARNING(told))
