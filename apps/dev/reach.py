"""Where another user may go: PostgreSQL refuses to run as root, so it must reach its files as nobody.

Invariant: no folder is opened to others for that; what cannot be reached is put elsewhere.
"""

import hashlib
import os
import stat
from pathlib import Path

# `nobody` on every common Linux; the number needs no entry in /etc/passwd.
NOBODY = 65_534
# The one place outside the checkout, used when root's checkout is closed to others.
OUTSIDE = Path("/var/lib")


def unprivileged_user() -> int | None:
    """The user that PostgreSQL runs as, `None` when ours will do."""
    return NOBODY if os.geteuid() == 0 else None


def reachable(path: Path, *, user: int | None) -> bool:
    """Whether `user` may pass through every folder above `path` and into it."""
    if user is None:
        return True
    for folder in (path, *path.parents):
        try:
            status = folder.stat()
        except OSError:
            return False
        needed = stat.S_IXUSR if status.st_uid == user else stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True


def folder_for(state: Path, *, user: int | None) -> Path:
    """The folder for what `user` must reach: in the state folder, or beside the system's other data."""
    if reachable(state, user=user):
        return state / "postgres"
    digest = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]
    return OUTSIDE / f"todo-stack-{digest}"


def private_folder(path: Path, *, user: int | None) -> Path:
    """Make a folder that only its user may enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    if user is not None:
        os.chown(path, user, user)
    return path
