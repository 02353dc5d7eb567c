"""What of the roles' logs reaches the terminal."""

import json
from pathlib import Path

import pytest

from apps.dev import log_lines, log_watch
from apps.dev.log_watch import LogWatch
from apps.dev.roles import pause_after


def write(log: Path, **entry: str) -> None:
    with log.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def test_errors_are_told_once_and_the_rest_not_at_all(tmp_path):
    log, watch = tmp_path / "relay.log", LogWatch(tmp_path)
    write(log, level="info", event="relayed")
    write(log, level="error", event="kafka_away")
    write(log, level="error", event="kafka_away")
    write(log, level="critical", event="fatal\nerror")

    assert list(watch.errors()) == ["relay error: kafka_away", "relay critical: fatal error"]
    assert list(watch.errors()) == []


def test_an_error_is_told_with_its_words_and_what_to_do(tmp_path):
    write(tmp_path / "worker-audit.log", level="critical", event="audit_trail_not_sound", first="Record 7 was changed.")
    write(tmp_path / "relay.log", level="error", event="relay_refused", reason="Message size too large", topic="t")
    write(tmp_path / "web.log", level="error", event="mail_failed", exception="Traceback\n  File\nOSError: gone\n")
    write(tmp_path / "ws.log", level="error", event="request_finished", request="POST /api/v1/tasks/", code="500")

    offered = "nothing is lost and it is offered again; `manage.py held` says why"
    named = "`manage.py verify_audit` names every finding"
    assert list(LogWatch(tmp_path).errors()) == [
        f"relay error: relay_refused: Message size too large → {offered}",
        "web error: mail_failed: OSError: gone",
        f"worker-audit critical: audit_trail_not_sound: Record 7 was changed. → {named}",
        "ws error: request_finished: POST /api/v1/tasks/ was answered with 500",
    ]


def test_last_words_are_what_a_person_reads(tmp_path):
    log = tmp_path / "relay.log"
    write(
        log, timestamp="2026-11-21T16:43:16.123456Z", level="warning", event="relay_database_away", reason="no\nroute"
    )
    with log.open("a") as file:
        file.write(f"{'x' * 300}\n")

    assert log_lines.last_of(log).splitlines() == [
        "    16:43:16 warning relay_database_away: no route",
        f"    {'x' * 199}…",
    ]


def test_an_unfinished_line_waits_for_its_end(tmp_path):
    log, watch = tmp_path / "web.log", LogWatch(tmp_path)
    log.write_text('{"level": "error", ')
    before = list(watch.errors())
    with log.open("a") as file:
        file.write('"event": "whole"}\n')

    assert before == []
    assert list(watch.errors()) == ["web error: whole"]


@pytest.mark.parametrize("line", ["plain text", "{not json", '["error"]', '{"level": ["error"]}', "\x00\xff"])
def test_lines_that_are_no_entries_are_passed_over(tmp_path, line):
    (tmp_path / "beat.log").write_text(line + "\n")

    assert list(LogWatch(tmp_path).errors()) == []


def test_a_log_never_grows_beyond_its_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(log_watch, "_LONGEST_BYTES", 100)
    log, watch = tmp_path / "web.log", LogWatch(tmp_path)
    log.write_text("x" * 200 + "\n")

    list(watch.errors())
    write(log, level="error", event="after")

    assert list(watch.errors()) == ["web error: after"]
    assert log.stat().st_size < 100


def test_the_pause_before_a_restart_doubles_up_to_half_a_minute():
    assert [pause_after(crashes) for crashes in (1, 2, 3, 6, 7, 50)] == [0.5, 1.0, 2.0, 16.0, 30.0, 30.0]
