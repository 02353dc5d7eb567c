"""`python -m benchmarks [--quick] [--only PART]`: measures on a throw-away stack and writes docs/benchmarks.md."""

import argparse
import os
import platform
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from apps.dev.stack import Stack, throw_away_stack

READER = {"username": "reader", "password": "reads-a-hundred-thousand"}
PAGE = "/api/v1/tasks/?page_size=50"
REPORT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
ROUNDS = 3
Row = tuple[str, str, str]
Note = Callable[..., None]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="A tenth of the work; writes nothing.")
    parser.add_argument(
        "--only", choices=PARTS | ASKED_FOR, action="append", help="Measure this part and keep the other rows."
    )
    options = parser.parse_args()
    with throw_away_stack(say=print) as stack:
        os.environ.update(stack.owner_env | {"ROLE": "bench", "LOG_LEVEL": "ERROR"})
        import django

        django.setup()
        from benchmarks import pipeline

        rows: list[Row] = []

        def note(what: str, figure: str, limit: str = "") -> None:
            rows.append((what, figure, limit))
            print(f"{what}: {figure}" + (f" (limit: {limit})" if limit else ""))

        pipeline.wait_until_quiet()
        for part in options.only or PARTS:
            (PARTS | ASKED_FOR)[part](stack, note, scale=0.1 if options.quick else 1.0)
    if not options.quick:
        write(rows, keep=bool(options.only))


def measure_rest(stack: Stack, note: Note, *, scale: float) -> None:
    """Changes by REST at a pace, and as fast as it goes."""
    from benchmarks import pipeline, processors, raw

    seconds = max(2, int(15 * scale))
    start = pipeline.last_position()
    paced = pipeline.changes(stack, connections=4, seconds=max(3, 30 * scale), rate=100)
    pipeline.wait_until_quiet()
    p50, p99 = pipeline.commit_to_handled(since_position=start)
    note("REST, 100 changes/s", f"p50 {paced.p50:.0f} ms, p99 {paced.p99:.0f} ms, {paced.refused} refused")
    note("commit → audit record, at 100 changes/s", f"p50 {p50:.0f} ms, p99 {p99:.0f} ms")

    before = processors.seconds_by_part(stack)
    rounds = [pipeline.changes(stack, connections=16, seconds=seconds) for _ in range(ROUNDS)]
    pipeline.wait_until_quiet(patience=120)
    spent = processors.milliseconds_each(before, processors.seconds_by_part(stack), sum(each.done for each in rounds))
    full = sorted(rounds, key=lambda load: load.per_second)[ROUNDS // 2]
    stack.stop_roles("relay")
    pgbench = raw.same_rows_by_pgbench(seconds=max(2, int(10 * scale)))
    stack.start_roles("relay")
    pipeline.wait_until_quiet(patience=180)
    note(
        "REST, as fast as it goes, 16 connections, whole pipeline running",
        f"{full.per_second:.0f} changes/s (of {ROUNDS}: {', '.join(f'{r.per_second:.0f}' for r in rounds)}), "
        f"p50 {full.p50:.0f} ms, p99 {full.p99:.0f} ms, {full.refused} refused",
        f"the same rows by pgbench, 8 clients: {pgbench:.0f}/s",
    )

    spent["client"] = statistics.median(each.client for each in rounds)
    parts = sorted(spent.items(), key=lambda item: -item[1])
    note(
        "processor time of one such change, all roles and services",
        f"{sum(spent.values()):.1f} ms: {', '.join(f'{part} {each:.2f}' for part, each in parts if each >= 0.01)}",
    )


def measure_backlog(stack: Stack, note: Note, *, scale: float) -> None:
    """The backlog through everything, and through each part alone; medians of several rounds."""
    from benchmarks import pipeline, raw

    count = int(20_000 * scale)
    pipeline.changes(stack, connections=1, seconds=1, rate=10)  # an event to repeat
    pipeline.wait_until_quiet()
    through = [pipeline.backlog(stack, count=count) for _ in range(ROUNDS)]
    relay, group = zip(*(pipeline.apart(stack, count=count) for _ in range(ROUNDS)), strict=True)
    producer = statistics.median(raw.producer_alone(count=count) for _ in range(ROUNDS))
    insert = statistics.median(raw.audit_insert_alone(count=count // 2) for _ in range(ROUNDS))
    median = statistics.median(each.per_second for each in through)
    note(
        f"backlog of {count:,} facts through relay, Kafka (mock) and the audit group with its chains",
        f"{median:.0f} facts/s (of {ROUNDS}: {', '.join(f'{each.per_second:.0f}' for each in through)}), "
        f"while others had {statistics.median(each.others for each in through):.1f} of {os.cpu_count()} processors",
        f"relay alone {statistics.median(each.per_second for each in relay):.0f}/s; "
        f"audit group alone {statistics.median(each.per_second for each in group):.0f}/s; "
        f"producer alone {producer:.0f}/s; audit insert alone {insert:.0f}/s (medians of {ROUNDS})",
    )
    parts = {part: statistics.median(each.spent.get(part, 0.0) for each in through) * 1000 for part in through[0].spent}
    shown = ", ".join(
        f"{part} {each:.0f}" for part, each in sorted(parts.items(), key=lambda item: -item[1]) if each >= 1
    )
    note("processor time of one such fact, all roles and services", f"{sum(parts.values()):.0f} µs: {shown}")


def measure_reads(stack: Stack, note: Note, *, scale: float) -> None:
    """Pages of a long list by REST."""
    from apps.accounts.models import User
    from benchmarks import pipeline, raw

    seconds = max(2, int(15 * scale))
    tasks = int(100_000 * scale)
    reader = User.objects.create_user(email="reader@example.org", **READER)
    raw.many_tasks(count=tasks, owner=reader)
    pages = [pipeline.reads(stack, PAGE, **READER, connections=16, seconds=seconds) for _ in range(ROUNDS)]
    page = sorted(pages, key=lambda load: load.per_second)[ROUNDS // 2]
    note(
        f"reads of a list of 50 from {tasks:,} tasks of one owner, 16 connections",
        f"{page.per_second:.0f}/s (of {ROUNDS}: {', '.join(f'{each.per_second:.0f}' for each in pages)}), "
        f"p50 {page.p50:.0f} ms, p99 {page.p99:.0f} ms, {page.refused} refused",
        f"the same query by pgbench, 8 clients: {raw.one_page_by_pgbench(PAGE, reader=reader, seconds=5):.0f}/s",
    )


def measure_trail(stack: Stack, note: Note, *, scale: float) -> None:
    """Pages of a long audit trail."""
    from benchmarks import trail

    stack.stop_roles(*stack.roles)  # pages are read in this process, and no record here is one to verify
    records = int(1_000_000 * scale)
    load = os.getloadavg()[0]
    for pages in trail.measured(records=records):
        note(f"{pages.what}, of {records:,} records, medians of {trail.ROUNDS}", str(pages), f"load before {load:.1f}")


# In this order: the backlog repeats an event that the changes by REST left.
PARTS = {"rest": measure_rest, "backlog": measure_backlog, "reads": measure_reads}
# What takes long to prepare is measured only when asked for.
ASKED_FOR = {"trail": measure_trail}


def write(rows: list[Row], *, keep: bool) -> None:
    """Replace the table in the report, and keep what people wrote around it; with `keep`, other rows too."""
    begin, end = "<!-- measured -->", "<!-- end -->"
    text = REPORT.read_text() if REPORT.exists() else f"# Benchmarks\n\n{begin}\n{end}\n"
    head, _, rest = text.partition(begin)
    old, _, tail = rest.partition(end)
    if keep:
        new = {what for what, _, _ in rows}
        kept = [line.strip("| ").split(" | ") for line in old.splitlines() if line.startswith("| ")][2:]
        rows = [(row[0], row[1], row[2] if len(row) > 2 else "") for row in kept if row[0] not in new] + rows
    table = ["| what | measured | raw limit, same run |", "| --- | --- | --- |"]
    table += [f"| {what} | {figure} | {limit} |" for what, figure, limit in rows]
    machine = f"{os.cpu_count()} cores ({platform.machine()}), all on one machine, Python {platform.python_version()}"
    measured = f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine}. Embedded services, fsync off (throw-away stack)."
    REPORT.write_text(head + begin + "\n\n" + measured + "\n\n" + "\n".join(table) + "\n\n" + end + tail)
    print(f"Written: {REPORT.relative_to(REPORT.parent.parent)}")


if __name__ == "__main__":
    main()
