"""A folder that `make run` cannot write: said in a line, with nothing left running."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from apps.dev import ports
from apps.dev.children import PROJECT
from apps.dev.variables import neutral

# The first file is the lock; the list of processes is written when the services have been started.
RUN = """
import os, sys
from pathlib import Path
from apps.dev import supervisor
from apps.dev.state import StateFolder
def refuse(*_):
    raise OSError(int(sys.argv[4]), os.strerror(int(sys.argv[4])))
setattr(StateFolder, sys.argv[3], refuse)
supervisor.checkout_folder = lambda: Path(sys.argv[1])
sys.exit(supervisor.run(port=int(sys.argv[2])))
"""


def ran(folder: Path, *, refused: str, number: int) -> "subprocess.CompletedProcess[str]":
    """`make run` on a folder where one kind of writing fails; its services are somebody else's."""
    with socket.create_server((ports.LOOPBACK, 0)) as somebody:
        address = f"{ports.LOOPBACK}:{somebody.getsockname()[1]}"
        given = {
            "KAFKA_BOOTSTRAP_SERVERS": address,
            "REDIS_URL": f"redis://{address}",
            "DATABASE_URL": f"postgresql://{address}/todo",
        }
        return subprocess.run(
            [sys.executable, "-c", RUN, str(folder), str(ports.free_pair()), refused, str(number)],
            cwd=PROJECT,
            env=neutral() | given,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.mark.parametrize(
    ("refused", "number"),
    [("lock", errno.ENOSPC), ("lock", errno.EROFS), ("lock", errno.EACCES), ("record_processes", errno.ENOSPC)],
)
def test_what_cannot_be_written_is_said_in_a_line(tmp_path, refused, number):
    done = ran(tmp_path, refused=refused, number=number)

    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path} cannot be written: {os.strerror(number)}. What was committed is kept.\n"


def test_another_failure_of_the_system_is_not_taken_for_a_full_disk(tmp_path):
    done = ran(tmp_path, refused="lock", number=errno.EIO)

    assert done.returncode == 1
    assert "cannot be written" not in done.stderr
    assert "Input/output error" in done.stderr
