"""A loop's sign of life is the age of its file and of its process's row; nothing that it waits for."""

import os
import socket
import threading
import time

import pytest
from django.db import connection, connections
from django.utils import timezone
from structlog.testing import capture_logs

from apps.events import heartbeat, liveness, selectors
from apps.events.heartbeat import RowWriter
from apps.events.models import Heartbeat
from tests.support.topics import wait_until


@pytest.fixture(autouse=True)
def nothing_has_beaten(monkeypatch):
    monkeypatch.setattr(heartbeat, "_beaten", {})
    monkeypatch.setattr(heartbeat, "_at_first_beat", [])


@pytest.fixture
def folder(tmp_path, settings):
    settings.HEARTBEAT_DIR = str(tmp_path)
    return tmp_path


def beaten(role, *, seconds_ago):
    heartbeat._beaten[role] = time.monotonic() - seconds_ago


def process(role, instance, *, seconds_ago):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_heartbeat (role, instance, started_at, beat_at, release)"
            " VALUES (%s, %s, now(), clock_timestamp() - make_interval(secs => %s::double precision), '')",
            [role, instance, seconds_ago],
        )


def test_a_beat_touches_the_file_of_its_role_and_makes_it_young_again(folder):
    heartbeat.beat("relay")
    os.utime(folder / "relay", (0, 0))
    beaten("relay", seconds_ago=1)

    heartbeat.beat("relay")

    assert (folder / "relay").stat().st_mtime > 1_700_000_000
    assert [path.name for path in folder.iterdir()] == ["relay"]


def test_beating_at_every_turn_writes_once_a_second(folder):
    heartbeat.beat("relay")
    (folder / "relay").unlink()

    heartbeat.beat("relay")

    assert list(folder.iterdir()) == []


def test_a_folder_that_is_gone_stops_no_loop(folder):
    folder.rmdir()

    heartbeat.beat("relay")

    assert "relay" in heartbeat._beaten


def test_what_waits_for_the_first_beat_begins_once_and_is_told_the_role(settings):
    began = []
    heartbeat.at_first_beat(began.append)

    heartbeat.beat("relay")
    beaten("relay", seconds_ago=2)
    heartbeat.beat("relay")
    heartbeat.beat("beat")

    assert began == ["relay", "beat"]


@pytest.mark.django_db(transaction=True)
def test_the_row_tells_the_instant_of_the_beat_and_not_of_the_writing(settings):
    settings.RELEASE = "v7"
    beaten("relay", seconds_ago=20)

    RowWriter("relay").write()

    (row,) = Heartbeat.objects.all()
    assert (row.role, row.instance, row.release) == ("relay", f"{socket.gethostname()}:{os.getpid()}", "v7")
    assert 20 <= (timezone.now() - row.beat_at).total_seconds() < 25
    assert (timezone.now() - row.started_at).total_seconds() < 5


@pytest.mark.django_db(transaction=True)
def test_a_loop_that_hangs_gets_no_younger_row():
    writer = RowWriter("relay")
    beaten("relay", seconds_ago=20)
    writer.write()
    Heartbeat.objects.all().delete()

    writer.write()
    assert not Heartbeat.objects.exists()

    beaten("relay", seconds_ago=0)
    writer.write()
    assert Heartbeat.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_process_has_one_row_and_those_of_the_long_dead_are_deleted():
    process("relay", "gone:1", seconds_ago=86_401)
    process("relay", "frozen:1", seconds_ago=86_000)
    writer = RowWriter("relay")

    for _ in range(2):
        beaten("relay", seconds_ago=0)
        writer.write()

    assert sorted(Heartbeat.objects.values_list("instance", flat=True)) == ["frozen:1", writer.instance]


@pytest.mark.django_db(transaction=True)
def test_a_lost_database_costs_one_line_and_what_comes_after_is_written(monkeypatch):
    writer = RowWriter("relay")
    beaten("relay", seconds_ago=0)
    port = connections.settings["default"]["PORT"]
    connection.close()
    monkeypatch.setitem(connections.settings["default"], "PORT", "1")

    with capture_logs() as lines:
        writer.write()
        writer.write()
    monkeypatch.setitem(connections.settings["default"], "PORT", port)
    writer.write()

    assert [line["event"] for line in lines] == ["heartbeat_not_written"]
    assert Heartbeat.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_loop_does_not_wait_for_its_row(settings, monkeypatch):
    settings.HEARTBEAT_ROWS = True
    released = threading.Event()
    waiting = threading.Event()

    def hang(_writer):
        waiting.set()
        released.wait(10)

    monkeypatch.setattr(RowWriter, "run", hang)

    started_at = time.monotonic()
    heartbeat.beat("relay")
    took = time.monotonic() - started_at
    wait_until(waiting.is_set)
    released.set()

    assert took < 1


@pytest.mark.django_db
def test_a_role_lives_by_its_youngest_process_and_one_without_any_is_told(settings):
    settings.ROLES = {"relay": [], "worker-audit": [], "beat": []}
    process("relay", "a:1", seconds_ago=1)
    process("relay", "b:1", seconds_ago=31)
    process("worker-audit", "a:2", seconds_ago=59)

    relay, worker, beat = selectors.role_lives()

    assert (relay.role, relay.processes, relay.lives, relay.limit_seconds) == ("relay", 1, True, 30)
    assert relay.youngest_age_seconds == pytest.approx(1, abs=1)
    assert (worker.role, worker.processes, worker.limit_seconds) == ("worker-audit", 1, 60)
    assert (beat.role, beat.processes, beat.lives, beat.youngest_age_seconds) == ("beat", 0, False, None)


@pytest.mark.django_db
def test_each_process_is_told_with_its_age_until_a_day_has_passed():
    process("relay", "a:1", seconds_ago=31)
    process("relay", "b:1", seconds_ago=1)
    process("relay", "c:1", seconds_ago=86_401)

    lives = selectors.process_lives()

    assert [(each.instance, each.lives) for each in lives] == [("b:1", True), ("a:1", False)]


def test_a_worker_has_longer_turns_than_the_others():
    assert [liveness.limit_seconds(role) for role in ("web", "relay", "worker-audit")] == [30, 30, 60]
