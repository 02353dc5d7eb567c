"""The generator, the journal and the checker of the fault tests: what they must see, they see."""

import random
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection

from apps.accounts import credentials
from apps.events import handling, outbox, rights, subscriptions
from apps.events.envelope import Envelope
from apps.events.errors import PoisonEvent
from apps.events.models import Event, GroupProgress, OutboxEntry
from apps.events.subscriptions import ConsumerGroup, group_named
from apps.tasks.events import UPDATES_TOPIC, TaskEvent
from tests.faults import checker, evidence, generator, journal, topics
from tests.faults.generator import Refused, Rest, Services
from tests.faults.journal import Journal, Operation
from tests.faults.verdict import Verdict
from tests.support.append_only import guards_off
from tests.support.application_role import login_role
from tests.support.factories import NOW, append, event, facts, life_of_one_subject, record_of, task_of


def run(statement: str, *parameters: str | UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def generated(door: generator.Door, path: Path, *, count: int = 30, seed: str = "seed") -> list[Operation]:
    asked = generator.generate(door, path, seed=seed, rate=0, count=count, stop=threading.Event(), now=lambda: 0.0)
    assert asked == count
    return journal.read(path)


def audited() -> None:
    """As the relay and the audit group would, without them."""
    handling.handle(group_named("audit"), [outbox.envelope_of(row) for row in facts()])
    OutboxEntry.objects.all().delete()


class Scripted:
    """A door that answers as it is told to."""

    def __init__(self, *answers: BaseException | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, UUID | None]] = []

    def ask(self, verb: str, *, operation: str, task_id: UUID | None, fields: Mapping[str, Any]) -> UUID:
        self.asked.append((verb, task_id))
        if answer := self.answers.pop(0) if self.answers else None:
            raise answer
        return task_id or uuid4()


class TestGenerator:
    def test_the_same_seed_asks_for_the_same_changes(self) -> None:
        states = {UUID(int=number): "pending" for number in range(5)}

        first, second, other = (
            list(islice(generator.changes(random.Random(seed), states), 50)) for seed in ("a", "a", "b")
        )

        assert first == second
        assert first != other

    def test_what_is_acknowledged_refused_and_unanswered_is_told_apart(self, tmp_path: Path) -> None:
        door = Scripted(None, Refused("422"), ConnectionError("503"))

        operations = generated(door, tmp_path / "journal", count=4)

        assert [(each.id, each.outcome) for each in operations] == [
            ("seed.0", "ok"),
            ("seed.1", "failed"),
            ("seed.2", "unknown"),
            ("seed.3", "ok"),
        ]

    def test_a_task_whose_last_change_is_open_is_not_touched_again(self, tmp_path: Path) -> None:
        door = Scripted(*[None] * 10, *[TimeoutError()] * 10)

        generated(door, tmp_path / "journal", count=60)

        unanswered = {task_id for _, task_id in door.asked[10:20] if task_id}
        assert unanswered
        assert not unanswered & {task_id for _, task_id in door.asked[20:]}

    @pytest.mark.django_db(transaction=True)
    def test_by_the_services_every_change_is_acknowledged_and_found(self, tmp_path: Path) -> None:
        operations = generated(Services(), tmp_path / "journal")
        audited()

        verdict = checker.judge(operations)
        verdict.hold()
        assert (verdict.operations["ok"], verdict.events) == (30, 30)

    @pytest.mark.django_db(transaction=True)
    def test_by_rest_every_change_is_acknowledged_and_found(self, tmp_path: Path, live_server: Any) -> None:
        now = datetime.now(UTC)
        token = credentials.create_personal_token(
            user=journal.owner(), name="load", scopes=["read", "write"], expires_at=now + timedelta(days=1), now=now
        )
        door = Rest(live_server.url, token.secret)

        operations = generated(door, tmp_path / "journal")
        door.connection.close()
        audited()

        verdict = checker.judge(operations)
        verdict.hold()
        assert (verdict.operations["ok"], verdict.events) == (30, 30)
        assert {each.verb for each in operations} >= {"create", "update", "complete", "delete", "restore"}

    @pytest.mark.django_db(transaction=True)
    def test_by_rest_without_leave_everything_is_refused(self, tmp_path: Path, live_server: Any) -> None:
        door = Rest(live_server.url, "no-token")

        operations = generated(door, tmp_path / "journal", count=2)
        door.connection.close()

        assert [each.outcome for each in operations] == ["failed", "failed"]
        assert facts().count() == 0


class TestJournal:
    def test_a_line_cut_short_is_as_if_it_had_not_been_written(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        notes = Journal(path)
        notes.note("a", "begin", verb="create")
        notes.close()
        path.write_bytes(path.read_bytes() + b'{"id": "a", "is": "o')

        assert journal.read(path) == [Operation("a", "create", "unknown")]

    def test_where_nobody_wrote_there_is_nothing(self, tmp_path: Path) -> None:
        assert journal.read(tmp_path / "journal") == []


@pytest.fixture
def life(transactional_db: None, tmp_path: Path) -> Path:
    """One task's six changes, journaled, in the log, audited: a system at rest."""
    path = tmp_path / "journal"
    journal.write(path, prefix="a", count=1)
    audited()
    return path


def topic() -> list[Any]:
    return [record_of(outbox.envelope_of(row), offset=number) for number, row in enumerate(facts())]


def snapshots() -> list[Any]:
    rows = Event.objects.filter(topic=UPDATES_TOPIC).order_by("position")
    return [record_of(outbox.envelope_of(row), offset=number) for number, row in enumerate(rows)]


@pytest.fixture
def chores(monkeypatch: pytest.MonkeyPatch) -> ConsumerGroup:
    """Another group, that does nothing when a task is created or completed; it is at work once it has begun."""
    monkeypatch.setattr(subscriptions, "_groups", dict(subscriptions._groups))
    group = ConsumerGroup("chores")
    group.on(TaskEvent.CREATED, TaskEvent.COMPLETED)(lambda event: None)
    return group


class TestEveryGroup:
    def test_one_that_has_not_begun_is_not_judged(self, life: Path, chores: ConsumerGroup) -> None:
        assert [group.name for group in checker.at_work()] == ["audit"]
        assert checker.quiet()
        checker.judge(journal.read(life)).hold()

    def test_what_one_at_work_has_not_handled_is_lost(self, life: Path, chores: ConsumerGroup) -> None:
        GroupProgress.objects.create(group="chores")

        verdict = checker.judge(journal.read(life))

        assert not checker.quiet()
        assert len(verdict.lost) == len(verdict.findings) == 2
        assert all(each.endswith("not handled by chores") for each in verdict.lost)

    def test_what_it_handled_is_done(self, life: Path, chores: ConsumerGroup) -> None:
        GroupProgress.objects.create(group="chores")
        handling.handle(chores, [outbox.envelope_of(row) for row in facts() if chores.wants(row.type)])

        assert checker.quiet()
        checker.judge(journal.read(life)).hold()

    def test_what_it_set_aside_is_not_lost_and_counts_as_a_dead_letter(self, life: Path, chores: ConsumerGroup) -> None:
        events = [outbox.envelope_of(row) for row in facts() if chores.wants(row.type)]
        chores.on(TaskEvent.CREATED)(_fail)
        handling.handle(chores, events)

        assert checker.quiet()
        assert checker.judge(journal.read(life)).findings == ["2 dead letters, 0 expected"]
        checker.judge(journal.read(life), poisons=2).hold()

    def test_what_it_handled_in_another_order_is_reordered(self, life: Path, chores: ConsumerGroup) -> None:
        GroupProgress.objects.create(group="chores")
        events = [outbox.envelope_of(row) for row in facts() if chores.wants(row.type)]
        for one in reversed(events):
            handling.handle(chores, [one])

        verdict = checker.judge(journal.read(life))

        assert len(verdict.reordered) == len(verdict.findings) == 1
        assert verdict.reordered[0].startswith("chores handled version 1 of ")


def _fail(_event: Envelope) -> None:
    raise PoisonEvent("never")


class TestChecker:
    def test_a_sound_system_has_no_findings(self, life: Path) -> None:
        verdict = checker.judge(journal.read(life), topic())

        verdict.hold()
        assert (verdict.events, verdict.operations["ok"], verdict.repeated_records) == (6, 6, 0)

    def test_an_acknowledged_change_that_is_not_in_the_log_is_lost(self, life: Path) -> None:
        verdict = checker.judge([*journal.read(life), Operation("gone", "create", "ok")])

        assert len(verdict.lost) == len(verdict.findings) == 1
        assert "acknowledged, and not in the log" in verdict.lost[0]

    def test_a_refused_change_that_is_in_the_log_is_found(self, life: Path) -> None:
        operations = [Operation(each.id, each.verb, "failed") for each in journal.read(life)]

        assert len(checker.judge(operations).other) == 6

    def test_a_change_that_was_made_twice_is_found_though_its_outcome_is_open(self, life: Path) -> None:
        made = facts().values_list("correlation_id", flat=True)[0]
        one = task_of(journal.owner())
        with guards_off():
            run("UPDATE events_event SET correlation_id = %s WHERE subject_id = %s", made, one.pk)
        audited()

        verdict = checker.judge([Operation(made, "create", "unknown")])

        assert len(verdict.duplicated) == len(verdict.findings) == 1
        assert "2 events" in verdict.duplicated[0]

    def test_a_task_that_is_ahead_of_its_events_is_found(self, life: Path) -> None:
        with guards_off():
            run("UPDATE tasks_task SET version = version + 1")

        verdict = checker.judge(journal.read(life))

        assert len(verdict.lost) == len(verdict.findings) == 1
        assert "versions [1, 2, 3, 4, 5, 6] in the log, [1, 2, 3, 4, 5, 6, 7] expected" in verdict.lost[0]

    def test_an_event_without_its_effect_is_lost(self, life: Path) -> None:
        with guards_off():
            run("DELETE FROM audit_auditcontent")
            run("DELETE FROM audit_auditrecord WHERE id = (SELECT max(id) FROM audit_auditrecord)")

        verdict = checker.judge(journal.read(life))

        assert len([each for each in verdict.lost if "no effect" in each]) == 1

    def test_what_the_topic_lacks_is_lost_though_the_group_has_it(self, life: Path) -> None:
        verdict = checker.judge(journal.read(life), topic()[:-1])

        assert len(verdict.lost) == len(verdict.findings) == 1
        assert "not on the topic" in verdict.lost[0]
        assert len(checker.judge(journal.read(life), []).lost) == 6

    def test_a_version_before_an_earlier_one_is_reordered(self, life: Path) -> None:
        first, second, *others = topic()

        verdict = checker.judge(journal.read(life), [*_placed(second, first, *others)])

        assert len(verdict.reordered) == len(verdict.findings) == 1

    def test_an_old_version_that_comes_last_is_reordered_though_all_came_in_order_before(self, life: Path) -> None:
        records = topic()

        verdict = checker.judge(journal.read(life), _placed(*records, records[0]))

        assert len(verdict.reordered) == len(verdict.findings) == 1
        assert verdict.reordered[0].startswith("task-events: version 1 of ")
        assert verdict.reordered[0].endswith(" comes last")

    def test_the_order_of_snapshots_is_judged_thing_by_thing(self, life: Path) -> None:
        journal.write(life, prefix="b", count=1)
        audited()
        records, told = topic(), snapshots()
        one, other = told[:6], told[6:]
        mixed = [each for pair in zip(one, other, strict=True) for each in pair]

        checker.judge(journal.read(life), [*records, *_placed(*mixed)]).hold()
        swapped = checker.judge(journal.read(life), [*records, *_placed(one[1], one[0], *one[2:], *other)])

        assert len(swapped.reordered) == len(swapped.findings) == 1
        assert swapped.reordered[0].startswith("task-updates: version 2 of ")

    def test_a_repeated_record_is_counted_and_forbidden_only_where_it_must_not_be(self, life: Path) -> None:
        records = _placed(*topic()[:2], *topic())

        verdict = checker.judge(journal.read(life), records)
        verdict.hold()
        assert verdict.repeated_records == 2
        with pytest.raises(AssertionError):
            topics.check_nothing_stands_twice_or_reordered(records)

    def test_what_waits_in_the_outbox_is_left_behind(self, life: Path) -> None:
        append(*life_of_one_subject(1))

        verdict = Verdict()
        checker.judge_leftovers(verdict, poisons=0)

        assert len(verdict.other) == 1
        assert "outbox entry" in verdict.other[0]

    def test_a_dead_letter_too_few_is_found(self, life: Path) -> None:
        verdict = Verdict()

        checker.judge_leftovers(verdict, poisons=1)

        assert verdict.other == ["0 dead letters, 1 expected"]

    @pytest.mark.django_db(transaction=True)
    def test_a_transaction_that_the_application_left_open_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checker, "OPEN_SECONDS", 0.0)
        with login_role() as (name, url):
            rights.grant(to=name, using="default")
            with psycopg.connect(url, application_name="forgetful") as session:
                session.execute("SELECT 1")
                during = Verdict()
                checker.judge_leftovers(during, poisons=0)
                session.rollback()
                after = Verdict()
                checker.judge_leftovers(after, poisons=0)

        assert len(during.other) == 1
        assert during.other[0].startswith("forgetful (")
        assert after.other == []

    @pytest.mark.django_db
    def test_a_system_with_work_on_its_way_is_not_quiet(self) -> None:
        assert checker.quiet()
        append(event(occurred_at=NOW))
        assert not checker.quiet()


def _placed(*records: Any) -> list[Any]:
    return [
        type(each)(each.topic, each.partition, offset, each.key, each.value, each.headers)
        for offset, each in enumerate(records)
    ]


class TestEvidence:
    def test_a_recovery_beyond_the_promise_and_the_patience_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(evidence, "PATIENCE", 2.0)
        row = evidence.Evidence("F1", "what", "none", "seed", bound=5)

        row.recovered(9.9)
        with pytest.raises(AssertionError, match=r"10\.1 s; the promise is 5, allowed here 10"):
            row.recovered(10.1)

    def test_a_row_that_took_longer_than_promised_reads_late_and_says_how_often(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(evidence, "PATIENCE", 3.0)
        rows = [evidence.Evidence("F4", "what", "mock", "seed", bound=5) for _ in range(2)]
        for row, seconds in zip(rows, ([4.0, 14.0, 6.0, 5.0], [5.0]), strict=True):
            for each in seconds:
                row.recovered(each)
            row.passed()

        assert [(row.recovery, row.result) for row in rows] == [
            ("14.0 s of 5", "late, bound passed 2 of 4 times"),
            ("5.0 s of 5", "held"),
        ]
        assert evidence.outcomes(rows) == "1 held, 1 late"

    @pytest.mark.django_db
    def test_a_control_that_finds_nothing_fails(self, tmp_path: Path) -> None:
        row = evidence.Evidence("F1", "what", "none", "seed", control=True)

        with pytest.raises(AssertionError, match="finds nothing wrong"):
            row.refute(tmp_path / "journal")

    def test_the_table_goes_between_the_marks_of_a_page(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text("before\n<!-- measured -->\nold\n<!-- end -->\nafter\n")
        row = evidence.Evidence("F4", "what", "mock", "seed", bound=5, operations=7, outcome="held")
        row.recovered(1.25)

        evidence.publish([row], page, about="Run today.")

        assert page.read_text().splitlines() == [
            *("before", "<!-- measured -->", "", "Run today.", ""),
            "| fault | what happens | Kafka | operations | lost | duplicated | reordered | recovery |  |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            "| F4 | what | mock | 7 | 0 | 0 | 0 | 1.2 s of 5 | held |",
            *("", "<!-- end -->", "after"),
        ]
