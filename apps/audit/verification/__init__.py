"""Proves the audit trail complete, contiguous and untouched, or names what is wrong with it.

Three witnesses: the chains themselves (`walk`), the event log (`against_log`), and the signed checkpoints outside
the database (`against_checkpoints`). Invariant: a verification reads only; it may run at any time, beside writers.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from apps.audit import chain
from apps.audit.chain import Head
from apps.audit.verification import against_checkpoints, against_log, walk
from apps.audit.verification.findings import Report, Wrong

__all__ = ["Report", "verify"]

# A transaction that was open when the last verification looked has committed or failed by now.
UNDER_WAY = timedelta(minutes=10)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)

Progress = Callable[[int], None]


def verify(
    *,
    now: datetime,
    after: Mapping[int, Head] | None = None,
    since: datetime | None = None,
    known_checkpoint: int | None = None,
    progress: Progress = lambda records: None,
) -> Report:
    """Everything, or with `after` and `since` what came behind the heads and the instant of an earlier verification.

    `progress` is told the number of records looked at so far.
    """
    started = time.monotonic()
    report = Report(whole=after is None, started_at=now)
    for number in range(chain.CHAINS):
        _walk(report, number, (after or {}).get(number, chain.BEGINNING), progress)
    _hold_against_log(report, since=since - UNDER_WAY if since else _EVER)
    _hold_against_checkpoints(report, known=known_checkpoint)
    report.seconds = time.monotonic() - started
    return report


def _walk(report: Report, number: int, after: Head, progress: Progress) -> None:
    report.heads[number] = after
    report.add(*walk.still_there(number, after))
    for stretch in walk.walk(number, after=after):
        report.heads[number] = stretch.head
        report.records += stretch.records
        report.erased += stretch.erased
        report.add(*stretch.findings)
        progress(report.records)


def _hold_against_log(report: Report, *, since: datetime) -> None:
    for stretch in against_log.compare(since=since):
        report.waiting += stretch.waiting
        report.add(*stretch.findings)
    report.unlogged = against_log.unlogged(since=since)


def _hold_against_checkpoints(report: Report, *, known: int | None) -> None:
    held = against_checkpoints.hold(whole=report.whole, known=known)
    report.checkpoint, report.checkpoint_at, report.unproven = held.number, held.taken_at, held.unproven
    # A chain that was found rewritten by its own links is named there to the record.
    named = {finding.chain for finding in report.findings if finding.wrong is Wrong.REWRITTEN}
    report.add(*[f for f in held.findings if not (f.wrong is Wrong.REWRITTEN and f.chain in named)])
