"""What befalls PostgreSQL itself."""

import os
import signal

import psycopg
from django.db import close_old_connections, connection

from tests.faults.pipeline import wait_until
from tests.faults.urls import database_url


def crash() -> None:
    """Kill one of PostgreSQL's own processes with -9: it ends every session, and recovers from its log by itself."""
    with psycopg.connect(database_url(), autocommit=True) as session:
        os.kill(session.info.backend_pid, signal.SIGKILL)
    wait_until(_answers, "PostgreSQL has recovered", seconds=60)


def _answers() -> bool:
    close_old_connections()
    connection.close()
    try:
        with psycopg.connect(database_url(), connect_timeout=2) as session:
            return session.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False
