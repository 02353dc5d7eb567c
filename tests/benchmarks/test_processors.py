"""Who spends and who holds: by what a process descends from."""

import subprocess
from collections.abc import Iterator

import pytest

from benchmarks import processors
from benchmarks.processors import CLIENT, Held, Spent


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_a_process_belongs_to_its_oldest_ancestor_below_this_one() -> None:
    parents = {10: 1, 20: 10, 30: 20, 40: 30, 99: 1}

    assert processors.below(40, 10, parents) == 20
    assert processors.below(20, 10, parents) == 20


def test_a_process_that_is_none_of_ours_belongs_to_nobody() -> None:
    parents = {10: 1, 20: 10, 99: 1}

    assert processors.below(99, 10, parents) is None
    assert processors.below(10, 10, parents) is None


def test_a_named_child_is_counted_by_its_name(sleeper: "subprocess.Popen[bytes]") -> None:
    held = processors.memory_by_part({sleeper.pid: "sleeper"})

    assert 0 < held["sleeper"].pss <= held["sleeper"].rss <= held["sleeper"].peak
    assert "sleeper" in processors.seconds_by_part({sleeper.pid: "sleeper"})


def test_a_child_without_a_name_is_a_client(sleeper: "subprocess.Popen[bytes]") -> None:
    assert CLIENT in processors.seconds_by_part({})


def test_what_all_hold_leaves_the_client_out() -> None:
    held = {"web": Held(1.0, 2.0, 3.0), "relay": Held(10.0, 20.0, 30.0), CLIENT: Held(100.0, 100.0, 100.0)}

    assert processors.together(held) == Held(11.0, 22.0, 33.0)


def test_what_was_spent_is_told_of_each_and_as_a_share_of_one_processor() -> None:
    spent = Spent(took=4.0, seconds={"web": 2.0, "relay": 0.5}, others=0.25)

    assert spent.each(100) == {"web": 0.02, "relay": 0.005}
    assert spent.share() == {"web": 50.0, "relay": 12.5}


def test_a_watch_counts_a_program_that_came_and_went_as_the_client() -> None:
    watch = processors.Watch(dict)
    subprocess.run(["sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"], check=True)

    spent = watch.spent()

    assert spent.seconds[CLIENT] > 0
