"""Children: their end, their words, and that they never outlive who started them."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from apps.dev import process_ids
from apps.dev.children import PROJECT, Child

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(grandchild.pid, flush=True)
time.sleep(60)
"""
PARENT = """
import sys, time
from pathlib import Path
from apps.dev.children import Child
child = Child("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], {}, Path(sys.argv[1]))
child.start()
print(child.id.number, flush=True)
time.sleep(60)
"""

# As `nohup`, cron or a script's `command &` leave it to what they start, and worse.
HARDENED = """
import signal, sys
from pathlib import Path
from apps.dev.children import Child
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
child = Child("status", ["/bin/cat", "/proc/self/status"], {}, Path(sys.argv[1]))
child.start()
child.end(by=float("inf"))
"""


def child_of(tmp_path: Path, command: list[str], **options) -> Child:
    child = Child("child", command, {}, tmp_path / "child.log", **options)
    child.start()
    return child


def test_a_child_is_asked_first_and_ends_by_its_own_signal(tmp_path):
    # Up before it is asked: in the middle of its start an interpreter may swallow the signal.
    up = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    child = child_of(tmp_path, up, stop_signal=signal.SIGINT, announces=True)
    child.announcements.readline()

    child.stop(seconds=10)

    assert child.runs is False
    assert child.exit_code in {-signal.SIGINT, 1}


# Signals 32 and 33 are glibc's own (signal(7)): nobody else can set them, and what started the tests may ignore them.
OF_THE_C_LIBRARY = 0b11 << 31


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells by a file what a process ignores.")
def test_a_child_meets_signals_as_a_fresh_process_whatever_its_parent_ignores_and_blocks(tmp_path):
    subprocess.run([sys.executable, "-c", HARDENED, str(tmp_path / "log")], cwd=PROJECT, check=True)

    status = dict(line.split(":\t", 1) for line in (tmp_path / "log").read_text().splitlines())
    assert (int(status["SigIgn"], 16) & ~OF_THE_C_LIBRARY, int(status["SigBlk"], 16)) == (0, 0)


def test_a_child_that_does_not_end_is_killed_with_its_own_children(tmp_path):
    child = child_of(tmp_path, [sys.executable, "-c", STUBBORN], announces=True)
    grandchild = int(child.announcements.readline())

    child.stop(seconds=0.2)

    assert child.exit_code == -signal.SIGKILL
    assert process_ids.wait_until(lambda: process_ids.started(grandchild) is None, seconds=5)


def test_a_child_leads_a_group_of_its_own_so_that_ctrl_c_does_not_reach_it(tmp_path):
    child = child_of(tmp_path, SLEEP)

    assert process_ids.group_members(child.id.number) == [child.id.number]
    child.stop()


def test_the_last_words_of_a_child_are_the_end_of_its_log(tmp_path):
    child = child_of(tmp_path, [sys.executable, "-c", "for n in range(20): print('line', n)"])
    child.end(by=float("inf"))

    assert child.last_words().splitlines() == [f"    line {n}" for n in range(12, 20)]


@pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere the next run ends what was left.")
def test_a_child_dies_when_its_parent_is_killed(tmp_path):
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        alive_before = process_ids.started(child)
        parent.kill()

    assert alive_before is not None
    assert process_ids.wait_until(lambda: process_ids.started(child) is None, seconds=5)


def test_a_thread_may_not_start_a_child_because_the_child_would_die_with_the_thread(tmp_path):
    raised: list[RuntimeError] = []

    def start() -> None:
        try:
            child_of(tmp_path, SLEEP)
        except RuntimeError as reason:
            raised.append(reason)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert [str(reason) for reason in raised] == ["Children are started by the main thread only."]
