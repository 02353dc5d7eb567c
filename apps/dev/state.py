"""The folder of one stack: its lock, data and logs, and the file that tells other terminals how to reach it.

Invariant: one stack at a time uses a folder, and what is secret in it is its owner's alone.
"""

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from apps.dev import process_ids
from apps.dev.process_ids import ProcessId

_THROW_AWAY_PREFIX = "todo-throw-away-"


class FolderInUse(Exception):
    """Another stack has the folder; the text names its process."""


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    unfinished.replace(path)


class StateFolder:
    """A folder, `.dev` of a checkout or a throw-away one. Use it between `lock` and `unlock`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.heartbeats = path / "heartbeats"
        self.metrics = path / "metrics"
        self.checkpoints = path / "checkpoints"
        self.kafka_address = path / "kafka-address"
        self.env_file = path / "stack.env"
        self._processes_file = path / "processes.json"
        self._lock: int | None = None

    def lock(self) -> None:
        """Make the folder ours. Raises `FolderInUse`."""
        self.path.mkdir(parents=True, exist_ok=True)
        # Root's PostgreSQL runs as nobody and passes through; nobody may look around.
        self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._lock, 32, 0).decode().strip() or "unknown"
            self.unlock()
            raise FolderInUse(f"A stack already runs in {self.path}, as process {owner}.") from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def prepare(self) -> None:
        """Fresh logs (one older generation is kept), heartbeats and figures; checkpoints stay."""
        shutil.rmtree(self.metrics, ignore_errors=True)
        for folder in (self.logs, self.heartbeats, self.metrics, self.checkpoints):
            folder.mkdir(mode=0o700, exist_ok=True)
        for log in self.logs.glob("*.log"):
            log.replace(log.with_suffix(".log.1"))
        for heartbeat in self.heartbeats.iterdir():
            heartbeat.unlink()

    # --- What other terminals read --------------------------------------------------------------------

    def write_env(self, values: Mapping[str, str]) -> None:
        lines = [
            "# Written by the running stack for commands typed in other terminals; removed when it stops.",
            *(f"{name}={value}" for name, value in values.items()),
        ]
        write_private(self.env_file, "\n".join(lines) + "\n")

    def write_kafka_address(self, address: str) -> None:
        write_private(self.kafka_address, address)

    def remove_env(self) -> None:
        self.env_file.unlink(missing_ok=True)

    def secret(self, name: str, make: str) -> str:
        """A secret that stays the same from run to run: the stored one, else `make`, stored now."""
        path = self.path / name
        with suppress(OSError):
            if stored := path.read_text().strip():
                return stored
        write_private(path, make)
        return make

    # --- What a killed run left -----------------------------------------------------------------------

    def record_processes(self, processes: Iterable[ProcessId]) -> None:
        write_private(self._processes_file, json.dumps([[each.number, each.started] for each in processes]))

    def end_left_over(self, *, seconds: float = 10) -> int:
        """End what an earlier, killed run left. The number of processes that were still there."""
        try:
            recorded = [ProcessId(*each) for each in json.loads(self._processes_file.read_text())]
        except (OSError, ValueError, TypeError):
            return 0
        left = [process for process in recorded if process_ids.lives(process)]
        process_ids.end_groups(left, seconds=seconds)
        return len(left)


def _remove_abandoned(parent: Path) -> None:
    """Delete the throw-away folders of killed runs: ours, older than a minute, and locked by nobody."""
    for path in parent.glob(f"{_THROW_AWAY_PREFIX}*"):
        with suppress(OSError, FolderInUse):
            status = path.stat()
            if status.st_uid == os.geteuid() and time.time() - status.st_mtime > 60:
                folder = StateFolder(path)
                folder.lock()
                folder.end_left_over(seconds=2)
                shutil.rmtree(path, ignore_errors=True)
                folder.unlock()


@contextmanager
def throw_away_folder() -> Iterator[Path]:
    """A folder among the system's temporary ones, deleted at the end."""
    parent = Path(tempfile.gettempdir())
    _remove_abandoned(parent)
    path = Path(tempfile.mkdtemp(prefix=_THROW_AWAY_PREFIX, dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
