"""How long each role's loop may stay away before it counts as hanging.

Pure, and quick to import: probes and the supervisor ask it before anything of Django is there.
"""

# Each turn of a loop may wait once for a connection (5 s) and once for a statement (15 s).
_LIMIT_SECONDS = 30.0
# A turn of a consumer is a whole batch; beyond this its own watchdog ends the process.
_WORKER_LIMIT_SECONDS = 60.0


def limit_seconds(role: str) -> float:
    """The age of a heartbeat beyond which the loop of `role` hangs, in seconds."""
    return _WORKER_LIMIT_SECONDS if role.startswith("worker-") else _LIMIT_SECONDS
