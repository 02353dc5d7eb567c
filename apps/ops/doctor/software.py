"""What is installed, against what the lock file says."""

import platform
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from apps.ops.doctor.examination import Verdict, warning, well, wrong

LOCK = Path(__file__).resolve().parents[3] / "requirements.txt"
OLDEST_PYTHON = (3, 11)
# Whose versions people ask for first; librdkafka comes inside confluent-kafka and has its number.
_TOLD = {"django": "Django", "celery": "Celery", "psycopg": "psycopg", "confluent-kafka": "librdkafka"}
_INSTALL = "Install what is locked: `make environment` on a laptop, `pip install -r requirements.txt` elsewhere."


def versions() -> Verdict:
    if sys.version_info < OLDEST_PYTHON:
        return wrong(f"Python {platform.python_version()}", fix="Use Python 3.11 or later.")
    locked = _locked()
    missing = sorted(name for name in locked if _installed(name) is None)
    other = sorted(
        f"{name} {_installed(name)} (locked: {version})"
        for name, version in locked.items()
        if _installed(name) not in {None, version}
    )
    told = ", ".join(f"{title} {_installed(name)}" for name, title in _TOLD.items())
    if missing:
        return wrong(f"not installed: {', '.join(missing)}", fix=_INSTALL)
    if other:
        return warning(f"other versions than locked: {', '.join(other)}", fix=_INSTALL)
    if not locked:
        return warning(f"Python {platform.python_version()}, {told}; no {LOCK.name} to hold them against", fix=_INSTALL)
    return well(f"Python {platform.python_version()}, {told}; {len(locked)} packages as locked")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _locked() -> dict[str, str]:
    """Name and version of what is meant for this machine."""
    found = {}
    try:
        lines = LOCK.read_text().splitlines()
    except OSError:
        return {}
    for line in lines:
        if line[:1].isalnum():
            try:
                wanted = Requirement(line.removesuffix("\\").strip())
            except InvalidRequirement:
                continue
            if wanted.marker is None or wanted.marker.evaluate():
                found[wanted.name] = next(iter(wanted.specifier)).version
    return found
