"""Looks for words in every column of every table of the database, whatever its type."""

from collections.abc import Sequence

from django.db import connection

_COLUMNS = """
SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' ORDER BY 1, 2
"""


def found(words: Sequence[str]) -> set[str]:
    """Where one of the words stands, in any capitals: `table.column`."""
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS)
        columns = cursor.fetchall()
        return {f"{table}.{column}" for table, column, kind in columns if _holds(cursor, table, column, kind, words)}


def _holds(cursor, table: str, column: str, kind: str, words: Sequence[str]) -> bool:
    text = f"""encode("{column}", 'escape')""" if kind == "bytea" else f'"{column}"::text'
    cursor.execute(
        f'SELECT EXISTS (SELECT FROM "{table}" WHERE {text} ILIKE ANY(%s))', [[f"%{word}%" for word in words]]
    )
    return bool(cursor.fetchone()[0])
