"""The parts that are measured, each on a stack that is up: what is driven, and which figures come of it.

Each figure stands beside the raw limit of the same minutes and what programs that are not ours took of the processors.
"""

import statistics
import time
from collections.abc import Callable

from benchmarks import told
from benchmarks.figures import rounds
from benchmarks.ground import REAL, Ground
from benchmarks.report import READS, RULES, Notebook

Measure = Callable[[Ground, Notebook, float], None]
READER = {"username": "reader", "password": "reads-a-hundred-thousand"}
PAGE = "/api/v1/tasks/?page_size=50"
ROUNDS = 3
RATE = 100
COMPLETIONS = 50
DUE_TOGETHER = 2000
PLANNED = 10_000


def measure_idle(ground: Ground, note: Notebook, scale: float) -> None:
    """What everything takes when nobody asks for anything: a whole minute, as the slowest schedule has it."""
    from benchmarks import pipeline

    pipeline.wait_until_quiet()
    watch = ground.watch()
    time.sleep(60 * scale)
    spent = watch.spent()
    note.figure(
        "nobody asks for anything", f"{told.platform(spent.share()):.1f} % of a processor; {told.others(spent.others)}"
    )
    note.roles("idle, % of a processor", told.texts(spent.share(), "{:.1f}"))
    note.roles("idle, MB", told.memory(ground.memory()))


def measure_pace(ground: Ground, note: Notebook, scale: float) -> None:
    """A steady pace of changes by REST."""
    from benchmarks import pace, raw, raw_kafka

    seconds = max(6, int(60 * scale))
    kept = pace.keep(ground, rate=RATE, seconds=seconds)
    there = raw_kafka.there_and_back(count=max(20, int(200 * scale)))
    pgbench = raw.same_rows_at_a_pace(seconds=max(2, int(5 * scale)), rate=RATE)
    load = f"at {RATE} changes/s for {seconds} s"
    reached = pace_reached(kept.load.done, seconds=seconds)
    note.figure(
        f"REST, {load}",
        f"{reached}{kept.load.latency}; {kept.load.done} of {RATE * seconds} done, {kept.load.refused} refused; "
        f"{told.others(kept.spent.others)}",
        f"the same rows by pgbench at {RATE}/s: {pgbench:.1f} ms on average",
    )
    note.figure(
        f"commit → handled by audit, {load}",
        f"{reached}{kept.handled}",
        f"one record through Kafka alone, produced → consumed: {there}",
    )
    note.figure(f"of that until the relay hands it to its Kafka client, {load}", f"{reached}{kept.relayed}")
    for what, trend in kept.waiting.items():
        note.figure(f"{what}, {load}", f"{reached}{trend.told(rate=RATE)}")
    note.roles(f"at {RATE} changes/s, % of a processor", told.texts(kept.spent.share(), "{:.1f}"))
    note.roles("a change of those, ms", told.texts(told.times(kept.spent.each(kept.load.done), 1000), "{:.2f}"))
    note.roles(f"at {RATE} changes/s, MB", told.memory(kept.memory))


def measure_backlog(ground: Ground, note: Notebook, scale: float) -> None:
    """The backlog through everything, and through each part alone; medians of several rounds."""
    from benchmarks import pipeline, raw, raw_kafka

    count = int(20_000 * scale)
    _an_event_to_repeat(ground)
    through = [pipeline.backlog(ground, count=count) for _ in range(ROUNDS)]
    memory = ground.memory()
    relay, group = zip(*(pipeline.apart(ground, count=count) for _ in range(ROUNDS)), strict=True)
    producer = [raw_kafka.producer_alone(count=count) for _ in range(ROUNDS)]
    tight = [raw_kafka.tight_loop(count=count) for _ in range(ROUNDS)]
    insert = [raw.audit_insert_alone(count=count // 2) for _ in range(ROUNDS)]
    speeds = [each.per_second for each in through]
    note.figure(
        f"backlog of {count:,} facts through relay, Kafka, the audit group with its chains and all other groups",
        f"{statistics.median(speeds):.0f} facts/s ({rounds(speeds)}); "
        f"{told.others(statistics.median(each.others for each in through))}",
        f"relay alone {told.median(each.per_second for each in relay)}/s; "
        f"audit group alone {told.median(each.per_second for each in group)}/s; "
        f"producer alone {told.median(producer)}/s; librdkafka in a tight loop {told.median(tight)}/s; "
        f"audit insert alone {told.median(insert)}/s (medians of {ROUNDS})",
    )
    parts = {part: statistics.median(each.each.get(part, 0.0) for each in through) for part in through[0].each}
    note.roles("a fact of the backlog, µs", told.texts(told.times(parts, 1_000_000), "{:.0f}"))
    note.roles("after the backlogs, MB", told.memory(memory))


def measure_rest(ground: Ground, note: Notebook, scale: float) -> None:
    """Changes by REST as fast as it goes, with the whole pipeline running."""
    from benchmarks import pipeline, raw

    seconds = max(2, int(6 * scale))
    watch = ground.watch()
    loads = [pipeline.Caller(ground, connections=16, seconds=seconds).load() for _ in range(ROUNDS)]
    pipeline.wait_until_quiet(patience=120)
    spent = watch.spent()
    full = sorted(loads, key=lambda load: load.per_second)[ROUNDS // 2]
    ground.stack.stop_roles("relay")
    pgbench = raw.same_rows_by_pgbench(seconds=max(2, int(5 * scale)))
    ground.start_role("relay")
    pipeline.wait_until_quiet(patience=180)
    note.figure(
        "REST, as fast as it goes, 16 connections, whole pipeline running",
        f"{full.per_second:.0f} changes/s ({rounds([each.per_second for each in loads])}); {full.latency}; "
        f"{full.refused} refused; {told.others(spent.others)}",
        f"the same rows by pgbench, 8 clients: {pgbench:.0f}/s",
    )
    each = spent.each(sum(load.done for load in loads))
    note.roles("a change as fast as it goes, ms", told.texts(told.times(each, 1000), "{:.2f}"))


def measure_recurrence(ground: Ground, note: Notebook, scale: float) -> None:
    """Repeating tasks that are done, and their next ones."""
    from benchmarks import recurrence

    count = int(1000 * scale)
    tasks = recurrence.Repeated()
    through = recurrence.backlog(ground, tasks, count=count)
    paced, reached = recurrence.paced(ground, tasks, count=count, rate=COMPLETIONS)
    alone = recurrence.group_alone(ground, tasks, count=count // 2)
    note.figure(
        f"{count:,} completed repeating tasks through relay, Kafka and the recurrence group, audited beside",
        f"{through.per_second:.0f} next occurrences/s; {told.others(through.others)}",
        f"the group's handling alone, in one process: {alone:.0f}/s",
    )
    note.figure(
        f"commit of a completion → commit of the next occurrence, at {COMPLETIONS} completions/s",
        f"{pace_reached(int(reached * 100), seconds=100, rate=COMPLETIONS)}{paced.latency}; "
        f"{told.others(paced.others)}",
    )


def measure_reminders(ground: Ground, note: Notebook, scale: float) -> None:
    """Reminders that are due at one instant, and what looking for them costs while there are none."""
    from benchmarks import raw_kafka, reminders

    count, planned = int(DUE_TOGETHER * scale), int(PLANNED * scale)
    alone = reminders.triggering_alone(ground, reminders.people(count // 2, prefix="alone"), count=count // 2)
    there = raw_kafka.there_and_back(count=max(20, int(200 * scale)))
    with reminders.mails_taken(ground):
        for owners in (count, count // 20):
            fired = reminders.due_together(ground, reminders.people(owners, prefix=f"of{owners}-"), count=count)
            note.figure(
                f"{count:,} reminders of {owners:,} people due in one second: trigger_at → commit of the notification",
                f"{fired.lateness}; {fired.early} early, {fired.twice} twice; {told.others(fired.others)}",
                f"triggering alone, in one process: {alone:.0f}/s; one record through Kafka alone: {there}",
            )
            note.figure(
                f"mails of those to a server on this machine, {owners:,} people",
                f"{fired.mails_per_second:.0f} deliveries/s, {fired.mails:,} in all, "
                f"the last {fired.last_mail_seconds:.1f} s after the instant",
            )
    looks = reminders.sweep_of_none(reminders.people(1, prefix="planner")[0], planned=planned, looks=200)
    note.figure(f"one look of the sweep, {planned:,} reminders planned and none due, of 200", str(looks))


def measure_protocols(ground: Ground, note: Notebook, scale: float) -> None:
    """The two protocols that members of a group may speak, by turns."""
    from benchmarks import pipeline, protocols

    count, turns = int(10_000 * scale), 2 if scale == 1 else 1
    _an_event_to_repeat(ground)
    passages: dict[str, list[pipeline.Passage]] = {protocols.CLASSIC: [], protocols.CONSUMER: []}
    starts: dict[str, list[float]] = {protocols.CLASSIC: [], protocols.CONSUMER: []}
    for protocol in list(passages) * turns:
        pipeline.into_kafka(ground, count=count)
        passage, first = pipeline.through_group(ground, count=count, KAFKA_GROUP_PROTOCOL=protocol)
        passages[protocol].append(passage)
        starts[protocol].append(first)
    ground.stack.stop_roles("worker-audit")
    ground.start_role("worker-audit")  # what is measured next is on the stack as it usually is
    pipeline.start_others(ground)
    for protocol, each in passages.items():
        moves = protocols.moves(protocol, rounds=ROUNDS if scale == 1 else 1)
        note.protocol("a first member has all partitions", protocol, protocols.told(moves.first))
        note.protocol("a second one has its half", protocol, protocols.told(moves.second))
        note.protocol("after it left (SIGTERM) the first has all", protocol, protocols.told(moves.left))
        note.protocol("after it was killed (-9) the first has all", protocol, protocols.told(moves.killed))
        note.protocol("a worker, from its start to its first event", protocol, protocols.told(starts[protocol]))
        speeds = [passage.per_second for passage in each]
        others = statistics.median(passage.others for passage in each)
        figure = f"{statistics.median(speeds):.0f} facts/s ({rounds(speeds)}); {told.others(others)}"
        note.protocol(f"backlog of {count:,} facts through the audit group alone", protocol, figure)


def measure_reads(ground: Ground, note: Notebook, scale: float) -> None:
    """Pages of a long list by REST."""
    from apps.accounts.models import User
    from benchmarks import pipeline, raw

    seconds, tasks = max(2, int(5 * scale)), int(100_000 * scale)
    reader = User.objects.create_user(email="reader@example.org", **READER)
    raw.many_tasks(count=tasks, owner=reader)
    person = (READER["username"], READER["password"])
    watch = ground.watch()
    pages = [
        pipeline.Caller(ground, PAGE, person=person, connections=16, seconds=seconds).load() for _ in range(ROUNDS)
    ]
    others = watch.spent().others
    page = sorted(pages, key=lambda load: load.per_second)[ROUNDS // 2]
    note.figure(
        f"reads of a list of 50 from {tasks:,} tasks of one owner, 16 connections",
        f"{page.per_second:.0f}/s ({rounds([each.per_second for each in pages])}); {page.latency}; "
        f"{page.refused} refused; {told.others(others)}",
        f"the same query by pgbench, 8 clients: {raw.one_page_by_pgbench(PAGE, reader=reader, seconds=5):.0f}/s",
        table=READS,
    )


def measure_trail(ground: Ground, note: Notebook, scale: float) -> None:
    """Pages of a long audit trail."""
    from benchmarks import trail

    ground.stack.stop_roles(*ground.stack.roles)  # pages are read in this process, and no record here is one to verify
    records = int(1_000_000 * scale)
    for pages in trail.measured(records=records, watch=ground.watch):
        what = f"{pages.what}, of {records:,} records, medians of {trail.ROUNDS}"
        note.figure(what, f"{pages}; {told.others(pages.others)}", table=READS)


def measure_rules(_ground: Ground, note: Notebook, scale: float) -> None:
    """Dates of recurrence rules, in this process alone."""
    from benchmarks import rules

    count = int(1000 * scale)
    for one in rules.measured(count=count):
        note.figure(
            f"{count:,} dates of a rule, {one.what}", str(one.ours), f"python-dateutil: {one.dateutil}", table=RULES
        )


# In this order: a backlog repeats an event that changes by REST left, and tables grow from part to part.
PARTS: dict[str, Measure] = {
    "idle": measure_idle,
    "pace": measure_pace,
    "backlog": measure_backlog,
    "rest": measure_rest,
    "recurrence": measure_recurrence,
    "reminders": measure_reminders,
    "protocols": measure_protocols,
    "reads": measure_reads,
    "rules": measure_rules,
}
# What takes long to prepare is measured only when asked for.
ASKED_FOR: dict[str, Measure] = {"trail": measure_trail}
# Where a part is measured: on both, but for what Kafka has no part in, and what the mock does otherwise.
ONLY_ON = {"protocols": REAL}
WITHOUT_KAFKA = frozenset({"reads", "rules", "trail"})


def _an_event_to_repeat(ground: Ground) -> None:
    from benchmarks import pipeline

    pipeline.Caller(ground, connections=1, seconds=1, rate=10).load()
    pipeline.wait_until_quiet()


def pace_reached(done: int, *, seconds: int, rate: int = RATE) -> str:
    """What to say first where the rate could not be kept up: then the figures are of another one."""
    return "" if done >= rate * seconds * 0.99 else f"**at {done / seconds:.0f}/s only**: "
