"""What the tests of the whole pipeline share."""

from collections.abc import Iterator

import pytest

from tests.events.effects import effect, effects_table
from tests.support.pump import Pump, fresh_pump

__all__ = ["effect", "effects_table"]


@pytest.fixture
def pump(db) -> Iterator[Pump]:
    with fresh_pump() as pump:
        yield pump
