"""What reads of series cost when others have many: found by an index, however many series and occurrences there are."""

import json
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.support.factories import NOW, person
from tests.support.patience import unhurried
from tests.support.plans import executed, forget_statistics, nodes, rows_scanned
from tests.support.repeating import repeating

pytestmark = pytest.mark.django_db

OTHERS = 5_000
MOST_ROWS = 500


@pytest.fixture
def ada():
    return person("ada")


@pytest.fixture
def task(ada, pump):
    return repeating(ada, "weekly", pump=pump, now=NOW, due_on=NOW.date())


@pytest.fixture
def crowd(task):
    """Series of somebody else, each with an occurrence; and a long history of the first person's own."""
    eve = person("eve")
    with unhurried() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE recurrence_series DISABLE TRIGGER USER")
        cursor.execute(
            "INSERT INTO recurrence_series (id, owner_id, version, created_at, updated_at, opened_by, recurrence,"
            " start, start_number, anchor, time_zone, follows_owner, exdates, passed_over, last_number,"
            " last_recurrence_id, last_task_id, owes_next, ended_because)"
            " SELECT gen_random_uuid(), %s, 1, now(), now(), gen_random_uuid(),"
            " %s::jsonb, '20261120', 1, '20261120', 'UTC', true, '{}', '', 1, '20261120', gen_random_uuid(), false, ''"
            " FROM generate_series(1, %s)",
            [eve.pk, json.dumps(task.recurrence), OTHERS],
        )
        cursor.execute("ALTER TABLE recurrence_series ENABLE TRIGGER USER")
        cursor.execute(
            "INSERT INTO recurrence_occurrence (series_id, number, recurrence_id, task_id, due_on, created_at,"
            " only_here) SELECT id, 1, '20261120', gen_random_uuid(), '2026-11-20', now(), '{}' FROM recurrence_series"
            " WHERE owner_id = %s",
            [eve.pk],
        )
        cursor.execute("ANALYZE recurrence_series, recurrence_occurrence")
    yield eve
    forget_statistics("recurrence_series", "recurrence_occurrence")


def costs(queries):
    """Rows that each read of these tables scanned."""
    asked = [one["sql"] for one in queries if one["sql"].startswith("SELECT") and "recurrence_" in one["sql"]]
    assert asked != []
    return {sql[:80]: rows_scanned(executed(sql)) for sql in asked}


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/series/",
        "/api/v1/series/?is_active=true",
        "/api/v1/series/?is_paused=true",
        "/api/v1/series/{series}/",
        "/api/v1/tasks/{task}/recurrence/",
        "/api/v1/tasks/{task}/occurrences/",
        "/admin/recurrence/series/?owner=ada",
        "/admin/recurrence/series/?q=ada",
        "/admin/recurrence/series/?q={task}",
        "/admin/recurrence/series/{series}/change/",
        "/admin/recurrence/occurrence/?q={task}",
        "/admin/recurrence/occurrence/?series__id__exact={series}",
    ],
)
def test_a_read_touches_few_rows(ada, task, crowd, address):
    ada.is_staff = ada.is_superuser = True
    ada.save()
    client = APIClient()
    client.force_login(ada)

    with CaptureQueriesContext(connection) as queries:
        response = client.get(address.format(series=task.series_id, task=task.pk))

    assert response.status_code == 200
    assert {sql: rows for sql, rows in costs(queries.captured_queries).items() if rows > MOST_ROWS} == {}


def test_a_read_without_an_index_is_seen(crowd):
    plan = executed(f"SELECT * FROM recurrence_series WHERE opened_by = '{uuid4()}'")

    assert rows_scanned(plan) > MOST_ROWS
    assert [node["Node Type"] for node in nodes(plan)] == ["Seq Scan"]
