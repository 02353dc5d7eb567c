"""What every fault test stands on: a pipeline of its own, and time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.events import rights
from tests.faults.pipeline import Pipeline
from tests.support.application_role import login_role


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture
def pipeline(transactional_db: None, tmp_path: Path) -> Iterator[Pipeline]:
    with login_role() as (name, url):
        rights.grant(to=name, using="default")
        running = Pipeline(tmp_path, database_url=url)
        yield running
        running.close()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"
