"""F9: an effect fails for good for one task; the group sets it aside with those behind it, and other keys flow."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from uuid import UUID

import pytest
from django.db import connection

from apps.events import subscriptions
from apps.events.consumer import GroupConsumer
from apps.events.envelope import Envelope
from apps.events.models import DeadLetter
from apps.events.subscriptions import ConsumerGroup
from apps.tasks.events import TaskEvent
from tests.events.effects import effect, effects_table
from tests.faults import checker
from tests.faults import journal as journals
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, let_pass, wait_until
from tests.support.factories import facts

__all__ = ["effect", "effects_table"]

TYPES = (
    TaskEvent.CREATED,
    TaskEvent.UPDATED,
    TaskEvent.COMPLETED,
    TaskEvent.REOPENED,
    TaskEvent.DELETED,
    TaskEvent.RESTORED,
)


@pytest.fixture(autouse=True)
def _groups_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "_groups", dict(subscriptions._groups))


@contextmanager
def _consuming(pipeline: Pipeline, effect: ModuleType, *, parks: bool) -> Iterator[None]:
    """A group in a thread of this process, whose effect cannot be for whatever happens to a task named `poison`."""
    group = ConsumerGroup("chores", parks=parks)

    @group.on(*TYPES)
    def note(one: Envelope) -> None:
        effect.apply(one)
        if one.data["task"]["title"].startswith("poison"):
            raise ValueError("cannot be")

    stop = threading.Event()
    consumer = GroupConsumer(group, broker=pipeline.broker, stop=stop)

    def run() -> None:
        try:
            consumer.run()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def _events_of(prefix: str) -> set[UUID]:
    return set(facts().filter(correlation_id__startswith=f"{prefix}-").values_list("event_id", flat=True))


def _flowed(effect: ModuleType, prefix: str) -> bool:
    return _events_of(prefix) <= set(effect.of())


@pytest.mark.short
@pytest.mark.fault("F9", "an effect fails for good for one key; other keys flow", bound=2)
def test_a_failing_effect_is_set_aside_with_all_behind_it_and_other_keys_flow(
    pipeline: Pipeline, journal: Path, evidence: Evidence, effect: ModuleType
) -> None:
    pipeline.start("relay")
    pipeline.start("worker-audit")
    with _consuming(pipeline, effect, parks=True):
        journals.write(journal, prefix="before", count=1)
        wait_until(partial(_flowed, effect, "before"), "the group works", seconds=90)

        journals.write(journal, prefix="poison", count=1)
        journals.write(journal, prefix="after", count=5)
        evidence.recovered(wait_until(partial(_flowed, effect, "after"), "the other keys flow", seconds=60))
        wait_until(lambda: DeadLetter.objects.count() == len(TYPES), "the poison is set aside", seconds=60)
    wait_until(checker.quiet, "the audit group records all", seconds=60)

    letters = DeadLetter.objects.order_by("id")
    assert {letter.event_id for letter in letters} == _events_of("poison")
    assert len({letter.key for letter in letters}) == 1
    assert [letter.behind_id is None for letter in letters] == [True, *[False] * (len(TYPES) - 1)]
    assert sorted(effect.of()) == sorted(_events_of("before") | _events_of("after"))
    evidence.judge(journal, pipeline.broker, poisons=len(TYPES))


@pytest.mark.control("F9", "a group that sets nothing aside: an effect that fails for good holds up other keys")
def test_where_nothing_is_set_aside_a_failing_effect_holds_up_the_other_keys(
    pipeline: Pipeline, journal: Path, evidence: Evidence, effect: ModuleType
) -> None:
    pipeline.start("relay")
    with _consuming(pipeline, effect, parks=False):
        journals.write(journal, prefix="before", count=1)
        wait_until(partial(_flowed, effect, "before"), "the group works", seconds=90)

        journals.write(journal, prefix="poison", count=1)
        journals.write(journal, prefix="after", count=5)
        let_pass(10)

    assert not _flowed(effect, "after")
    assert not DeadLetter.objects.exists()
    assert evidence.control
