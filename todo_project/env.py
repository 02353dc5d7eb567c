"""Reads configuration from the environment; the only module that looks at `os.environ` for settings.

A value is taken from the process's environment, else from the file named by `ENV_FILE`. When `ENV_FILE`
is not set, `.dev/stack.env` is read while the stack that wrote it runs (`make run`), so that a `manage.py`
command typed in another terminal reaches it. `ENV_FILE=` (empty) reads no file.

`NAME_FILE=/path` gives the value of `NAME` as the content of a file, as mounted secrets do.
"""

import os
from functools import cache
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
STACK_ENV_FILE = BASE_DIR / ".dev" / "stack.env"


@cache
def _file_values() -> dict[str, str]:
    named = os.environ.get("ENV_FILE")
    path = STACK_ENV_FILE if named is None else Path(named) if named else None
    if path is None or not path.is_file():
        if named:
            raise ImproperlyConfigured(f"ENV_FILE names {named!r}, which is not a file.")
        return {}
    values = {}
    for line in path.read_text().splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.lstrip().startswith("#"):
            values[name.strip()] = value.strip().strip("'\"")
    return values if named or _is_running(values.get("STACK_PID", "")) else {}


def _is_running(process: str) -> bool:
    """A stack that was killed leaves its file, with ports that nobody answers any more."""
    try:
        os.kill(int(process), 0)
    except PermissionError:
        return True
    except (ValueError, ProcessLookupError):
        return False
    return True


def text(name: str, default: str | None = None) -> str:
    """The value of `name`. Raises `ImproperlyConfigured` when it is missing and has no default."""
    if value := os.environ.get(name):
        return value
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as reason:
            raise ImproperlyConfigured(f"{name}_FILE names {path!r}: {reason.strerror}.") from reason
    if value := _file_values().get(name):
        return value
    if default is None:
        raise ImproperlyConfigured(
            f"{name} is not set. Start the platform with `make run`, or set it in the environment (see .env.example)."
        )
    return default


def integer(name: str, default: int) -> int:
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None


def boolean(name: str, default: bool) -> bool:
    value = text(name, "true" if default else "false").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list, without empty entries."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]
