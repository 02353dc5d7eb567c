"""Proves the audit trail complete, contiguous and untouched, or names what is wrong with it.

Three witnesses: the chains themselves (`walk`), the event log (`against_log`), and the signed checkpoints outside
the database (`against_checkpoints`). Invariant: a verification reads only; it may run at any time, beside writers.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apps.audit import chain
from apps.audit.chain import Head
from apps.audit.verification import against_checkpoints, against_log, walk
from apps.audit.verification.findings import Report

__all__ = ["Behind", "Report", "verify"]

# A transaction that was open when the last verification looked has committed or failed by now.
UNDER_WAY = timedelta(minutes=10)
_EVER = datetime(1970, 1, 2, tzinfo=UTC)

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Behind:
    """Where an earlier verification found all sound: behind it the next may go on."""

    heads: Mapping[int, Head] = field(default_factory=dict)
    log_position: int = 0
    started_at: datetime = _EVER


def verify(
    *,
    now: datetime,
    behind: Behind | None = None,
    known_checkpoint: int | None = None,
    until: float = math.inf,
    progress: Progress = lambda records: None,
) -> Report:
    """Everything, or only what came behind an earlier verification; `until` is when to leave off (monotonic).

    `progress` is told the number of records looked at so far.
    """
    started = time.monotonic()
    report = Report(whole=behind is None, started_at=now)
    after = behind or Behind()
    for number in range(chain.CHAINS):
        _walk(report, number, after.heads.get(number, chain.BEGINNING), until, progress)
    _hold_against_log(report, now=now, after=after, until=until)
    held = against_checkpoints.hold(whole=report.whole, known=known_checkpoint)
    report.checkpoint, report.checkpoint_at, report.unproven = held.number, held.taken_at, held.unproven
    report.add(*held.findings)
    report.seconds = time.monotonic() - started
    return report


def _walk(report: Report, number: int, after: Head, until: float, progress: Progress) -> None:
    report.heads[number] = after
    report.add(*walk.still_there(number, after))
    for stretch in walk.walk(number, after=after):
        report.heads[number] = stretch.head
        report.records += stretch.records
        report.erased += stretch.erased
        report.add(*stretch.findings)
        progress(report.records)
        if time.monotonic() > until:
            report.complete = False
            return


def _hold_against_log(report: Report, *, now: datetime, after: Behind, until: float) -> None:
    # What was under way may still appear below: the next run goes over it again.
    settled = against_log.position_at(now - UNDER_WAY)
    report.log_position = after.log_position
    for stretch in against_log.compare(after=after.log_position):
        report.waiting += stretch.waiting
        report.add(*stretch.findings)
        if stretch.waits_from:
            settled = min(settled, stretch.waits_from - 1)
        report.log_position = max(after.log_position, min(stretch.position, settled))
        if time.monotonic() > until:
            report.complete = False
            break
    report.unlogged = against_log.unlogged(since=after.started_at - UNDER_WAY)
