"""Makes `.venv` and installs the locked requirements into it, once per content of the lock.

Runs on the system's Python before anything is installed, so it uses the standard library only. Invariant:
when it returns, `.venv` holds what one completed installation of the lock put there; an installation that was
cut short leaves no stamp, and the next run starts the environment afresh.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
# The product is built on 3.11; newer ones come next, in the order in which wheels are most likely to exist.
CANDIDATES = ("python3.11", "python3.12", "python3.13", "python3.14", "python3", "python")
# The first that takes `--python`: https://pip.pypa.io/en/stable/news/#v22-3
OLDEST_PIP = (22, 3)


class EnvironmentRefused(Exception):
    """The environment cannot be made here; the text says why and what to do."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def answer(*command: str) -> str | None:
    """What a command prints, or `None` when it is missing or fails."""
    try:
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def version(text: str) -> tuple[int, ...]:
    """The first two numbers of `23.2.1` or `3.11`."""
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in text.split(".")[:2])


def choose_python(candidates: tuple[str, ...] = CANDIDATES) -> str:
    """A Python that is new enough: `PYTHON` if it is set, else the first candidate that runs."""
    named = os.environ.get("PYTHON")
    seen = []
    for candidate in (named,) if named else candidates:
        found = answer(candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
        if found and version(found) >= OLDEST:
            return candidate
        if found:
            seen.append(f"{candidate} is {found}")
    raise EnvironmentRefused(
        "Python 3.11 or newer is needed and was not found"
        + (f" ({', '.join(seen)})" if seen else "")
        + ". Install it, or name it: make PYTHON=/path/to/python3.11 …"
    )


def choose_pip(python: str, venv_python: Path) -> list[str]:
    """The beginning of a pip command that installs into the environment, from outside if need be.

    A Debian without `python3-venv` has no `ensurepip`, but its pip can install into another environment.
    """
    for pip in ([python, "-m", "pip"], ["pip3"], ["pip"], [sys.executable, "-m", "pip"]):
        found = answer(*pip, "--version")
        if found and version(found.split()[1]) >= OLDEST_PIP:
            return [*pip, "--python", str(venv_python)]
    if answer(str(venv_python), "-m", "ensurepip", "--upgrade") is not None:
        return [str(venv_python), "-m", "pip"]
    raise EnvironmentRefused("pip 22.3 or newer is needed and was not found: install python3-pip.")


def wanted_stamp(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def recorded_stamp(venv: Path) -> str | None:
    """The lock that `.venv` was completely installed from, or `None` if it is broken, half made or absent."""
    try:
        stamp = (venv / ".installed-from").read_text().strip()
    except OSError:
        return None
    return stamp if answer(str(venv / "bin" / "python"), "-c", "print(1)") == "1" else None


def run(command: list[str]) -> bool:
    return subprocess.run(command, check=False, stdout=sys.stderr, cwd=ROOT).returncode == 0


def create(venv: Path, python: str) -> None:
    shutil.rmtree(venv, ignore_errors=True)
    say(f"Making {venv.name} with {python} …")
    if not run([python, "-m", "venv", "--without-pip", str(venv)]):
        raise EnvironmentRefused(f"{python} -m venv failed; its words are above.")


def install(venv: Path, python: str, lock: Path) -> bool:
    say(f"Installing {lock.name} …")
    pip = choose_pip(python, venv / "bin" / "python")
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    return run([*pip, "install", *quiet, "--require-hashes", "-r", str(lock)])


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Two makes at once: the second waits, and finds the work done."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another make is preparing the environment; waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure(venv: Path, lock: Path) -> bool:
    """Bring `.venv` to the state of the lock. True when there was something to do."""
    wanted = wanted_stamp(lock)
    recorded = recorded_stamp(venv)
    if recorded == wanted:
        return False
    stamp = venv / ".installed-from"
    python = choose_python()
    if recorded is None:
        create(venv, python)
    stamp.unlink(missing_ok=True)
    done = install(venv, python, lock)
    if not done and recorded is not None:
        say("That did not work on top of what was there; starting afresh.")
        create(venv, python)
        done = install(venv, python, lock)
    if not done:
        raise EnvironmentRefused("pip could not install the requirements; its words are above.")
    stamp.write_text(wanted + "\n")
    return True


def main() -> int:
    try:
        with alone(ROOT / ".dev" / "environment.lock"):
            ensure(ROOT / ".venv", ROOT / "requirements-dev.txt")
    except EnvironmentRefused as reason:
        say(f"error: {reason}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
