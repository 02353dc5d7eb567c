"""Proves the audit trail complete, contiguous and untouched, or names what is wrong with it.

Three witnesses: the chains themselves (`walk`), the event log (`against_log`), and the signed checkpoints outside
the database (`against_checkpoints`); `judging` judges one record. Invariant: `verify` reads only, and may run at any
time, beside writers. What it found is kept by `periodic`.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import DataError

from apps.audit import chain
from apps.audit.chain import Head
from apps.audit.verification import against_checkpoints, against_log, walk
from apps.audit.verification.findings import Finding, Report, Wrong

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
    most_checkpoints: float = against_checkpoints.MOST,
    progress: Progress = lambda records: None,
) -> Report:
    """Everything, or only what came behind an earlier verification; `until` is when to leave off (monotonic).

    Of everything it is also held against the newest checkpoints one by one, `most_checkpoints` of them.

    `progress` is told the number of records looked at so far.
    """
    started = time.monotonic()
    report = Report(whole=behind is None, started_at=now)
    after = behind or Behind()
    with _told(report, "the chains"):
        report.add(*walk.outside())
    for number in range(chain.CHAINS):
        with _told(report, f"chain {number}"):
            _walk(report, number, after.heads.get(number, chain.BEGINNING), until, progress)
    with _told(report, "the event log"):
        _hold_against_log(report, now=now, after=after, until=until)
    with _told(report, "the checkpoints"):
        _hold_against_checkpoints(report, known=known_checkpoint, most=most_checkpoints)
    report.seconds = time.monotonic() - started
    return report


@contextmanager
def _told(report: Report, what: str) -> Iterator[None]:
    """What one witness cannot read is a finding, and does not silence the others."""
    try:
        yield
    except DataError as reason:
        told = f"{what.capitalize()} cannot be read: {str(reason).partition(chr(10))[0]}"
        report.add(Finding(wrong=Wrong.CANNOT_BE_READ, told=told))


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
    for count in against_log.unlogged(since=after.started_at - UNDER_WAY):
        report.unlogged += count
        if time.monotonic() > until:
            report.complete = False
            break


def _hold_against_checkpoints(report: Report, *, known: int | None, most: float) -> None:
    held = against_checkpoints.hold(whole=report.whole, known=known, most=most)
    report.checkpoint, report.checkpoint_at, report.unproven = held.number, held.taken_at, held.unproven
    report.could_not_ask = held.could_not_ask
    report.add(*held.findings)
