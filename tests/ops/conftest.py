"""Fixtures for commands and instruments: the pipeline in process, on a memory broker of its own."""

from collections.abc import Iterator

import pytest

from tests.support.pump import Pump, fresh_pump


@pytest.fixture
def pump(db: None) -> Iterator[Pump]:
    with fresh_pump() as pump:
        yield pump
