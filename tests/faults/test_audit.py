"""F24: writers of the trail that stop in the middle, frozen or cut off, and come back when others have gone on."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, InterfaceError, connection, connections, transaction

from apps.audit import services
from apps.audit.models import AuditRecord
from tests.faults import checker
from tests.faults import journal as journals
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, is_frozen, let_pass, thaw, wait_until
from tests.faults.proxy import Proxy, proxy_to
from tests.faults.urls import database_url, place_of
from tests.support.factories import event, task_data


@pytest.mark.fault("F24", "a writer of the trail freezes with its locks, and comes back", bound=60)
def test_a_writer_frozen_between_head_and_record_makes_no_fork_when_it_comes_back(
    pipeline: Pipeline, journal: Path, evidence: Evidence
) -> None:
    pipeline.start("relay")
    zombie = pipeline.start("worker-audit", name="zombie", CRASH_POINT="audit.heads_read", CRASH_SIGNAL="SIGSTOP")
    journals.write(journal, prefix="a", count=10)
    wait_until(lambda: is_frozen(zombie), "the writer freezes", seconds=60)
    assert not AuditRecord.objects.exists()

    pipeline.start("worker-audit", name="heir")
    # Its locks go with its session. PostgreSQL ends one that idles in a transaction after 30 s, and one that froze in
    # the middle of a statement after 45.
    evidence.recovered(wait_until(checker.quiet, "another has recorded every event", seconds=120))
    thaw(zombie)
    journals.write(journal, prefix="b", count=10)
    wait_until(checker.quiet, "both go on", seconds=60)
    wait_until(lambda: checker.lag(pipeline.broker) == 0, "all is read", seconds=60)

    evidence.judge(journal, pipeline.broker)


@pytest.mark.short
@pytest.mark.fault("F24", "a writer of the trail stops in the middle of a statement", bound=5)
@pytest.mark.parametrize("unsent", [60, 300, 3_000, 30_000])
def test_a_writer_whose_bytes_stop_anywhere_in_its_insert_loses_its_locks(
    transactional_db: None, journal: Path, postgres: Proxy, evidence: Evidence, unsent: int
) -> None:
    postgres.stop_clients_after(_bytes_of_an_append(postgres) - unsent)

    with _appending(postgres):
        wait_until(lambda: not _chains_are_free(), "the writer has its locks", seconds=20)
        evidence.recovered(wait_until(_chains_are_free, "the chains are free again", seconds=20))
        evidence.judge(journal)

    assert AuditRecord.objects.count() == 0


@pytest.mark.short
@pytest.mark.control("F24", "a writer of the trail stops in the middle of a COPY: it keeps its locks")
def test_a_writer_whose_bytes_stop_in_a_copy_keeps_its_locks(
    transactional_db: None,
    journal: Path,
    postgres: Proxy,
    evidence: Evidence,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "_insert", _insert_by_copy)
    postgres.stop_clients_after(_bytes_of_an_append(postgres) - 3_000)

    with _appending(postgres):
        wait_until(lambda: not _chains_are_free(), "the writer has its locks", seconds=20)
        let_pass(LIMIT_SECONDS + 4)
        assert not _chains_are_free()
        verdict = evidence.refute(journal)

    assert ["in a transaction since" in each for each in verdict.findings] == [True]


LIMIT_SECONDS = 2


@pytest.fixture
def postgres() -> Iterator[Proxy]:
    with proxy_to(place_of(database_url())) as proxy:
        yield proxy


def _bytes_of_an_append(proxy: Proxy) -> int:
    """What a writer sends from its first byte to its last."""
    with _appending(proxy, rollback=True) as thread:
        thread.join()
    return proxy.sent_by_clients


@contextmanager
def _appending(proxy: Proxy, *, rollback: bool = False) -> Iterator[threading.Thread]:
    """Append records in a thread whose connection leads through the proxy; it is cut off at the end."""
    events = [event(data=task_data(description="x" * 500)) for _ in range(100)]

    def append() -> None:
        ours = connections["default"].copy()
        connections["default"] = ours
        host, port = proxy.address.split(":")
        limit = f"{LIMIT_SECONDS}s"
        others = f"-c idle_in_transaction_session_timeout={limit} -c statement_timeout={limit}"
        options = {**ours.settings_dict["OPTIONS"], "options": others, "transaction_timeout": limit}
        ours.settings_dict = {**ours.settings_dict, "HOST": host, "PORT": port, "OPTIONS": options}
        try:
            with suppress(DatabaseError, InterfaceError, psycopg.Error), transaction.atomic():
                services.append_records(events)
                transaction.set_rollback(rollback)
        finally:
            ours.close()

    thread = threading.Thread(target=append)
    thread.start()
    try:
        yield thread
    finally:
        proxy.reset()
        thread.join(10)


def _chains_are_free() -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT bool_and(pg_try_advisory_xact_lock(%s, c)) FROM generate_series(0, 15) AS c",
            [services.CHAIN_LOCKS],
        )
        return bool(cursor.fetchone()[0])


def _insert_by_copy(statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    into = statement.partition(" SELECT ")[0].replace("INSERT INTO", "COPY")
    with connection.cursor() as cursor, cursor.copy(f"{into} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
