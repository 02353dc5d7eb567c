"""What the tests of reminders and notifications share."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from apps.notifications import transports

_MORE = str(Path(__file__).parent / "more_transports")


@pytest.fixture
def more_transports(monkeypatch) -> Iterator[None]:
    """As if the modules of that folder lay beside the transports there are."""
    monkeypatch.setattr(transports, "__path__", [*transports.__path__, _MORE])
    transports.transports.cache_clear()
    yield
    monkeypatch.undo()
    transports.transports.cache_clear()


@pytest.fixture
def post(more_transports, monkeypatch) -> Any:
    """What the receivers of letters do, and what they were given; anew for each test."""
    letters = import_module("apps.notifications.transports.letters")
    monkeypatch.setattr(letters, "post", letters.Post())
    return letters.post
