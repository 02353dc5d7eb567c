"""What asks `make run` to stop, depending on how it was started."""

import signal
import subprocess
import sys

from apps.dev.children import PROJECT

ASKED = """
import os, signal
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
for number in {ignored}:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {blocked})
from apps.dev.supervisor import StopAsked, StopSignals
signals = StopSignals()
try:
    with signals.waiting():
        os.kill(os.getpid(), {sent})
        print("goes on")
except StopAsked:
    print("stops")
"""


def told(sent: signal.Signals, *, ignored: tuple[int, ...] = (), blocked: tuple[int, ...] = ()) -> str:
    """What a supervisor says that was started with these ignored and blocked, once `sent` came."""
    script = ASKED.format(sent=int(sent), ignored=tuple(map(int, ignored)), blocked=tuple(map(int, blocked)))
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_closed_terminal_stops_it():
    assert told(signal.SIGHUP) == "stops"


def test_under_nohup_it_outlives_its_terminal_and_stops_on_sigterm():
    assert told(signal.SIGHUP, ignored=(signal.SIGHUP,)) == "goes on"
    assert told(signal.SIGTERM, ignored=(signal.SIGHUP,)) == "stops"


def test_in_the_background_of_a_script_which_ignores_ctrl_c_for_it_it_stops_on_sigint_that_is_sent_to_it():
    assert told(signal.SIGINT, ignored=(signal.SIGINT, signal.SIGQUIT)) == "stops"


def test_what_its_starter_had_blocked_reaches_it():
    assert told(signal.SIGTERM, blocked=(signal.SIGTERM, signal.SIGINT)) == "stops"
