"""Whether PostgreSQL hangs, so that whoever waits for it is not blamed: ending them would help nobody."""

import psycopg

_PATIENCE_SECONDS = 3


def hangs(url: str) -> bool:
    """Whether nobody is let in and nobody refused, for 3 s. A server that is not there, or refuses, does not hang."""
    try:
        psycopg.connect(url, connect_timeout=_PATIENCE_SECONDS).close()
    except psycopg.errors.ConnectionTimeout:
        return True
    except psycopg.Error:
        return False
    return False
