"""F5: of several relays one leads, whatever becomes of it or of its way to PostgreSQL; nothing is reordered."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from apps.dev.children import Child
from apps.events import handling, outbox
from apps.events.leadership import Leadership
from apps.events.models import OutboxEntry
from apps.events.relay import Relay
from apps.events.subscriptions import group_named
from tests.faults import checker, topics
from tests.faults import journal as journals
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, freeze, is_frozen, kill, let_pass, thaw, wait_until
from tests.faults.test_relay import audited
from tests.faults.urls import database_url, led_to
from tests.support.factories import facts


@pytest.mark.fault("F5", "the leading of two relays freezes for 10 s", bound=5)
def test_a_frozen_relay_keeps_the_lead_and_nothing_is_reordered(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    active = pipeline.start("relay", name="active")
    journals.write(journal, prefix="a", count=5)
    wait_until(lambda: not OutboxEntry.objects.exists(), "the active relay works", seconds=60)
    standby = pipeline.start("relay", name="standby")

    freeze(active)
    journals.write(journal, prefix="b", count=10)
    let_pass(10)
    # A fact and a snapshot each: the standby is not the leader and touches nothing.
    assert OutboxEntry.objects.count() == 120
    thaw(active)

    evidence.recovered(wait_until(lambda: not OutboxEntry.objects.exists(), "the thawed relay goes on", seconds=60))
    assert standby.runs
    topics.check_nothing_stands_twice_or_reordered(topics.all_records(pipeline.broker))
    audited(pipeline, journal, evidence)


@pytest.mark.fault("F5", "the frozen relay loses its session, thaws, and steps back", bound=5)
def test_a_frozen_relay_that_lost_its_session_steps_back_when_it_thaws(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    active = pipeline.start("relay", name="active")
    journals.write(journal, prefix="a", count=5)
    wait_until(lambda: not OutboxEntry.objects.exists(), "the active relay works", seconds=60)
    pipeline.start("relay", name="standby")
    freeze(active)
    end_the_leaders_session()

    journals.write(journal, prefix="b", count=10)
    evidence.recovered(wait_until(lambda: not OutboxEntry.objects.exists(), "the standby has taken over", seconds=60))
    thaw(active)
    journals.write(journal, prefix="c", count=10)
    wait_until(lambda: not OutboxEntry.objects.exists(), "the new leader goes on", seconds=60)

    assert active.runs  # as a standby now
    topics.check_nothing_stands_twice_or_reordered(topics.all_records(pipeline.broker))
    audited(pipeline, journal, evidence)


@pytest.mark.fault("F5", "the leader freezes between produce and delete and loses its session", bound=5)
def test_a_leader_frozen_between_produce_and_delete_comes_back_and_deletes_nothing(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    point = {"CRASH_POINT": "relay.produced", "CRASH_SIGNAL": "SIGSTOP"}
    active = pipeline.start("relay", name="active", **point)
    journals.write(journal, prefix="a", count=5)
    wait_until(lambda: is_frozen(active), "the leader freezes", seconds=60)
    # What it has produced the heir does not know of: it comes twice.
    assert len(topics.all_records(pipeline.broker)) > 0
    standby = pipeline.start("relay", name="standby")
    pipeline.wait_for_word(standby, "relay_standing_by")

    end_the_leaders_session()
    evidence.recovered(wait_until(lambda: not OutboxEntry.objects.exists(), "the heir relays", seconds=60))
    journals.write(journal, prefix="b", count=5)
    thaw(active)
    pipeline.wait_for_word(active, "relay_lost_leadership")
    journals.write(journal, prefix="c", count=5)

    audited(pipeline, journal, evidence)
    assert active.runs


@pytest.mark.through("postgres")
@pytest.mark.fault("F5", "the leader's PostgreSQL is silent for 10 s; another stands by", bound=5)
def test_a_leader_whose_database_goes_silent_keeps_the_lead_and_goes_on(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str
) -> None:
    active, standby = _one_through_the_proxy(pipeline)
    load = pipeline.load(journal, seed=seed)

    pipeline.proxies["postgres"].go_silent()
    let_pass(10)
    waiting = checker.waiting()
    assert len(waiting) > 50
    pipeline.proxies["postgres"].heal()

    evidence.recovered(wait_until(lambda: checker.relayed(waiting), "what waited is relayed", seconds=60))
    _finish(pipeline, load)
    assert active.runs
    assert "relay_active" not in pipeline.log_of(standby)
    topics.check_nothing_stands_twice_or_reordered(topics.all_records(pipeline.broker))
    _audited_directly(pipeline, journal, evidence)


@pytest.mark.through("postgres")
@pytest.mark.fault("F5", "the leader's connections to PostgreSQL are half open; another takes over", bound=5)
def test_a_leader_left_half_open_touches_nothing_more_and_steps_back_when_it_is_told(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str
) -> None:
    active, standby = _one_through_the_proxy(pipeline)
    load = pipeline.load(journal, seed=seed)

    assert pipeline.proxies["postgres"].leave_half_open() > 0
    waiting = checker.waiting()
    pipeline.wait_for_word(standby, "relay_active")
    evidence.recovered(wait_until(lambda: checker.relayed(waiting), "what waited is relayed", seconds=60))
    pipeline.proxies["postgres"].reset()
    let_pass(2)
    _finish(pipeline, load)
    kill(standby)
    journals.write(journal, prefix="after", count=5)

    took = wait_until(lambda: not OutboxEntry.objects.exists(), "the first leads again", seconds=60)
    evidence.recovered(took)
    assert active.runs
    _audited_directly(pipeline, journal, evidence)


@pytest.mark.through("postgres")
@pytest.mark.fault("F5", "the leader's lock is cut off without a word: black hole", bound=35)
def test_a_leader_whose_lock_is_cut_off_relays_nothing_more_and_the_standby_takes_over(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    proxy, direct = pipeline.proxies["postgres"], pipeline.database_url
    lock = led_to(direct, proxy.address)
    active = pipeline.start("relay", name="active", DATABASE_URL=direct, DATABASE_DIRECT_URL=lock)
    pipeline.wait_for_word(active, "relay_active")
    standby = pipeline.start("relay", name="standby", DATABASE_URL=direct)
    pipeline.wait_for_word(standby, "relay_standing_by")

    proxy.go_silent()
    journals.write(journal, prefix="a", count=5)
    evidence.recovered(wait_until(lambda: not OutboxEntry.objects.exists(), "the standby has taken over", seconds=120))
    proxy.heal()
    journals.write(journal, prefix="b", count=5)
    wait_until(lambda: not OutboxEntry.objects.exists(), "the new leader goes on", seconds=60)
    pipeline.wait_for_word(active, "relay_lost_leadership")

    assert (active.runs, standby.runs) == (True, True)
    topics.check_nothing_stands_twice_or_reordered(topics.all_records(pipeline.broker))
    _audited_directly(pipeline, journal, evidence)


def _one_through_the_proxy(pipeline: Pipeline) -> tuple[Child, Child]:
    """A leader that meets PostgreSQL by the proxy, and one that stands by and does not."""
    active = pipeline.start("relay", name="active")
    pipeline.wait_for_word(active, "relay_active")
    standby = pipeline.start("relay", name="standby", DATABASE_URL=pipeline.database_url)
    pipeline.wait_for_word(standby, "relay_standing_by")
    return active, standby


def _finish(pipeline: Pipeline, load: Child) -> None:
    pipeline.finish(load)
    wait_until(lambda: not OutboxEntry.objects.exists(), "all of it is relayed", seconds=60)


def _audited_directly(pipeline: Pipeline, journal: Path, evidence: Evidence) -> None:
    pipeline.start("worker-audit", DATABASE_URL=pipeline.database_url)
    wait_until(checker.quiet, "every event has its audit record", seconds=60)
    verdict = evidence.judge(journal, pipeline.broker)
    evidence.notes.append(f"{verdict.repeated_records} records repeated")


@pytest.mark.short
@pytest.mark.control("F5", "two relays at once, the lock switched off")
def test_two_relays_without_the_lock_reorder_and_the_checker_sees_it(
    pipeline: Pipeline, journal: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """The slow one has the first version in hand while the quick one relays all six: the first comes last."""
    monkeypatch.setattr(Leadership, "holds", lambda _self: True)
    journals.write(journal, prefix="a", count=1)
    handling.handle(group_named("audit"), [outbox.envelope_of(row) for row in facts()])
    slow, quick = (Relay(pipeline.broker, leadership=Leadership()) for _ in range(2))

    def all_of_it() -> None:
        settings.RELAY_BATCH_SIZE = 500
        assert quick.relay_batch() == 12

    slow.producer = _Delayed(pipeline.broker.producer(), meanwhile=all_of_it)
    settings.RELAY_BATCH_SIZE = 2  # a fact and a snapshot
    slow.relay_batch()

    slow.close()
    quick.close()
    verdict = evidence.refute(journal, pipeline.broker)
    assert [each.partition(" of ")[0] for each in verdict.reordered] == [
        "task-events: version 1",
        "task-updates: version 1",
    ]
    assert verdict.findings == verdict.reordered


class _Delayed:
    """A producer that lets something else happen between reading the outbox and producing."""

    def __init__(self, producer, *, meanwhile) -> None:
        self.producer = producer
        self.meanwhile = meanwhile

    def send(self, records, *, give_up):
        self.meanwhile()
        return self.producer.send(records, give_up=give_up)

    def close(self) -> None:
        self.producer.close()


def end_the_leaders_session() -> None:
    with psycopg.connect(database_url(), autocommit=True) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND granted AND application_name = 'relay-leadership'"
        )
