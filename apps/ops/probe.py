"""Whether a role does its work here: what `manage.py healthcheck` asks for a probe, every few seconds.

It runs before anything of Django is imported, because starting Django would be most of the work.
Invariant: web and ws are asked over HTTP, where their callers are; of the other loops the heartbeat is looked at.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from apps.events.liveness import LOOPBACK, limit_seconds, unanswered

HELP = (
    "Whether ROLE does its work here, for probes of its container. Exit 0 when it does, 1 when it does not, with one "
    "line on stderr that says why, 2 for a wrong argument."
)
PORTS = {"web": ("PORT", "8000"), "ws": ("WS_PORT", "8001")}
ASK_SECONDS = 3.0
_PROJECT = Path(__file__).resolve().parents[2] / "todo_project"
Setting = Callable[[str, str], str]


def _alone(name: str) -> ModuleType:
    """A module of `todo_project` without the package around it, which imports Celery."""
    spec = importlib.util.spec_from_file_location(f"probe_{name}", _PROJECT / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Those of `settings.ROLES`, which are there only with the settings.
ROLES = (*PORTS, "relay", "beat", *(f"worker-{group}" for group in _alone("groups").CONSUMER_GROUPS))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", required=True, type=_role, metavar="ROLE", help=f"one of {', '.join(ROLES)}")


def _role(text: str) -> str:
    if text not in ROLES:
        raise argparse.ArgumentTypeError(f"{text!r} is no role: there are {', '.join(ROLES)}")
    return text


def failure(role: str) -> str | None:
    """Why the role does not do its work; `None` when it does."""
    setting: Setting = _alone("env").text
    if role in PORTS:
        name, default = PORTS[role]
        public_url = setting("PUBLIC_URL", f"http://{LOOPBACK}")
        host = setting("BIND_HOST", LOOPBACK)
        return unanswered(host, int(setting(name, default)), public_url=public_url, seconds=ASK_SECONDS)
    folder = setting("HEARTBEAT_DIR", "")
    if not folder:
        return "HEARTBEAT_DIR is not set: no loop leaves a sign of life here."
    return _silence(Path(folder, role), limit=limit_seconds(role))


def _silence(heartbeat: Path, *, limit: float) -> str | None:
    try:
        age = time.time() - heartbeat.stat().st_mtime
    except OSError as reason:
        return f"No heartbeat of {heartbeat.name}: {reason.strerror}."
    return None if age <= limit else f"The loop of {heartbeat.name} has not come round for {age:.0f} s ({limit:g} s)."


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, as every command does."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See {self.prog} --help\n")


def main(arguments: Sequence[str]) -> int:
    """The exit status of `manage.py healthcheck` with these arguments."""
    parser = _Parser(prog="manage.py healthcheck", description=HELP)
    add_arguments(parser)
    why = failure(parser.parse_args(arguments).role)
    if why:
        print(why, file=sys.stderr)
    return 1 if why else 0
