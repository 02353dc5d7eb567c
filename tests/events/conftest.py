"""What the tests of the event core share: a pump, groups of their own, a countable effect."""

from collections.abc import Callable, Iterator

import pytest

from apps.events import subscriptions
from apps.events.subscriptions import ConsumerGroup
from tests.events.effects import effect, effects_table
from tests.support.pump import Pump, fresh_pump

__all__ = ["effect", "effects_table"]


@pytest.fixture
def pump(db) -> Iterator[Pump]:
    with fresh_pump() as pump:
        yield pump


@pytest.fixture
def only_new_groups(monkeypatch) -> None:
    """The test's groups are all there are."""
    monkeypatch.setattr(subscriptions, "_groups", {})


@pytest.fixture
def new_group(db, monkeypatch) -> Callable[..., ConsumerGroup]:
    """Declares a group for the length of the test."""
    monkeypatch.setattr(subscriptions, "_groups", dict(subscriptions._groups))
    return ConsumerGroup
