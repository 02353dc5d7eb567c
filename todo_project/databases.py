"""Turns a database URL into Django's settings, with the time limits that every connection carries.

Invariant: no statement, lock wait, idling or transaction of what serves is unbounded.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

# A lock that is not had in 5 s answers 503; a transaction left open does not hold rows for ever.
SESSION_LIMITS = {
    "statement_timeout": "15s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}
# Nor does one whose client stopped in the middle of a statement, which is not idle.
TRANSACTION_LIMIT = "45s"
# A migration takes what it takes; but whatever waits for its lock waits with it, so it is not kept waiting long.
OWNER_LIMITS = {"lock_timeout": "5s"}
# A plan that was made once, while a table was small, reads all of it for as long as nobody has analysed what it has
# grown to; and no plan for every type of event is by an index of one type. Planning costs a batch next to nothing.
PLANNED_EACH_TIME = {"plan_cache_mode": "force_custom_plan"}


def connection_settings(
    url: str,
    *,
    pool_size: int = 0,
    prepare: bool = True,
    in_batches: bool = False,
    limits: Mapping[str, str] = SESSION_LIMITS,
) -> dict[str, Any]:
    """Django's `DATABASES` entry for `postgresql://user:password@host:port/name?sslmode=…`.

    `pool_size` is the number of connections a process keeps for its threads; 0 keeps one per thread. `prepare` lets
    the server keep prepared statements, which a pool between that hands out connections by transaction may not bear.
    `in_batches` is for what asks seldom and for many rows at once: see `PLANNED_EACH_TIME`.
    Raises `ImproperlyConfigured` for anything that is not a PostgreSQL URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured("DATABASE_URL must read postgresql://user:password@host:port/name.")
    session = {**limits, **(PLANNED_EACH_TIME if in_batches else {})}
    options: dict[str, Any] = {
        "connect_timeout": 5,
        "tcp_user_timeout": 10_000,
        # A statement that comes again and again is parsed and planned once a connection.
        "server_side_binding": prepare,
        "prepare_threshold": 5 if prepare else None,
        "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
        **dict(parse_qsl(parts.query)),
    }
    if limits is SESSION_LIMITS:
        options["transaction_timeout"] = TRANSACTION_LIMIT
    if pool_size:
        options["pool"] = {"min_size": 1, "max_size": pool_size, "timeout": 10}
    return {
        "ENGINE": "todo_project.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0 if pool_size else 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }
