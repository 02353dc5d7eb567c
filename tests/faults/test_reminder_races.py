"""F18: a thousand tasks are completed, deleted, moved or left alone at the very instant their reminders are triggered,
by sweeps that run beside each other, while the group hears of it all. Whatever was committed first counts.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from apps.accounts.models import User
from apps.events.models import Event, OutboxEntry
from apps.events.subscriptions import group_named
from apps.notifications.models import Reminder
from apps.notifications.services import triggering
from apps.tasks import services
from apps.tasks.exceptions import TaskRefused
from apps.tasks.selectors import pictures
from tests.events.concurrency import in_background, with_own_connection
from tests.faults import reminders
from tests.faults.evidence import Evidence
from tests.faults.verdict import Verdict
from tests.support.factories import person
from tests.support.pump import Pump, fresh_pump
from tests.support.reminding import Clock, standing_clock
from tests.support.told_once import Told

pytestmark = pytest.mark.usefixtures("transactional_db")

NOON = datetime(2027, 5, 3, 12, 0, tzinfo=UTC)
PEOPLE = 3
SWEEPERS = 2
WAIT_SECONDS = 200


@pytest.fixture
def clock(transactional_db: None) -> Iterator[Clock]:
    with standing_clock(NOON) as clock:
        yield clock


@pytest.fixture
def pump(clock: Clock) -> Iterator[Pump]:
    with fresh_pump() as pump:
        yield pump


def _due_now(owner: User, clock: Clock, pump: Pump, *, count: int) -> list[UUID]:
    at = NOON + timedelta(minutes=1)
    made = [
        services.create_task(
            owner=owner,
            actor=owner,
            title=f"Number {number}",
            due_at=at + timedelta(hours=1),
            reminders=[{"trigger_at": at}],
            now=NOON,
        ).pk
        for number in range(count)
    ]
    _hear_all(pump)
    assert Reminder.objects.count() == count
    clock.advance(minutes=1)
    return made


def _hear_all(pump: Pump) -> None:
    while OutboxEntry.objects.exists():
        while pump.relay_once():
            pass
        pump.consume(group_named(reminders.GROUP))


def _act(task_id: UUID, owner: User, chance: random.Random) -> None:
    now = datetime.now(UTC)
    later = {"reminders": [{"trigger_at": now + timedelta(minutes=chance.randint(1, 30))}]}
    verbs: list[Callable[[], object]] = [
        lambda: services.complete_task(task_id=task_id, actor=owner, now=now),
        lambda: services.delete_task(task_id=task_id, actor=owner, now=now),
        lambda: services.update_task(task_id=task_id, actor=owner, changes=later, now=now),
        lambda: services.update_task(task_id=task_id, actor=owner, changes={"reminders": []}, now=now),
        lambda: services.update_task(task_id=task_id, actor=owner, changes={"title": "Another"}, now=now),
    ]
    with suppress(TaskRefused):
        chance.choice(verbs)()


def _sweep(over: threading.Event, chance: random.Random) -> int:
    """Until everybody has done what they wanted, and nothing is due any more."""
    count = 0
    while True:
        last = over.is_set()
        done = triggering.trigger_due(most=chance.randint(1, 4))
        count += done.triggered
        # At the pace of people, so that neither is through before the other.
        time.sleep(chance.uniform(0, 0.04))
        if last and not len(done):
            return count


def _hear(over: threading.Event, pump: Pump) -> None:
    while not over.is_set():
        pump.relay_once()
        pump.consume(group_named(reminders.GROUP))


def _everybody_at_once(made: list[UUID], owner: User, pump: Pump, seed: str) -> int:
    over = threading.Event()
    shuffled = list(made)
    random.Random(seed).shuffle(shuffled)

    def live(number: int) -> None:
        chance = random.Random(f"{seed}-{number}")
        for task_id in shuffled[number::PEOPLE]:
            _act(task_id, owner, chance)

    with ThreadPoolExecutor(PEOPLE + SWEEPERS + 1) as pool:
        people = [pool.submit(with_own_connection(partial(live, number))) for number in range(PEOPLE)]
        chances = [random.Random(f"{seed}+{number}") for number in range(SWEEPERS)]
        sweeps = [pool.submit(with_own_connection(partial(_sweep, over, chance))) for chance in chances]
        hearing = pool.submit(with_own_connection(lambda: _hear(over, pump)))
        try:
            for one in people:
                one.result(WAIT_SECONDS)
        finally:
            over.set()
        hearing.result(WAIT_SECONDS)
        return sum(sweep.result(WAIT_SECONDS) for sweep in sweeps)


def _findings(evidence: Evidence, *, now: datetime) -> Verdict:
    told = Told(clock="occurred_at")
    verdict = Verdict(events=Event.objects.filter(subject_type="reminder").count())
    verdict.other += [*told.early(), *told.versions(), *told.too_late_to_hold()]
    verdict.duplicated += told.twice()
    verdict.lost += told.untold(now=now)
    evidence.count(verdict)
    return verdict


@pytest.mark.timeout(420)
@pytest.mark.fault("F18", "completions, deletions and moves race with two sweeps and the group")
@pytest.mark.parametrize("races", [pytest.param(60, marks=pytest.mark.short), 1000])
def test_whatever_was_committed_first_counts(
    clock: Clock, pump: Pump, evidence: Evidence, seed: str, races: int
) -> None:
    owner = person(time_zone="UTC")
    made = _due_now(owner, clock, pump, count=races)

    triggered = _everybody_at_once(made, owner, pump, seed)
    _hear_all(pump)
    while len(triggering.trigger_due()):
        _hear_all(pump)
    _hear_all(pump)

    _findings(evidence, now=clock.now).hold()
    cancelled = Event.objects.filter(type="reminder.cancelled.v1").count()
    evidence.operations += races
    evidence.notes.append(f"{triggered} triggered, {cancelled} cancelled")
    assert min(triggered, cancelled) > 0


@pytest.mark.short
@pytest.mark.control("F18", "a sweep looks at tasks without holding them, and they are completed before it commits")
def test_without_holding_the_tasks_they_are_told_after_they_were_done(
    clock: Clock, pump: Pump, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = person(time_zone="UTC")
    made = _due_now(owner, clock, pump, count=20)
    look = pictures

    def look_before_they_are_done(task_ids: list[UUID], *, lock: bool) -> object:
        seen = look(task_ids, lock=False)
        with in_background(lambda: _complete(made[:10], owner)) as doing:
            doing.result(WAIT_SECONDS)
        return seen

    monkeypatch.setattr(triggering, "pictures", look_before_they_are_done)

    assert triggering.trigger_due().triggered == 20
    monkeypatch.undo()
    _hear_all(pump)

    found = _findings(evidence, now=clock.now)
    assert [each.partition(": ")[2] for each in found.findings] == ["triggered, its task was completed"] * 10


def _complete(task_ids: list[UUID], owner: User) -> None:
    for task_id in task_ids:
        services.complete_task(task_id=task_id, actor=owner, now=datetime.now(UTC))
