"""The state folder: one stack at a time, secrets kept, what was left is ended, and only that."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.dev import process_ids
from apps.dev.process_ids import ProcessId
from apps.dev.state import FolderInUse, StateFolder

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def state(tmp_path: Path):
    folder = StateFolder(tmp_path / "state")
    folder.lock()
    folder.prepare()
    yield folder
    folder.unlock()


@pytest.fixture
def sleeper():
    process = subprocess.Popen(SLEEP, start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_second_stack_is_refused_and_told_who_has_the_folder(state):
    with pytest.raises(FolderInUse, match=f"as process {os.getpid()}"):
        StateFolder(state.path).lock()


def test_a_folder_that_was_left_can_be_locked_again(state):
    state.unlock()
    second = StateFolder(state.path)

    second.lock()

    with (state.path / "lock").open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    second.unlock()


def test_the_file_for_other_terminals_is_its_owners_alone(state):
    state.write_env({"DATABASE_URL": "postgresql://todo:secret@127.0.0.1:1/todo", "PORT": "8000"})

    assert state.env_file.stat().st_mode & 0o777 == 0o600
    assert state.env_file.read_text().splitlines()[1:] == [
        "DATABASE_URL=postgresql://todo:secret@127.0.0.1:1/todo",
        "PORT=8000",
    ]


def test_a_secret_stays_the_same_from_run_to_run(state):
    assert state.secret("secret_key", make="first") == "first"
    assert state.secret("secret_key", make="second") == "first"
    assert (state.path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_logs_are_kept_for_one_more_run_and_no_longer(state):
    log = state.logs / "web.log"
    for text in ("first", "second"):
        log.write_text(text)
        state.prepare()

    assert [path.name for path in state.logs.iterdir()] == ["web.log.1"]
    assert (state.logs / "web.log.1").read_text() == "second"


def test_what_a_killed_run_left_is_ended(state, sleeper):
    state.record_processes([process_ids.identify(sleeper.pid)])

    assert state.end_left_over() == 1
    assert sleeper.wait(5) == -15


def test_a_process_that_was_given_the_number_since_is_left_alone(state, sleeper):
    state.record_processes([ProcessId(sleeper.pid, "another start")])

    assert state.end_left_over() == 0
    assert sleeper.poll() is None


@pytest.mark.parametrize("text", ["", "[[", "[[1]]", "{}"])
def test_a_damaged_record_of_processes_ends_nothing(state, text):
    (state.path / "processes.json").write_text(text)

    assert state.end_left_over() == 0
