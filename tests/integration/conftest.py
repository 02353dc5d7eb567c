"""What runs on a real Kafka: every test here is marked `kafka`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.events import rights
from tests.integration.shared_kafka import SharedPipeline
from tests.support.application_role import login_role


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kafka)
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture(params=["classic", "consumer"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pipeline(
    transactional_db: None, tmp_path: Path, real_kafka: dict[str, str], protocol: str
) -> Iterator[SharedPipeline]:
    with login_role() as (name, url):
        rights.grant(to=name, using="default")
        running = SharedPipeline(tmp_path, database_url=url, connection=real_kafka, protocol=protocol)
        try:
            yield running
        finally:
            running.close()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"
