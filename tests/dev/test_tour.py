"""The tour on a whole stack: every hop seen, and the first that fails is named."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from apps.dev.children import PROJECT
from apps.dev.stack import Stack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def tour(stack: Stack) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "tour"],
        cwd=PROJECT,
        env={**stack.env, "ROLE": "tour"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tour_sees_every_hop_of_every_change(fresh_stack):
    done = tour(fresh_stack)

    assert done.returncode == 0, done.stderr
    hops = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    change = ["REST", "outbox", "Kafka", "screens", "worker", "audit"]
    series = ["worker", "outbox", "Kafka", "next", "audit", "audit", "history"]
    reminder = ["plan", "trigger", "Kafka", "inbox", "mail", "audit", "audit"]
    assert hops == change * 6 + ["history"] * 6 + change * 2 + series + change + reminder + change + ["proof"]
    assert "The platform made the next one, due " in done.stdout
    assert "“Take the tour in a moment”, unread, " in done.stdout
    (mail,) = re.findall(r"in (/\S+\.eml)", done.stdout)
    assert "Take the tour in a moment" in Path(mail).read_text()


def test_without_a_relay_the_tour_ends_at_kafka_and_says_where_to_look(fresh_stack):
    assert tour(fresh_stack).returncode == 0
    fresh_stack.stop_roles("relay")

    done = tour(fresh_stack)

    assert done.returncode == 1
    assert "Kafka: event" in done.stderr
    assert "read the log of the role relay" in done.stderr
    assert "  outbox" in done.stdout
    assert "  worker" not in done.stdout
