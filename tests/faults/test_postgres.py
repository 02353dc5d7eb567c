"""F10: PostgreSQL dies, is away, cuts its connections, is silent, or holds a lock: changes by REST are its load."""

import http.client
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.db import connection

from apps.dev.embedded.postgres import Postgres
from apps.tasks import services as tasks
from apps.tasks.models import Task
from tests.faults import checker, postgres
from tests.faults import journal as journals
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, kill, let_pass, wait_until
from tests.faults.platform import Platform, acknowledged, asked_steadily, token
from tests.faults.proxy import Proxy
from tests.faults.urls import database_url
from tests.support import services

ROLES = ("web", "relay", "worker-audit", "worker-recurrence")
PATIENCE_SECONDS = 200
# Changes go on for so long after they come again; it is no part of the recovery.
LOAD_SECONDS = 3


def _crash(_proxy: Proxy) -> None:
    postgres.crash()


def _kill_the_server(_proxy: Proxy) -> None:
    server = services.running.get("postgres")
    if not isinstance(server, Postgres) or server.child is None:
        pytest.skip("The tests' PostgreSQL is somebody else's.")
    connection.close()
    kill(server.child)
    let_pass(5)
    server.start()
    server.wait()


def _reset(proxy: Proxy) -> None:
    for _ in range(5):
        proxy.reset()
        let_pass(0.5)


def _be_silent(proxy: Proxy) -> None:
    proxy.go_silent()
    let_pass(20)
    proxy.heal()


@pytest.mark.through("postgres")
@pytest.mark.fault("F10", "PostgreSQL under REST load:", bound=15)
@pytest.mark.parametrize(
    "strike",
    [_crash, _kill_the_server, _reset, _be_silent],
    ids=["a session's process is killed", "the server is killed, back after 5 s", "resets", "silent for 20 s"],
)
def test_whatever_postgresql_does_no_acknowledged_change_is_lost(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str, strike: Callable[[Proxy], None]
) -> None:
    platform = Platform(pipeline, ROLES)
    with platform.load(journal, seed=seed):
        let_pass(LOAD_SECONDS)
        strike(pipeline.proxies["postgres"])
        healed_at, before = time.monotonic(), acknowledged(journal)
        wait_until(lambda: _goes_on(platform, journal, before), "changes come again", seconds=PATIENCE_SECONDS)
        answered_at = time.monotonic()
        let_pass(LOAD_SECONDS)
        paused = time.monotonic() - answered_at
    wait_until(platform.rests, "all is quiet", seconds=PATIENCE_SECONDS)
    evidence.recovered(time.monotonic() - healed_at - paused)

    evidence.judge(journal, pipeline.broker)
    assert not platform.restarts


def _goes_on(platform: Platform, journal: Path, before: int) -> bool:
    platform.tend()
    return acknowledged(journal) > before


@pytest.mark.through("postgres")
@pytest.mark.timeout(360)
@pytest.mark.fault("F10", "connections to PostgreSQL half open: who hangs is ended and started again", bound=75)
def test_where_connections_are_half_open_the_supervisor_ends_who_hangs_and_nothing_is_lost(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str
) -> None:
    platform = Platform(pipeline, ROLES)
    with platform.load(journal, seed=seed):
        let_pass(LOAD_SECONDS)
        pipeline.proxies["postgres"].leave_half_open()
        healed_at, before = time.monotonic(), acknowledged(journal)
        wait_until(lambda: _goes_on(platform, journal, before), "changes come again", seconds=PATIENCE_SECONDS)
        answered_at = time.monotonic()
        let_pass(LOAD_SECONDS)
        paused = time.monotonic() - answered_at
    wait_until(platform.rests, "all is quiet", seconds=PATIENCE_SECONDS)
    evidence.recovered(time.monotonic() - healed_at - paused)

    evidence.judge(journal, pipeline.broker)


@pytest.mark.fault("F10", "somebody holds the lock of a row for 10 s", bound=15)
def test_a_row_locked_for_ten_seconds_is_answered_with_503_and_when_to_retry(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str
) -> None:
    platform = Platform(pipeline, ROLES)
    with platform.load(journal, seed=seed, rate=20):
        hot = tasks.create_task(owner=journals.owner(), actor=journals.owner(), title="hot", now=datetime.now(UTC)).pk
        with psycopg.connect(database_url()) as holder:
            holder.execute("SELECT 1 FROM tasks_task WHERE id = %s FOR UPDATE", [hot])
            before, asked_at = acknowledged(journal), time.monotonic()
            refused = _complete(platform, hot, token())
            waited = time.monotonic() - asked_at
            wait_until(lambda: acknowledged(journal) > before + 10, "other tasks go on", seconds=60)
            let_pass(max(0.0, 10 - waited))
        released_at = time.monotonic()
        done = _complete(platform, hot, token())
    wait_until(platform.rests, "all is quiet", seconds=PATIENCE_SECONDS)
    evidence.recovered(time.monotonic() - released_at)

    assert (refused.status, done.status) == (503, 200)
    assert int(refused.headers["Retry-After"]) >= 1
    assert waited >= 5
    assert Task.objects.get(pk=hot).version == 2
    evidence.judge(journal, pipeline.broker)


def _complete(platform: Platform, task_id: UUID, key: str) -> http.client.HTTPResponse:
    asking = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=60)
    headers = {"Authorization": f"Bearer {key}"}
    asking.request("POST", f"/api/v1/tasks/{task_id}/complete/", headers=headers)
    answer = asking.getresponse()
    json.loads(answer.read())
    asking.close()
    return answer


@pytest.mark.control("F10", "changes are acknowledged before they stand in PostgreSQL's log, and it crashes")
def test_with_asynchronous_commits_a_crash_loses_acknowledged_changes_and_the_checker_sees_it(
    pipeline: Pipeline, journal: Path, evidence: Evidence, seed: str
) -> None:
    hasty = f"{pipeline.database_url}?options=-c%20synchronous_commit%3Doff"
    command = [sys.executable, "-m", "tests.faults.generator", str(journal), seed, "0", "0"]
    with asked_steadily(pipeline.run("hasty", command, DATABASE_URL=hasty), journal):
        for _ in range(5):
            before = acknowledged(journal)
            wait_until(lambda before=before: acknowledged(journal) > before + 5, "changes come", seconds=60)  # type: ignore[misc]
            postgres.crash()

    pipeline.start("relay")
    pipeline.start("worker-audit")
    wait_until(checker.quiet, "what is left is audited", seconds=PATIENCE_SECONDS)
    assert evidence.refute(journal, pipeline.broker).lost
