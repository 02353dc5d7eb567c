"""What every fault test stands on: a pipeline of its own, time, a seed, and the table at the end.

`FAULTS_SEED` repeats the chances of a run; `FAULTS_KAFKA`, `FAULTS_PATIENCE` and the marks are told of in
docs/reliability.md. With `FAULTS_PUBLISH=1` the table goes into that page, `FAULTS_RESULTS=FILE` keeps it as JSON.
"""

import os
import random
import re
import secrets
import signal
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import pytest

from apps.events import rights
from tests.faults import evidence as evidences
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, kafka_kind
from tests.support.application_role import login_role

SEED = os.environ.get("FAULTS_SEED") or secrets.token_hex(4)
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
_rows = pytest.StashKey[list[Evidence]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.faults)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(240))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Whoever ends a run lets it thaw and end what it froze and started, and say what it found so far."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt  # as by Ctrl-C: only then does pytest still show the table

    if any(item.get_closest_marker("faults") for item in session.items):
        signal.signal(signal.SIGTERM, end)


@pytest.fixture
def pipeline(transactional_db: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pipeline]:
    """Roles and services of the test's own; the mark `through` names services to be reached by a proxy."""
    through = request.node.get_closest_marker("through")
    with login_role() as (name, url):
        rights.grant(to=name, using="default")
        running = Pipeline(tmp_path, database_url=url, through=through.args if through else ())
        try:
            yield running
        finally:
            running.close()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> str:
    """The test's own: the run's seed and the test's name, so that each can be repeated alone."""
    print(f"FAULTS_SEED={SEED}")
    return re.sub(r"[^a-z0-9]+", "-", f"{SEED}.{request.node.name}")[:100]


@pytest.fixture
def chance(seed: str) -> random.Random:
    return random.Random(seed)


@pytest.fixture
def new_evidence(request: pytest.FixtureRequest) -> Callable[..., Evidence]:
    """Makes rows of the table: `new_evidence(fault, what, bound=…, control=…)`."""
    rows = request.config.stash.setdefault(_rows, [])
    mine = request.node.stash.setdefault(_rows, [])

    def make(fault: str, what: str, *, bound: float | None = None, control: bool = False) -> Evidence:
        kafka = kafka_kind() if "pipeline" in request.fixturenames else "none"
        row = Evidence(fault, what, kafka=kafka, seed=SEED, bound=bound, control=control)
        rows.append(row)
        mine.append(row)
        return row

    return make


@pytest.fixture
def evidence(request: pytest.FixtureRequest, new_evidence: Callable[..., Evidence]) -> Evidence:
    """The test's row of the table, from its mark `fault(id, what, bound=…)` or `control(id, what)`."""
    mark = request.node.get_closest_marker("fault") or request.node.get_closest_marker("control")
    assert mark is not None, "A test with evidence is marked with the fault it is of."
    fault, what = mark.args
    case = request.node.callspec.id if hasattr(request.node, "callspec") else ""
    return new_evidence(fault, f"{what} ({case})" if case else what, control=mark.name == "control", **mark.kwargs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    for row in item.stash.get(_rows, []):
        if report.skipped:
            row.outcome = "skipped"
        elif not report.passed:
            row.outcome = "FAILED"
        elif report.when == "call":
            row.passed()
    return report


def pytest_report_header() -> str:
    return f"faults: FAULTS_SEED={SEED} FAULTS_KAFKA={kafka_kind()} FAULTS_PATIENCE={evidences.PATIENCE:g}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash.get(_rows, [])
    if not rows:
        return
    terminalreporter.section(f"faults, FAULTS_SEED={SEED}")
    for line in evidences.table(rows):
        terminalreporter.write_line(line)
    if path := os.environ.get("FAULTS_RESULTS"):
        evidences.write_json(rows, Path(path))
    if os.environ.get("FAULTS_PUBLISH") == "1":
        about = f"Run on {datetime.now(UTC):%Y-%m-%d} with `FAULTS_SEED={SEED}`: {evidences.outcomes(rows)}."
        evidences.publish(rows, PAGE, about=about)
