"""Receivers outside the system under test: a real SMTP server and a real HTTP server, as processes of their own.

    with http_sink(tmp_path) as sink:
        sink.mode = "status:503"
        ...
        sink.given()  # what it was given, the first first

How they behave, and what they note, is in `tests.support.receiving`.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.dev.children import Child
from tests.support import receiving
from tests.support.receiving import Given

HOST = "127.0.0.1"
START_SECONDS = 60.0


class Sink:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.mode = "ok"

    @property
    def mode(self) -> str:
        return (self.folder / "mode").read_text()

    @mode.setter
    def mode(self, word: str) -> None:
        partial = self.folder / "mode.partial"
        partial.write_text(word)
        partial.rename(self.folder / "mode")

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def given(self) -> list[Given]:
        return receiving.read(self.folder / "journal")

    def times_by_key(self) -> Counter[str]:
        """How often each key was given."""
        return Counter(each.key for each in self.given())

    def accepted_by_key(self) -> Counter[str]:
        """How often each key was given and taken well."""
        return Counter(each.key for each in self.given() if 200 <= each.answered < 300)


@contextmanager
def http_sink(folder: Path, *, name: str = "http") -> Iterator[Sink]:
    """Takes every POST."""
    with _running(folder / f"{name}-sink", "tests.support.http_receiver") as sink:
        yield sink


@contextmanager
def smtp_sink(folder: Path, *, name: str = "smtp") -> Iterator[Sink]:
    """Takes every mail, without a word of who sends it, and without TLS."""
    with _running(folder / f"{name}-sink", "tests.support.smtp_receiver") as sink:
        yield sink


@contextmanager
def _running(folder: Path, module: str) -> Iterator[Sink]:
    folder.mkdir()
    sink = Sink(folder)
    child = Child(folder.name, [sys.executable, "-m", module, str(folder)], os.environ, folder / "log")
    child.start()
    try:
        until = time.monotonic() + START_SECONDS
        while not (folder / "port").exists():
            assert child.runs and time.monotonic() < until, f"{folder.name} does not start: {child.last_words()}"
            time.sleep(0.02)
        sink.port = int((folder / "port").read_text())
        yield sink
    finally:
        child.stop(seconds=5)
