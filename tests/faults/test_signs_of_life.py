"""A process that hangs shows in its heartbeat, to its probe and in health; real processes tell what they counted."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django_celery_beat.models import PeriodicTask
from prometheus_client.parser import text_string_to_metric_families

from apps.dev import ports
from apps.events import liveness, schedules, selectors
from apps.events.models import Heartbeat
from tests.faults import checker
from tests.faults import journal as journals
from tests.faults.pipeline import Pipeline, freeze, thaw, wait_until
from tests.faults.proxy import proxy_to
from tests.faults.urls import database_url, led_to, place_of

TOKEN = "the-token-of-the-scraper"
# A machine may have much else to do; what has a bound by promise has a figure of its own.
PATIENCE_SECONDS = 60


def probed(pipeline: Pipeline, role: str, **extra: str) -> int:
    command = [sys.executable, "manage.py", "healthcheck", "--role", role]
    environment = pipeline.environment(role, **extra)
    return subprocess.run(command, env=environment, cwd=settings.BASE_DIR, capture_output=True, check=False).returncode


def alive(role: str) -> bool:
    return next(life for life in selectors.role_lives() if life.role == role).lives


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ["relay", "worker-audit"])
def test_a_frozen_role_shows_within_its_limit_and_is_well_again_when_it_goes_on(pipeline: Pipeline, role: str) -> None:
    running = pipeline.start(role)
    wait_until(lambda: probed(pipeline, role) == 0 and alive(role), "the role lives", seconds=PATIENCE_SECONDS)

    looks: list[float] = []

    def shows() -> bool:
        began = time.monotonic()
        shown = probed(pipeline, role) == 1 and not alive(role)
        looks.append(time.monotonic() - began)
        return shown

    freeze(running)
    limit = liveness.limit_seconds(role)
    took = wait_until(shows, "it shows", seconds=limit + 60)
    thaw(running)

    # A look may begin just before the limit: then the next one sees it. Each is a process that has to start.
    assert limit - 6 <= took <= limit + 3 + sum(looks[-2:])
    wait_until(lambda: probed(pipeline, role) == 0 and alive(role), "the role lives again", seconds=PATIENCE_SECONDS)


@pytest.mark.parametrize("role", ["relay", "worker-audit", "beat"])
def test_a_role_that_starts_while_postgresql_hangs_beats_and_begins_when_it_answers(
    pipeline: Pipeline, role: str
) -> None:
    schedules.synchronise()
    with socket.create_server(("127.0.0.1", 0)) as hole:
        port = hole.getsockname()[1]
        with proxy_to(f"127.0.0.1:{port}") as forwarder:
            running = pipeline.start(role, DATABASE_URL=led_to(pipeline.database_url, forwarder.address))
            wait_until(lambda: probed(pipeline, role) == 0, "it beats", seconds=PATIENCE_SECONDS)
            time.sleep(12)
            assert running.runs
            assert probed(pipeline, role) == 0

            forwarder.target = place_of(pipeline.database_url)
            wait_until(
                lambda: Heartbeat.objects.filter(role=role).exists(), "its row is there", seconds=PATIENCE_SECONDS
            )
            if_beat = PeriodicTask.objects.filter(last_run_at__isnull=False)
            wait_until(lambda: role != "beat" or if_beat.exists(), "it rings", seconds=PATIENCE_SECONDS)
            assert running.runs


def test_every_role_beats_and_has_its_row(pipeline: Pipeline) -> None:
    port = ports.free_pair()
    web, ws = list(settings.ROLES["web"]), list(settings.ROLES["ws"])
    web[web.index("--port") + 1], ws[ws.index("--port") + 1] = str(port), str(port + 1)
    pipeline.run("web", web, role="web")
    pipeline.run("ws", ws, role="ws")
    for role in ("relay", "worker-audit", "beat"):
        pipeline.start(role)

    wait_until(lambda: all(alive(role) for role in settings.ROLES), "every role lives", seconds=PATIENCE_SECONDS)
    wait_until(
        lambda: Heartbeat.objects.filter(role="web").count() == 2, "both processes of the web", seconds=PATIENCE_SECONDS
    )

    assert {file.name for file in pipeline.heartbeats.iterdir()} == set(settings.ROLES)
    named = {"PORT": str(port), "WS_PORT": str(port + 1)}
    assert [probed(pipeline, role, **named) for role in settings.ROLES] == [0] * len(settings.ROLES)


def test_a_web_whose_threads_are_all_stuck_stops_beating_and_goes_on_when_they_do(pipeline: Pipeline) -> None:
    """All threads wait for a row that somebody else holds: the process is up, answers nobody and does not beat."""
    port = ports.free_pair()
    web = list(settings.ROLES["web"])
    web[web.index("--port") + 1] = str(port)
    web[web.index("--workers") + 1] = "1"
    patient = f"{database_url()}?options=-c%20lock_timeout%3D60s"
    pipeline.run("web", web, role="web", WEB_THREADS="2", DATABASE_URL=patient)
    wait_until(lambda: probed(pipeline, "web", PORT=str(port)) == 0, "the web answers", seconds=PATIENCE_SECONDS)

    with psycopg.connect(database_url()) as holder:
        holder.execute("LOCK TABLE django_session, accounts_user IN ACCESS EXCLUSIVE MODE")
        asked = [stuck(port) for _ in range(2)]
        wait_until(lambda: probed(pipeline, "web", PORT=str(port)) == 1, "the probe sees it", seconds=30)
        before = (pipeline.heartbeats / "web").stat().st_mtime
        time.sleep(3)
        assert (pipeline.heartbeats / "web").stat().st_mtime == before
    for each in asked:
        each.wait(PATIENCE_SECONDS)

    wait_until(lambda: probed(pipeline, "web", PORT=str(port)) == 0, "the web answers again", seconds=PATIENCE_SECONDS)


def stuck(port: int) -> "subprocess.Popen[bytes]":
    """A caller with a session, which the web looks up in the table."""
    script = (
        "import http.client as h; c = h.HTTPConnection('127.0.0.1', %d, timeout=30);"
        "c.request('GET', '/', headers={'Cookie': '%s=%s'}); c.getresponse()"
    )
    cookie = settings.SESSION_COOKIE_NAME
    return subprocess.Popen([sys.executable, "-c", script % (port, cookie, "a" * 32)], stderr=subprocess.DEVNULL)


def scraped(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.read().decode())
            for sample in family.samples
        }


def test_the_relay_and_the_worker_tell_what_they_did(pipeline: Pipeline, journal: Path, tmp_path: Path) -> None:
    figures: dict[str, Any] = {"METRICS_TOKEN": TOKEN, "METRICS_DIR": str(tmp_path / "metrics")}
    relay_port, worker_port = ports.free_port(), ports.free_port()
    pipeline.start("relay", METRICS_PORT=str(relay_port), **figures)
    pipeline.start("worker-audit", METRICS_PORT=str(worker_port), **figures)
    journals.write(journal, prefix="a", count=3)
    wait_until(checker.quiet, "every event has its audit record", seconds=PATIENCE_SECONDS)

    relay, worker = scraped(relay_port), scraped(worker_port)

    assert relay["relay_leader", frozenset()] == 1
    assert relay["relay_records_total", frozenset()] >= 3 * 6
    created = frozenset({("group", "audit"), ("type", "task.created.v1")})
    assert worker["events_handled_total", created] == 3
    assert worker["event_commit_to_handled_seconds_count", frozenset({("group", "audit")})] == 3 * 6


def test_the_requests_of_all_web_processes_are_one_sum_that_survives_one_of_them(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    port = ports.free_pair()
    web = list(settings.ROLES["web"])
    web[web.index("--port") + 1] = str(port)
    pipeline.run("web", web, role="web", METRICS_TOKEN=TOKEN, METRICS_DIR=str(tmp_path / "metrics"))
    wait_until(lambda: probed(pipeline, "web", PORT=str(port)) == 0, "the web answers", seconds=PATIENCE_SECONDS)
    wait_until(
        lambda: Heartbeat.objects.filter(role="web").count() == 2, "both processes live", seconds=PATIENCE_SECONDS
    )
    ready = frozenset({("method", "GET"), ("route", "health-ready"), ("status", "200")})

    for _ in range(60):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready/", timeout=PATIENCE_SECONDS).close()
    assert scraped(port)["http_requests_total", ready] == 60

    doomed = int(Heartbeat.objects.filter(role="web")[0].instance.rpartition(":")[2])
    os.kill(doomed, signal.SIGKILL)
    wait_until(
        lambda: told_without(doomed, tmp_path, port),
        "it is told without the files of the dead",
        seconds=PATIENCE_SECONDS,
    )
    assert scraped(port)["http_requests_total", ready] == 60


def told_without(process: int, folder: Path, port: int) -> bool:
    """Whether a scrape was answered that has cleared the files of a process away."""
    try:
        scraped(port)
    except OSError:
        return False  # what the dead process had accepted is refused
    return not list((folder / "metrics" / "web").glob(f"*_{process}.db"))
