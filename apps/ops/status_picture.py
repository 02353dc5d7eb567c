"""Draws an overview for a terminal, 80 columns wide and readable on light and on dark.

Invariant: every part has its place in the picture, also while it is away; colours only say again what the words say.
"""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from apps.events.selectors import GroupStatus, ProcessLife, RecentHandling, RoleLife, Sweep
from apps.notifications.selectors.instruments import DeliveriesStatus, RemindersStatus
from apps.ops import pipeline
from apps.ops.asking import Away, without_secrets
from apps.ops.overview import Overview, Work, conditions, troubles
from apps.ops.pipeline import Conditions, PipelineState, Status

_WELL, _LATE, _AWAY = ("●", "green"), ("▲", "yellow"), ("✘", "bold red")
_PLACES_SHOWN = 2
_BETWEEN = " · "
_WORKER, _WORKERS = "worker-", "workers"
_NAME_WIDTH = 12


def draw(seen: Overview) -> RenderableType:
    return Group(
        _head(seen),
        _ways(seen),
        _groups(seen),
        Rule("roles", style="dim", align="left"),
        _roles(seen),
        Rule("sweeps, last rung", style="dim", align="left"),
        _sweeps(seen),
        Rule("audit", style="dim", align="left"),
        _trail(seen),
    )


def _head(seen: Overview) -> RenderableType:
    wrong = troubles(seen)
    line = Table.grid(expand=True, padding=(0, 1))
    line.add_column(ratio=1, overflow="ellipsis", no_wrap=True)
    line.add_column(justify="right", no_wrap=True)
    what = Text("● all is well", "bold green") if not wrong else Text(f"✘ {wrong[0]}{_more(wrong)}", "bold red")
    line.add_row(what, Text(f"{seen.taken_at:%H:%M:%S} UTC", "dim"))
    return line


def _more(wrong: list[str]) -> str:
    return f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""


def _rows() -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    # Widths of their own: a long reason may take from nobody's mark and name.
    table.add_column(no_wrap=True, width=1)
    table.add_column(no_wrap=True, width=_NAME_WIDTH)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    return table


def _add(table: Table, mark: tuple[str, str], name: str, told: str) -> None:
    table.add_row(Text(*mark), Text(name), Text(told, "red" if mark is _AWAY else ""))


def _mark(found: Conditions, *names: str) -> tuple[str, str]:
    """Well when each of these is known to be."""
    return _WELL if all(name in found and found[name].status is Status.OK for name in names) else _LATE


def _ways(seen: Overview) -> Table:
    """Where events and jobs pass: outbox, relay, Kafka, the queues."""
    table = _rows()
    if isinstance(seen.state, Away):
        _add(table, _AWAY, "outbox", f"PostgreSQL: {seen.state.reason}")
    else:
        outbox = seen.state.outbox
        told = f"{outbox.depth:,} wait, the oldest for {ago(outbox.oldest_age_seconds)}" if outbox.depth else "empty"
        told += f"; {outbox.held:,} held: `manage.py held`" if outbox.held else ""
        _add(table, _mark(conditions(seen), "outbox"), "outbox", told)
    if isinstance(seen.work, Away):
        _add(table, _AWAY, "relay", f"PostgreSQL: {seen.work.reason}")
    elif seen.work.leader is None:
        _add(table, _AWAY, "relay", "nobody leads")
    else:
        _add(table, _WELL, "relay", _leads(seen.work, now=seen.taken_at))
    if isinstance(seen.kafka, Away):
        _add(table, _AWAY, "kafka", seen.kafka.reason)
    else:
        kind = "" if seen.kafka.keeps_records else ", embedded: in memory"
        _add(table, _WELL, "kafka", f"cluster {seen.kafka.cluster_id}{kind}")
    if isinstance(seen.queues, Away):
        _add(table, _AWAY, "jobs", f"Redis: {seen.queues.reason}")
    else:
        _add(table, _WELL, "jobs", ", ".join(f"{depth:,} in {queue}" for queue, depth in seen.queues.items()))
    if not isinstance(seen.state, Away):
        _add(table, _mark(conditions(seen), "reminders", "deliveries"), "reminders", _told(seen.state.reminders))
    return table


def _told(found: RemindersStatus) -> str:
    """Reminders that wait, and what goes out to people, the late first."""
    looked = "nobody looked yet" if found.swept_seconds is None else f"looked {ago(found.swept_seconds)} ago"
    late = found.deliveries.oldest_due_seconds
    return "; ".join(
        [
            *([f"{found.due:,} due for {ago(found.oldest_due_seconds)}"] if found.due else []),
            *([f"going out for {ago(late)}"] if late else []),
            f"{found.waiting:,} wait, {looked}",
            *_sent(found.deliveries),
        ]
    )


def _sent(found: DeliveriesStatus) -> Iterator[str]:
    counts = {"to send": found.waiting, "sending": found.sending, "held": found.held, "failed": found.failed}
    told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    if told:
        yield told


def _leads(work: Work, *, now: datetime) -> str:
    assert work.leader is not None
    standing_by = sum(each.role == "relay" and each.lives for each in work.processes) - 1
    told = f"one leads from {work.leader.address} for {ago((now - work.leader.since).total_seconds())}"
    return f"{told}, {standing_by} stand by" if standing_by > 0 else told


def _groups(seen: Overview) -> RenderableType:
    if isinstance(seen.state, Away):
        return Text(f"✘ groups: PostgreSQL: {seen.state.reason}", "red", overflow="ellipsis", no_wrap=True)
    table = Table.grid(padding=(0, 1))
    headings = ("─", "groups ───", "lag", "handled", "commit→handled", "parked", "checked", "repaired", "caught up")
    for number in range(len(headings)):
        table.add_column(justify="left" if number < 2 else "right", no_wrap=True)
    table.add_row(*(Text(heading, "dim") for heading in headings))
    recent = {} if isinstance(seen.work, Away) else seen.work.recent
    for name, status in seen.state.groups.items():
        lag = None if isinstance(seen.lags, Away) else seen.lags.get(name)
        parked = seen.state.parked.get(name, 0)
        mark = _LATE if parked else _mark(conditions(seen), f"group_{name}", f"lag_{name}")
        _add_group(table, mark, name, status, lag=lag, parked=parked, recent=recent.get(name), now=seen.taken_at)
    return table


def _add_group(
    table: Table,
    mark: tuple[str, str],
    name: str,
    status: GroupStatus | None,
    *,
    lag: int | None,
    parked: int,
    recent: RecentHandling | None,
    now: datetime,
) -> None:
    age = (now - status.checked_at).total_seconds() if status and status.checked_at else None
    table.add_row(
        Text(*mark),
        name,
        Text("?", "red") if lag is None else f"{lag:,}",
        f"{recent.handled if recent else 0:,}/min",
        _way(recent),
        Text(f"{parked:,}", "red" if parked else ""),
        "never" if age is None else f"{ago(age)} ago",
        f"{status.repaired if status else 0:,}",
        f"{status.caught_up if status else 0:,}",
    )


def _way(recent: RecentHandling | None) -> str:
    if recent is None or recent.median_seconds is None or recent.p99_seconds is None:
        return "-"
    return f"{recent.median_seconds * 1000:,.0f}, p99 {recent.p99_seconds * 1000:,.0f} ms"


def _roles(seen: Overview) -> RenderableType:
    if isinstance(seen.state, Away):
        return Text(f"✘ PostgreSQL: {seen.state.reason}", "red", overflow="ellipsis", no_wrap=True)
    table = _rows()
    processes = [] if isinstance(seen.work, Away) else seen.work.processes
    workers = [life for life in seen.state.roles if life.role.startswith(_WORKER)]
    for life in seen.state.roles:
        if life not in workers:
            told = f"{life.processes} beating, {_age(life)}{_where(life, processes)}" if life.lives else _dead(life)
            _add(table, _WELL if life.lives else _AWAY, life.role, told)
        elif life is workers[0]:
            _add(table, _WELL if all(each.lives for each in workers) else _AWAY, _WORKERS, _all_of(workers))
    return table


def _all_of(workers: list[RoleLife]) -> str:
    """In one line, however many groups there are: `1 audit, 2 recurrence beating, 0.4 s ago`, the dead first."""
    dead = [f"{_group_of(life)}: {_dead(life)}" for life in workers if not life.lives]
    living = [life for life in workers if life.lives]
    told = ", ".join(f"{life.processes} {_group_of(life)}" for life in living)
    oldest = max(living, key=lambda life: life.youngest_age_seconds or 0.0, default=None)
    return "; ".join([*dead, *([f"{told} beating, {_age(oldest)}"] if oldest else [])])


def _group_of(life: RoleLife) -> str:
    return life.role.removeprefix(_WORKER)


def _dead(life: RoleLife) -> str:
    return f"none beats, {_age(life)}"


def _age(life: RoleLife) -> str:
    age = life.youngest_age_seconds
    return "has not beaten for a day" if age is None else f"{ago(age)} ago"


def _where(life: RoleLife, processes: list[ProcessLife]) -> str:
    alive = [each.instance for each in processes if each.role == life.role and each.lives]
    more = f" and {len(alive) - _PLACES_SHOWN} more" if len(alive) > _PLACES_SHOWN else ""
    return f"  {', '.join(alive[:_PLACES_SHOWN])}{more}" if alive else ""


def _sweeps(seen: Overview) -> RenderableType:
    if isinstance(seen.state, Away):
        return Text(f"✘ PostgreSQL: {seen.state.reason}", "red", overflow="ellipsis", no_wrap=True)
    found = conditions(seen)
    well = [each for each in seen.state.sweeps if found[pipeline.name_of(each)].status is Status.OK and each.enabled]
    told = [_sweep(each) for each in seen.state.sweeps if each not in well]
    rung = [each for each in well if each.age_seconds is not None]
    if rung:
        longest = max(rung, key=lambda each: each.age_seconds or 0.0)
        told.append(Text(f"{len(rung)} in time, the longest ago {longest.name}, {ago(longest.age_seconds or 0.0)}"))
    if begun := len(well) - len(rung):
        told.append(Text(f"{begun} new"))
    return _Flow(told)


class _Flow:
    """Pieces in as few lines as they fit into, the longest first; no line breaks inside one that fits."""

    def __init__(self, pieces: list[Text]) -> None:
        self._pieces = pieces

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines: list[Text] = []
        for piece in sorted(self._pieces, key=lambda each: -each.cell_len):
            room = options.max_width - len(_BETWEEN) - piece.cell_len
            place = next((number for number, line in enumerate(lines) if line.cell_len <= room), None)
            if place is None:
                lines.append(piece)
            else:
                lines[place] = Text.assemble(lines[place], (_BETWEEN, "dim"), piece)
        yield from lines


def _sweep(sweep: Sweep) -> Text:
    """What is wrong with one that does not ring in time."""
    if not sweep.is_there:
        return Text(f"✘ {sweep.name} is not there", "red")
    if not sweep.enabled:
        return Text(f"▲ {sweep.name} is switched off", "yellow")
    told = f"{sweep.name} {'never rang' if sweep.age_seconds is None else ago(sweep.age_seconds)}"
    return Text(f"▲ {told}, not every {ago(sweep.every_seconds)}", "yellow")


def _trail(seen: Overview) -> Table:
    table = _rows()
    if isinstance(seen.trail, Away):
        _add(table, _AWAY, "trail", f"PostgreSQL: {seen.trail.reason}")
    else:
        _add(table, _WELL, "trail", f"{seen.trail.records:,} records in {seen.trail.chains} chains")
    if not isinstance(seen.state, Away):
        _add(table, *_verified(seen.state))
        _add(table, *_signed(seen.state))
    return table


def _signed(state: PipelineState) -> tuple[tuple[str, str], str, str]:
    found = state.checkpoint
    if found.trouble:
        return _AWAY, "signed", f"{found.trouble}: {without_secrets(found.because)}"
    mark = _mark(pipeline.conditions_of(state), "audit_checkpoint")
    if found.age_seconds is None:
        return mark, "signed", "no checkpoint yet"
    waiting = "" if mark is _WELL else f", records wait for {ago(found.unsigned_age_seconds)}"
    return mark, "signed", f"{ago(found.age_seconds)} ago: checkpoint {found.number}{waiting}"


def _verified(state: PipelineState) -> tuple[tuple[str, str], str, str]:
    found = state.verification
    if found.age_seconds is None:
        return _LATE, "verified", "never"
    if not found.sound:
        return _AWAY, "verified", f"{ago(found.age_seconds)} ago: NOT SOUND, {found.findings} findings"
    mark = _mark(pipeline.conditions_of(state), "audit_trail")
    whole = "" if found.whole_age_seconds is None else f", every record {ago(found.whole_age_seconds)} ago"
    return mark, "verified", f"{ago(found.age_seconds)} ago: sound{whole}"


def ago(seconds: float) -> str:
    """A duration in its largest unit: 0.4 s, 12 s, 3 min, 2 h, 5 d."""
    if seconds < 1:
        return f"{max(0.0, seconds):.1f} s"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
