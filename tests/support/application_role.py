"""A role of PostgreSQL that the application runs as: it may log in, owns nothing, and has its rights from `rights`.

The tests' own role owns the tables. Here is the other one, made for real in the test's server and dropped at the end.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from django.db import connection
from psycopg import sql


@contextmanager
def login_role() -> Iterator[tuple[str, str]]:
    """A role without any rights of its own: its name, and the URL by which it enters the test's database."""
    name, password = f"application_{secrets.token_hex(4)}", secrets.token_hex(16)
    role = sql.Identifier(name)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password)))
        # So that tests may act as it, and end its sessions.
        cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    chosen = connection.settings_dict
    try:
        place = f"{chosen['HOST']}:{chosen['PORT']}/{chosen['NAME']}"
        yield name, f"postgresql://{name}:{quote(password)}@{place}"
    finally:
        with connection.cursor() as cursor:
            for what in ("ALL TABLES IN SCHEMA public", "ALL SEQUENCES IN SCHEMA public", "SCHEMA public"):
                cursor.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.SQL(what), role))
            cursor.execute(sql.SQL("DROP ROLE {}").format(role))
