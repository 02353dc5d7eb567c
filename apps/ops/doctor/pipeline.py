"""Whether the loops of the platform come round: heartbeats, outbox, dead letters, reconcile, schedules.

Invariant: what is late is decided in `apps.ops.pipeline` and nowhere else; here it gets words and a fix.
"""

from collections.abc import Iterator

from apps.events.selectors import Sweep
from apps.ops import pipeline
from apps.ops.doctor.examination import Verdict, warning, well, worst_of, wrong
from apps.ops.pipeline import Condition, Status

_START = "start it again: `make run` on a laptop, its deployment elsewhere."


def heartbeats() -> Verdict:
    state = pipeline.state()
    conditions = pipeline.conditions_of(state)
    dead = []
    for life in state.roles:
        if conditions[f"role_{life.role}"].status is not Status.OK:
            age = life.youngest_age_seconds
            ago = "never, or not within a day" if age is None else f"{age:.0f} s ago"
            dead.append(wrong(f"{life.role} last beat {ago}", fix=f"Look at the log of {life.role}, and {_START}"))
    return worst_of(dead, otherwise=", ".join(f"{life.role} {life.processes}" for life in state.roles))


def outbox() -> Verdict:
    state = pipeline.state()
    if state.outbox.held:
        return wrong(
            f"{state.outbox.held:,} events cannot go to Kafka, or wait behind such a one of their key",
            fix="Read why: `manage.py held`; mend it, and they go within seconds. What never can is given up there.",
        )
    told = f"{state.outbox.depth:,} events wait, the oldest for {state.outbox.oldest_age_seconds:.1f} s"
    if pipeline.conditions_of(state)["outbox"].status is not Status.OK:
        return wrong(told, fix=f"Look at the log of relay and at kafka; if it hangs, {_START}")
    return well(told if state.outbox.depth else "empty")


def dead_letters() -> Verdict:
    state = pipeline.state()
    if pipeline.conditions_of(state)["dead_letters"].status is not Status.OK:
        return warning(
            "; ".join(f"{group} gave up on {count} events" for group, count in sorted(state.parked.items())),
            fix="Read why: `manage.py dead_letters list`; mend it, then `manage.py dead_letters replay --group GROUP`.",
        )
    return well("none")


def reconcile() -> Verdict:
    state = pipeline.state()
    conditions = pipeline.conditions_of(state)
    problems = [
        problem for group in state.groups for problem in _problems_of_group(group, conditions[f"group_{group}"])
    ]
    return worst_of(problems, otherwise=f"{', '.join(state.groups)}: within {pipeline.RECONCILE_LATE_SECONDS} s")


def _problems_of_group(group: str, condition: Condition) -> Iterator[Verdict]:
    if condition.status is not Status.OK:
        age = condition.details.get("reconciled_seconds_ago")
        told = "has never reconciled" if age is None else f"reconciled {age:.0f} s ago"
        yield wrong(f"{group} {told}", fix=f"Look at the log of worker-{group} and beat, and {_START}")
    if repaired := condition.details.get("repaired"):
        yield warning(
            f"{group} had {repaired:,} events repaired",
            fix="Events were lost on the way to it: `manage.py verify_events`, and the log for their ids.",
        )


def beating() -> Verdict:
    state = pipeline.state()
    conditions = pipeline.conditions_of(state)
    problems = [
        problem for sweep in state.sweeps for problem in _problems_of(sweep, conditions[pipeline.name_of(sweep)])
    ]
    return worst_of(problems, otherwise=f"{len(state.sweeps)} schedules, each rang in time")


def _problems_of(sweep: Sweep, condition: Condition) -> Iterator[Verdict]:
    if not sweep.is_there:
        yield wrong(f"{sweep.name!r} is not there", fix="Run `manage.py sync_schedules`.")
    elif not sweep.enabled:
        yield warning(f"{sweep.name!r} is switched off", fix="Switch it on in the admin, under periodic tasks.")
    elif condition.status is not Status.OK:
        told = "never rang, in" if sweep.age_seconds is None else "last rang"
        ago = f"{sweep.silent_seconds:.0f} s{'' if sweep.age_seconds is None else ' ago'}"
        yield wrong(f"{sweep.name!r} {told} {ago}", fix=f"Look at the log of beat, and {_START}")
