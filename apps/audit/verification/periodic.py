"""Verifies the trail a piece at a time, for ever: what is new each time, and slowly everything again.

Invariant: what was found wrong stays an alarm until a full verification, asked for by somebody, finds all sound; a run
that found something moves nothing on. Each run is short, so that it never holds up the worker it rides in.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from apps.audit import chain, verification
from apps.audit.chain import Head
from apps.audit.models import AuditVerification
from apps.audit.verification import Behind, walk
from apps.audit.verification.findings import Report, heads_as_json, heads_from_json

log = structlog.get_logger(__name__)

# Of every run, for the lap over the whole trail: about 50,000 records.
LAP_SECONDS = 2.0
# For what is new; what is left over is new in the next run too.
NEW_SECONDS = 15.0
KEPT = timedelta(days=7)


@dataclass(slots=True)
class Lap:
    """Where the walk over everything stands: behind `head` of the chain `number`."""

    number: int = 0
    head: Head = chain.BEGINNING

    def as_json(self) -> dict[str, Any]:
        return {"chain": self.number, "sequence": self.head.sequence, "hash": self.head.hash.hex()}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Lap":
        """At the beginning for what is no lap of ours: notes are only the database's word."""
        try:
            return cls(int(kept["chain"]), Head(int(kept["sequence"]), bytes.fromhex(kept["hash"])))
        except (AttributeError, LookupError, TypeError, ValueError):
            return cls()


def run(*, now: datetime) -> AuditVerification:
    """What is new since the last run, and a piece of the lap; what it found, kept."""
    last = last_run()
    report = verification.verify(
        now=now,
        behind=behind(last),
        known_checkpoint=last.checkpoint if last else None,
        until=time.monotonic() + NEW_SECONDS,
    )
    lap = Lap.from_json(last.lap if last else {})
    stands, came_round = _go_on(lap, report)
    report.whole = came_round and report.sound and report.complete
    done = keep(report, lap=stands if report.sound else lap)
    _forget(now)
    return done


def last_run() -> AuditVerification | None:
    return AuditVerification.objects.order_by("-id").first()


def behind(last: AuditVerification | None) -> Behind:
    """Where to go on after a run; at the beginning after none."""
    if last is None:
        return Behind()
    try:
        heads = heads_from_json(last.heads)
    except (AttributeError, LookupError, TypeError, ValueError):
        return Behind()
    return Behind(heads, last.log_position, last.started_at)


def keep(report: Report, *, full: bool = False, lap: Lap | None = None) -> AuditVerification:
    """Note a verification. The next one goes on behind it only if it was sound. `full`: by every witness."""
    if not report.sound:
        log.critical("audit_trail_not_sound", findings=len(report.findings), first=_told(report))
    if report.unproven:
        log.warning("audit_checkpoints_not_asked", reason=report.unproven)
    # Read now: others may have verified since this one began.
    before = last_run() or AuditVerification()
    return AuditVerification.objects.create(
        started_at=report.started_at,
        whole=report.whole,
        full=full,
        records=report.records,
        sound=report.sound,
        findings=[finding.as_dict() for finding in report.findings],
        heads=heads_as_json(report.heads) if report.sound else before.heads,
        log_position=report.log_position if report.sound else before.log_position,
        lap=lap.as_json() if lap else before.lap,
        checkpoint=max(report.checkpoint or 0, before.checkpoint or 0) or None,
    )


def _go_on(lap: Lap, report: Report) -> tuple[Lap, bool]:
    """Walk on for a while; where the lap then stands, and whether it came round."""
    until = time.monotonic() + LAP_SECONDS
    for number in range(lap.number, chain.CHAINS):
        after = lap.head if number == lap.number else chain.BEGINNING
        report.add(*walk.still_there(number, after))
        for stretch in walk.walk(number, after=after):
            report.records += stretch.records
            report.erased += stretch.erased
            report.add(*stretch.findings)
            if time.monotonic() > until:
                return Lap(number, stretch.head), False
    return Lap(), True


def _forget(now: datetime) -> None:
    """Old runs go, but for those that tell how the trail stands."""
    runs = AuditVerification.objects.order_by("-id")
    telling = [runs.filter(whole=True), runs.filter(full=True, sound=True), runs.filter(sound=False)]
    kept = {run.pk for kind in telling for run in kind[:1]}
    runs.filter(finished_at__lt=now - KEPT).exclude(pk__in=kept).delete()


def _told(report: Report) -> str:
    return report.first.told if report.first else ""
