"""The report: what is kept, what is replaced, and how its tables look."""

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.page import BEGIN, END
from benchmarks.report import ALL, EITHER, READS, ROLES, Cell, Notebook, Part, Results

TITLES = {"mock": "mock Kafka", "real": "Apache Kafka", EITHER: "without Kafka"}
ORDER = ["idle", "backlog", "reads"]


def part_with(*cells: Cell, day: str = "2026-11-21", ground: str = "2 processors") -> Part:
    return Part(day, ground, list(cells))


def figure(what: str, measured: str, limit: str = "", *, table: str = report.FIGURES) -> list[Cell]:
    notebook = Notebook(say=lambda _: None)
    notebook.figure(what, measured, limit, table=table)
    return notebook.cells


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "benchmarks.md").write_text(f"# Benchmarks\n\nBefore.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")
    return tmp_path


def written(folder: Path, results: Results) -> str:
    report.write(results, titles=TITLES, order=ORDER, data=folder / "benchmarks.json", report=folder / "benchmarks.md")
    return (folder / "benchmarks.md").read_text()


def test_figures_of_both_stand_side_by_side_with_their_limits() -> None:
    results = {
        "mock": {"backlog": part_with(*figure("backlog", "2000/s", "producer 50000/s"))},
        "real": {"backlog": part_with(*figure("backlog", "1900/s", "producer 40000/s"))},
    }

    lines = report.tables(results, titles={"mock": "mock", "real": "real"}).splitlines()

    heads = "what | mock: measured | mock: raw limit, same run | real: measured | real: raw limit, same run"
    assert lines[lines.index("### Speed and latency") + 2 :] == [
        f"| {heads} |",
        "| --- | --- | --- | --- | --- |",
        "| backlog | 2000/s | producer 50000/s | 1900/s | producer 40000/s |",
    ]


def test_what_was_measured_on_one_only_leaves_the_other_empty() -> None:
    results = {
        "mock": {"idle": part_with(*figure("idle", "5 %"))},
        "real": {"backlog": part_with(*figure("backlog", "1900/s"))},
    }

    assert report.tables(results, titles=TITLES).splitlines()[-2:] == [
        "| idle | 5 % |  |  |  |",
        "| backlog |  |  | 1900/s |  |",
    ]


def test_roles_have_a_table_for_each_kafka_with_the_sum_last() -> None:
    idle = [Cell(ROLES, "web", "idle", "1"), Cell(ROLES, ALL, "idle", "3")]
    backlog = [Cell(ROLES, "relay", "a fact", "70"), Cell(ROLES, ALL, "a fact", "70")]

    text = report.tables({"mock": {"idle": part_with(*idle), "backlog": part_with(*backlog)}}, titles=TITLES)

    assert text.partition("### Processor time and memory, on mock Kafka\n\n")[2].splitlines() == [
        "| role or service | idle | a fact |",
        "| --- | --- | --- |",
        "| web | 1 |  |",
        "| relay |  | 70 |",
        f"| {ALL} | 3 | 70 |",
    ]


def test_protocols_are_columns() -> None:
    notebook = Notebook(say=lambda _: None)
    notebook.protocol("killed", "classic", "6 s")
    notebook.protocol("killed", "consumer", "7 s")

    text = report.tables({"real": {"protocols": part_with(*notebook.cells)}}, titles=TITLES)

    assert text.partition("### The protocols of a group, on Apache Kafka\n\n")[2].splitlines() == [
        "| what | classic | consumer |",
        "| --- | --- | --- |",
        "| killed | 6 s | 7 s |",
    ]


def test_parts_of_one_day_and_ground_are_told_of_together() -> None:
    results = {
        "mock": {"idle": part_with(), "backlog": part_with(), "reads": part_with(day="2026-11-22")},
    }

    assert report.tables(results, titles=TITLES).splitlines()[:2] == [
        "- mock Kafka (idle, backlog): 2026-11-21, 2 processors.",
        "- mock Kafka (reads): 2026-11-22, 2 processors.",
    ]


def test_what_people_wrote_around_the_tables_stays(folder: Path) -> None:
    text = written(folder, {EITHER: {"reads": part_with(*figure("reads", "249/s", table=READS))}})

    assert text.startswith(f"# Benchmarks\n\nBefore.\n\n{BEGIN}\n\n- without Kafka (reads): ")
    assert text.endswith(f"| reads | 249/s |  |\n\n{END}\n\nAfter.\n")
    assert "old" not in text


def test_what_was_written_is_read_again(folder: Path) -> None:
    results = {"real": {"backlog": part_with(*figure("backlog", "1900/s", "producer 40000/s"))}}

    written(folder, results)

    assert report.read(folder / "benchmarks.json") == results


def test_without_a_file_nothing_was_measured(tmp_path: Path) -> None:
    assert report.read(tmp_path / "benchmarks.json") == {}


def test_parts_and_kinds_stand_in_one_order_however_they_were_measured(folder: Path) -> None:
    results = {
        "real": {"backlog": part_with()},
        "mock": {"backlog": part_with(), "idle": part_with()},
    }

    written(folder, results)

    stored = report.read(folder / "benchmarks.json")
    assert [(kind, list(parts)) for kind, parts in stored.items()] == [
        ("mock", ["idle", "backlog"]),
        ("real", ["backlog"]),
    ]


def test_a_notebook_says_what_it_takes_down() -> None:
    said: list[str] = []
    notebook = Notebook(said.append)

    notebook.figure("backlog", "2000/s", "producer 50000/s")
    notebook.roles("idle, %", {"web": "1.0", "relay": "2.0"})
    notebook.protocol("killed", "classic", "6 s")

    assert said == [
        "backlog: 2000/s (limit: producer 50000/s)",
        "idle, %: web 1.0, relay 2.0",
        "classic: killed: 6 s",
    ]
