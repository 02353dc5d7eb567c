"""What the tests of series share."""

from collections.abc import Iterator

import pytest

from tests.support.pump import Pump, fresh_pump


@pytest.fixture
def pump(db) -> Iterator[Pump]:
    with fresh_pump() as pump:
        yield pump
