"""What the application's database role may do: everything that rows need, and on declared tables no more than is said.

Invariant: after `grant` the role has on each of our tables exactly the rights it should have, whatever it had before.
Triggers refuse what nobody should do; rights see to it that the application cannot switch the triggers off.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from django.db import connections, transaction
from psycopg import sql

OWNER_ALIAS = "owner"
EVERY_ROW = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
_OF_COLUMNS = frozenset({"SELECT", "INSERT", "UPDATE", "REFERENCES"})
_OF_TABLES = EVERY_ROW | {"TRUNCATE", "REFERENCES", "TRIGGER"}
# Any number, the same in every release: two preparations at once would change the same rows of the catalogue.
_GRANT_LOCK = 7_205_759_404

# Only what is ours to give: an extension's views belong to somebody else.
_RELATIONS = """
SELECT c.relname, c.relkind FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
  AND pg_has_role(current_user, c.relowner, 'USAGE')
ORDER BY c.relname
"""
_OWNED = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  AND pg_has_role(current_user, c.relowner, 'MEMBER')
"""
_RIGHTS = """
SELECT c.relname, r.name
FROM pg_class c CROSS JOIN unnest(%(of_tables)s::text[]) AS r (name)
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  AND c.relname = ANY(%(tables)s::text[])
  AND (has_table_privilege(c.oid, r.name)
       OR (r.name = ANY(%(of_columns)s::text[]) AND has_any_column_privilege(c.oid, r.name)))
"""
# Each of these roles leads to the rights of a superuser.
_POWERS = """
SELECT words FROM (VALUES
    (EXISTS (SELECT 1 FROM pg_roles WHERE rolsuper AND pg_has_role(current_user, oid, 'MEMBER')),
     'is a superuser or can become one'),
    (EXISTS (SELECT 1 FROM pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER') AND rolname IN
        ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')),
     'may reach the files or programs of the database server'),
    (has_schema_privilege(current_schema(), 'CREATE'), 'may create in the schema'),
    (has_database_privilege(current_database(), 'CREATE'), 'may create schemas')
) AS powers (has, words) WHERE has
"""
# PostgreSQL 15 and later know the right to a setting; before, only superusers had this one.
_REPLICATION_ROLE = """
SELECT 'may switch triggers off (session_replication_role)'
WHERE has_parameter_privilege('session_replication_role', 'SET')
"""

_COLUMNS = """
SELECT a.attname FROM pg_attribute a
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.attname = ANY(%s::text[])
ORDER BY a.attnum
"""
_FILLABLE = "SELECT a FROM unnest(%s::text[]) AS a WHERE has_column_privilege(%s::regclass, a, 'INSERT')"

_restricted: dict[str, frozenset[str]] = {}
_filled: dict[str, frozenset[str]] = {}


@dataclass(frozen=True, slots=True)
class TooMuch:
    """What the current role can do and should not; `table` is empty where it is about the role itself."""

    table: str
    what: str

    def __str__(self) -> str:
        return f"{self.table}: {self.what}" if self.table else self.what


class RightsNotGranted(Exception):
    """The rights cannot be given as they are declared; the text says why."""


def restrict(table: str, *, to: AbstractSet[str], filled: AbstractSet[str] = frozenset()) -> None:
    """For apps, from their `ready`: on this table the application may do `to` and nothing else.

    `filled` are columns that the database fills and no INSERT may name: numbers and instants that others rely on.
    Raises `ValueError` for what is no right on rows, and for a second declaration that says something else.
    """
    if not to <= EVERY_ROW:
        raise ValueError(f"{table} is restricted to {sorted(to - EVERY_ROW)}, which the application never has.")
    if _restricted.setdefault(table, frozenset(to)) != to or _filled.setdefault(table, frozenset(filled)) != filled:
        raise ValueError(f"The rights on {table} are declared twice.")


def restricted() -> dict[str, frozenset[str]]:
    """The declared tables and all that the application may do there."""
    return dict(_restricted)


def filled(table: str) -> frozenset[str]:
    """The columns of a table that only the database fills."""
    return _filled.get(table, frozenset())


# --- Give ---------------------------------------------------------------------------------------------


def grant(*, to: str, using: str) -> None:
    """Give the role `to` its rights on all that the role of the connection `using` owns. Repeatable.

    Raises `RightsNotGranted` when both are the same role, or a restricted table is not there.
    """
    role = sql.Identifier(to)
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s), current_user, current_schema()", [_GRANT_LOCK])
        _, owner, schema = cursor.fetchone()
        if owner == to:
            raise RightsNotGranted(f"{to} owns the tables: the application needs a role of its own.")
        cursor.execute(_RELATIONS)
        kinds = dict(cursor.fetchall())
        if missing := sorted(_restricted.keys() - kinds.keys()):
            raise RightsNotGranted(f"There is no {', '.join(missing)}, on which rights are restricted.")
        for statement in _statements(kinds, schema=sql.Identifier(schema), role=role):
            cursor.execute(statement)
        for table, filled in _filled.items():
            if filled:
                cursor.execute(_COLUMNS, [table, list(filled)])
                columns = sql.SQL(", ").join(sql.Identifier(name) for (name,) in cursor.fetchall())
                given = sql.SQL("GRANT INSERT ({}) ON {} TO {}").format(columns, sql.Identifier(table), role)
                cursor.execute(given)


def _statements(kinds: dict[str, str], *, schema: sql.Identifier, role: sql.Identifier) -> list[sql.Composable]:
    sequences = [name for name, kind in kinds.items() if kind == "S"]
    free = [name for name in kinds if name not in _restricted and name not in sequences]
    statements: list[sql.Composable] = [
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role),
        sql.SQL("REVOKE CREATE ON SCHEMA {} FROM {}, PUBLIC").format(schema, role),
    ]
    statements += _exactly(EVERY_ROW, on=free, to=role)
    statements += _exactly({"USAGE", "SELECT"}, on=sequences, to=role, kind="SEQUENCE ")
    for table, allowed in _restricted.items():
        # An INSERT that may not name every column is given by columns.
        statements += _exactly(allowed - {"INSERT"} if _filled.get(table) else allowed, on=[table], to=role)
        # What everybody may, the application may too.
        beyond = sql.SQL(", ").join(map(sql.SQL, sorted(_OF_TABLES - allowed)))
        statements.append(sql.SQL("REVOKE {} ON {} FROM PUBLIC").format(beyond, sql.Identifier(table)))
    return statements


def _exactly(allowed: AbstractSet[str], *, on: list[str], to: sql.Identifier, kind: str = "") -> list[sql.Composable]:
    """All that the role had goes, also on single columns; what it may comes."""
    if not on:
        return []
    names = sql.SQL(", ").join(map(sql.Identifier, on))
    rights = sql.SQL(", ").join(map(sql.SQL, sorted(allowed)))
    taken = sql.SQL("REVOKE ALL ON {}{} FROM {}").format(sql.SQL(kind), names, to)
    given = sql.SQL("GRANT {} ON {}{} TO {}").format(rights, sql.SQL(kind), names, to)
    return [taken, given] if allowed else [taken]


# --- Look ---------------------------------------------------------------------------------------------


def excess(*, using: str = "default") -> list[TooMuch]:
    """What the connection's role can do beyond what is declared; empty when the trail is safe from it."""
    with connections[using].cursor() as cursor:
        cursor.execute(_POWERS)
        found = [TooMuch("", words) for (words,) in cursor.fetchall()]
        cursor.execute("SELECT current_setting('server_version_num')::int >= 150000")
        if cursor.fetchone()[0]:
            cursor.execute(_REPLICATION_ROLE)
            found += [TooMuch("", words) for (words,) in cursor.fetchall()]
        cursor.execute(_OWNED)
        owned = {name for (name,) in cursor.fetchall()}
        cursor.execute(
            _RIGHTS,
            {"tables": list(_restricted), "of_tables": list(_OF_TABLES), "of_columns": list(_OF_COLUMNS)},
        )
        held = cursor.fetchall()
        fillable = {table: _fillable(cursor, table, filled) for table, filled in _filled.items() if filled}
    if owned:
        found.append(TooMuch("", f"owns {len(owned)} tables and could switch their guards off"))
    for table, allowed in _restricted.items():
        beyond = sorted({right for name, right in held if name == table} - allowed)
        if table in owned:
            found.append(TooMuch(table, "owns it"))
        elif beyond:
            found.append(TooMuch(table, f"may {', '.join(beyond)}"))
        elif named := fillable.get(table):
            found.append(TooMuch(table, f"may fill {', '.join(named)} itself"))
    return found


def _fillable(cursor: Any, table: str, filled: AbstractSet[str]) -> list[str]:
    cursor.execute(_FILLABLE, [sorted(filled), table])
    return [name for (name,) in cursor.fetchall()]
