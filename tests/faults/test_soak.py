"""Faults at random, one round after another, for as long as FAULTS_SECONDS says (`make soak SECONDS=3600 SEED=…`).

A round: changes at a steady rate, one fault or two that overlap, healing, rest, and the whole check. Which faults come
when is decided by the seed alone and printed before each round. A round of two counts for the one that takes longer.
The round that is under way when the time is over is finished. Invariant: every kind of fault comes before one
comes again.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from apps.dev.children import Child
from apps.events import liveness
from tests.faults import checker, postgres
from tests.faults import journal as journals
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, freeze, kill, let_pass, thaw, wait_until

SECONDS = float(os.environ.get("FAULTS_SECONDS") or 120)
RATE = 30.0
QUIET_SECONDS = 240.0
ROLES = {"relay": "relay", "one": "worker-audit", "two": "worker-audit", "series": "worker-recurrence"}

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SECONDS + 4 * QUIET_SECONDS), pytest.mark.through("postgres")]


class Platform:
    """Relay, two workers of audit, one of series; `tend` starts what has ended or beats no more, as supervisors do."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.roles: dict[str, Child] = {}
        self.started = 0
        self.tend()

    def tend(self) -> None:
        for name, role in ROLES.items():
            if name in self.roles and self._hangs(name, role):
                print(f"{name} beats no more and is ended")
                kill(self.roles[name])
            if name not in self.roles or not self.roles[name].runs:
                self.start(name, role)

    def _hangs(self, name: str, role: str) -> bool:
        beats = self._heartbeats(name) / role
        with suppress(FileNotFoundError):
            return self.roles[name].runs and time.time() - beats.stat().st_mtime > liveness.limit_seconds(role)
        return False

    def _heartbeats(self, name: str) -> Path:
        return self.pipeline.heartbeats / name

    def start(self, name: str, role: str, **extra: str) -> None:
        self.started += 1
        self._heartbeats(name).mkdir(exist_ok=True)
        there = {"HEARTBEAT_DIR": str(self._heartbeats(name)), **extra}
        (self._heartbeats(name) / role).unlink(missing_ok=True)
        self.roles[name] = self.pipeline.start(role, name=f"{name}-{self.started}", **there)

    def any_role(self, chance: random.Random) -> Child:
        return self.roles[chance.choice(sorted(self.roles))]


def kill_a_role(platform: Platform, chance: random.Random) -> None:
    kill(platform.any_role(chance))


def freeze_a_role(platform: Platform, chance: random.Random) -> None:
    role = platform.any_role(chance)
    freeze(role)
    let_pass(chance.uniform(1, 15))
    thaw(role)


def die_at_a_point(platform: Platform, chance: random.Random) -> None:
    point = chance.choice(["handling.before_commit", "handling.after_commit", "consumer.before_store"])
    name = chance.choice(["one", "series"])
    platform.roles[name].stop(seconds=30)
    platform.start(name, ROLES[name], CRASH_POINT=f"{point}:{chance.randint(1, 20)}")


def freeze_kafka(platform: Platform, chance: random.Random) -> None:
    assert platform.pipeline.kafka.child is not None
    freeze(platform.pipeline.kafka.child)
    let_pass(chance.uniform(1, 15))
    thaw(platform.pipeline.kafka.child)


def kill_kafka(platform: Platform, chance: random.Random) -> None:
    kafka = platform.pipeline.kafka
    assert kafka.child is not None
    kill(kafka.child)
    let_pass(chance.uniform(0, 5))
    kafka.stop()
    kafka.start()
    kafka.wait()


def crash_the_database(platform: Platform, chance: random.Random) -> None:
    del platform, chance
    postgres.crash()


def cut_the_database(platform: Platform, chance: random.Random) -> None:
    proxy = platform.pipeline.proxies["postgres"]
    for _ in range(chance.randint(1, 5)):
        proxy.reset()
        let_pass(chance.uniform(0, 1))


def silence_the_database(platform: Platform, chance: random.Random) -> None:
    proxy = platform.pipeline.proxies["postgres"]
    proxy.go_silent()
    let_pass(chance.uniform(1, 20))
    proxy.heal()


def leave_the_database_half_open(platform: Platform, chance: random.Random) -> None:
    del chance
    platform.pipeline.proxies["postgres"].leave_half_open()


def empty_redis(platform: Platform, chance: random.Random) -> None:
    valkey = platform.pipeline.valkey
    assert valkey.child is not None
    kill(valkey.child)
    let_pass(chance.uniform(0, 5))
    valkey.start()
    valkey.wait()


class Kind(NamedTuple):
    fault: str
    what: str
    bound: float
    strike: Callable[[Platform, random.Random], None]
    real_only: bool = False


KINDS = [
    Kind("F4", "soak: relay or consumer killed at any moment", 10, kill_a_role),
    Kind("F5", "soak: relay or consumer frozen for 1 to 15 s", 15, freeze_a_role),
    Kind("F7", "soak: consumer killed at a crash point", 10, die_at_a_point),
    Kind("F6", "soak: Kafka frozen for 1 to 15 s", 20, freeze_kafka),
    Kind("F6", "soak: Kafka killed, back with its data", 20, kill_kafka, real_only=True),
    Kind("F10", "soak: PostgreSQL crashes", 15, crash_the_database),
    Kind("F10", "soak: connections to PostgreSQL reset", 15, cut_the_database),
    Kind("F10", "soak: PostgreSQL silent for 1 to 20 s", 15, silence_the_database),
    Kind("F10", "soak: connections to PostgreSQL half open", 75, leave_the_database_half_open),
    Kind("F11", "soak: Redis killed, back empty", 10, empty_redis),
]


def in_turn(kinds: list[Kind], chance: random.Random) -> Iterator[Kind]:
    while True:
        yield from chance.sample(kinds, len(kinds))


def test_whatever_breaks_in_whatever_order_nothing_is_lost_repeated_or_reordered(
    pipeline: Pipeline, tmp_path: Path, chance: random.Random, seed: str, new_evidence: Callable[..., Evidence]
) -> None:
    platform, ends_at = Platform(pipeline), time.monotonic() + SECONDS
    kinds = [kind for kind in KINDS if pipeline.kafka_kind == "real" or not kind.real_only]
    rows: dict[str, Evidence] = {}

    def row_of(kind: Kind) -> Evidence:
        if kind.what not in rows:
            rows[kind.what] = new_evidence(kind.fault, kind.what, bound=kind.bound)
        return rows[kind.what]

    coming = in_turn(kinds, chance)
    for number in range(1_000_000):
        struck = [next(coming), *([chance.choice(kinds)] if chance.random() < 0.3 else [])]
        print(f"round {number}: {', then '.join(kind.what for kind in struck)}")
        row = row_of(max(struck, key=lambda kind: kind.bound))
        journal = tmp_path / f"journal-{number}"
        load = pipeline.generate(journal, seed=f"{seed[:60]}-{number}", rate=RATE)
        wait_until(partial(_has_begun, journal), "changes come", seconds=60)
        let_pass(chance.uniform(1, 5))
        for kind in struck:
            kind.strike(platform, chance)
        healed_at = time.monotonic()
        platform.tend()
        let_pass(chance.uniform(0, 3))
        load.stop(seconds=30)
        wait_until(lambda: _rests(platform), "all is quiet", seconds=QUIET_SECONDS)
        row.recovered(time.monotonic() - healed_at)
        row.judge(journal, pipeline.broker if pipeline.kafka_kind == "real" else None)
        row.rounds += 1
        row.passed()
        print(f"round {number} held: {row.operations} operations so far, {row.recovery}")
        if time.monotonic() > ends_at:
            break


def _has_begun(journal: Path) -> bool:
    return any(operation.outcome == "ok" for operation in journals.read(journal))


def _rests(platform: Platform) -> bool:
    platform.tend()
    return checker.quiet()
