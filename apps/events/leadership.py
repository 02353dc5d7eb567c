"""Who may relay: the holder of a PostgreSQL advisory lock, on a connection of its own.

Invariant: `holds()` is true only while the very session that took the lock is alive and has it. Django's
connection would reconnect silently and lose the lock without a word, so it is not used here.
"""

from types import TracebackType
from typing import Self

import psycopg
from django.conf import settings

# Any number, the same in every release: it names the relay's lock in this database.
RELAY_LOCK = 7_205_759_403


class Leadership:
    """An advisory lock that is tried for, checked, and given up by closing its session."""

    def __init__(self, *, url: str | None = None, key: int = RELAY_LOCK) -> None:
        self.url = url or settings.DATABASE_DIRECT_URL
        self.key = key
        self.session: psycopg.Connection[tuple[bool]] | None = None

    def acquire(self) -> bool:
        """Try once. False while another holds the lock or PostgreSQL is away."""
        try:
            if self.session is None or self.session.closed:
                self.session = psycopg.connect(
                    self.url,
                    autocommit=True,
                    connect_timeout=5,
                    keepalives_idle=5,
                    keepalives_interval=2,
                    keepalives_count=3,
                    tcp_user_timeout=10_000,
                    application_name="relay-leadership",
                )
            found = self.session.execute("SELECT pg_try_advisory_lock(%s)", [self.key]).fetchone()
        except psycopg.OperationalError:
            self.release()
            return False
        return bool(found and found[0])

    def holds(self) -> bool:
        """Ask PostgreSQL whether this session still has the lock."""
        if self.session is None:
            return False
        try:
            found = self.session.execute(
                "SELECT true FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()"
                " AND (classid::bigint << 32) + objid::bigint = %s",
                [self.key],
            ).fetchone()
        except psycopg.Error:
            return False
        return bool(found)

    def release(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, reason: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
