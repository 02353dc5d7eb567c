"""What PostgreSQL did to answer a statement: the plan as executed, and how many rows it read for it."""

import json
from collections.abc import Iterator
from typing import Any

from django.db import connection

Plan = dict[str, Any]

_FORGET = """
SELECT pg_clear_relation_stats('public', c.relname),
       (SELECT count(pg_clear_attribute_stats('public', c.relname, a.attname, false)::text)
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_class c WHERE c.relname = ANY(%s)
"""


def forget_statistics(*tables: str) -> None:
    """Let the planner know as much of the tables as of new ones: what it knew may be of other tests' rows."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, [list(tables)])


def executed(sql: str) -> Plan:
    """The topmost node of the plan of a statement, which is executed for it."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        told = cursor.fetchone()[0]
    plan: Plan = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    return plan


def nodes(plan: Plan) -> Iterator[Plan]:
    """A node and all below it."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def rows_read(node: Plan) -> float:
    """What a node read, thrown away or not, each time it was asked."""
    thrown_away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float((node["Actual Rows"] + thrown_away) * node["Actual Loops"])


def rows_scanned(plan: Plan) -> float:
    """What all scans of a plan read from tables and indexes."""
    return sum(rows_read(node) for node in nodes(plan) if "Scan" in node["Node Type"])
