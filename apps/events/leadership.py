"""Who may relay: the holder of a PostgreSQL advisory lock, on a connection of its own.

Invariant: `holds()` is true only while the very session that took the lock is alive and has it. Django's
connection would reconnect silently and lose the lock without a word, so it is not used here.

PostgreSQL gives a lock back when its session ends, and of a holder that is gone without a word it hears nothing: by
its own settings it would wait for hours. So the session carries its own: who does not ask `holds()` for
`SILENCE_SECONDS`, being frozen, cut off or behind a balancer that hangs, has lost the lock.
"""

from types import TracebackType
from typing import Self

import psycopg
from django.conf import settings

# Any number, the same in every release: it names the relay's lock in this database.
RELAY_LOCK = 7_205_759_403
# Longer than a statement may take. The one that is frozen in the middle of its work goes on with it until then.
SILENCE_SECONDS = 30
# What the server does about a client that is gone. Not every server has every setting, and a pool none of them.
_SERVER_SETTINGS = """
SELECT set_config(name, wanted, false) FROM pg_settings JOIN (VALUES
    ('idle_session_timeout', %s::text), ('tcp_keepalives_idle', '5'), ('tcp_keepalives_interval', '2'),
    ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '10000')
) AS ours (name, wanted) USING (name)
"""


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
                self.session = self._connect()
            found = self.session.execute("SELECT pg_try_advisory_lock(%s)", [self.key]).fetchone()
        except psycopg.OperationalError:
            self.release()
            return False
        return bool(found and found[0])

    def _connect(self) -> psycopg.Connection[tuple[bool]]:
        session = psycopg.connect(
            self.url,
            autocommit=True,
            connect_timeout=5,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10_000,
            application_name="relay-leadership",
        )
        session.execute(_SERVER_SETTINGS, [str(SILENCE_SECONDS * 1000)])
        return session

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
