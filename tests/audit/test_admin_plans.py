"""The trail's pages on a long trail: each reads by an index, a bounded number of rows, however deep the page."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.audit.models import AuditRecord
from tests.audit.admin_trail import LIST
from tests.support.append_only import guards_off
from tests.support.factories import NOW, person
from tests.support.patience import unhurried
from tests.support.plans import executed, nodes, rows_read

COUNT = 100_000
CHUNK = 20_000  # as much as a busy machine writes within a statement's limit
# What verifications found, of seven days: as long however long the trail is.
NOTES = "audit_auditverification"
HASHES = "sha256('h'), sha256('p'), sha256('c')"

# Most is Ada's; Grace did little, long ago. Words of titles are common ("Task"), fairly common (a season) or rare.
FILL = f"""
WITH filled AS (
    INSERT INTO audit_auditrecord (chain, sequence, hash, previous_hash, commitment, event_id, type, subject_type,
        subject_id, subject_version, owner_id, actor_id, source, causation_id, occurred_at, recorded_at, record_topic,
        record_partition, record_offset, readable)
    SELECT n %% 16, n / 16 + 1, {HASHES}, ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
        CASE WHEN n %% 10000 = 7 THEN 'unreadable' WHEN n %% 5000 = 11 THEN 'list.created.v1'
             WHEN n %% 10 = 0 THEN 'task.completed.v1' WHEN n %% 5 = 1 THEN 'task.created.v1'
             ELSE 'task.updated.v1' END,
        CASE WHEN n %% 10000 = 7 THEN '' WHEN n %% 5000 = 11 THEN 'list' ELSE 'task' END,
        ('01910000-0000-7000-8000-' || lpad(to_hex(n / 5), 12, '0'))::uuid, n %% 5 + 1,
        CASE WHEN n BETWEEN 1000 AND 1200 THEN %(grace)s ELSE %(ada)s END::uuid,
        CASE WHEN n BETWEEN 1000 AND 1200 THEN %(grace)s ELSE %(ada)s END::uuid, '/todo',
        CASE WHEN n %% 10 = 5 THEN ('01900000-0000-7000-8000-' || lpad(to_hex(n - 1), 12, '0'))::uuid END,
        %(start)s + n * %(every)s, %(start)s + n * %(every)s, 'task-events', n %% 4, n, n %% 10000 <> 7
    FROM generate_series(%(first)s::int, %(last)s::int) n
    RETURNING event_id, owner_id, record_offset AS n)
INSERT INTO audit_auditcontent (event_id, owner_id, correlation_id, title, salt, text)
SELECT event_id, owner_id, CASE WHEN n %% 4 = 0 THEN 'the-import' ELSE 'request-' || n END,
    'Task ' || n || ' of ' || (ARRAY['spring', 'summer', 'autumn', 'winter'])[1 + n %% 4]
        || CASE WHEN n %% 50000 = 123 THEN ' pomegranate' WHEN n < 4000 THEN ' bygone' ELSE '' END,
    sha256('s'), json_build_object('correlation_id', 'request-' || n, 'data', json_build_object(
        'task', json_build_object('title', 'Task ' || n, 'description', 'Some text to be read. ', 'status', 'pending'),
        'changes', json_build_object('priority', json_build_object('before', 'none', 'after', 'high'))))::text
FROM filled
"""
START = NOW - timedelta(days=180)


def fill(ada, grace, count):
    """A trail as long as asked, by SQL; what it says is no chain."""
    values = {"ada": ada.pk, "grace": grace.pk, "start": START, "every": timedelta(days=180) / count}
    with guards_off(), unhurried() as cursor:
        for first in range(1, count, CHUNK):
            cursor.execute(FILL, values | {"first": first, "last": first + CHUNK - 1})
        cursor.execute("VACUUM ANALYZE audit_auditrecord, audit_auditcontent")


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        boss = person("boss-of-much", is_staff=True, is_superuser=True)
        ada, grace = person("ada-of-much"), person("grace-of-old")
        try:
            fill(ada, grace, COUNT)
            yield boss
        finally:
            with guards_off(), unhurried() as cursor:
                cursor.execute("DELETE FROM audit_auditcontent")
                cursor.execute("DELETE FROM audit_auditrecord")
                cursor.execute("VACUUM ANALYZE audit_auditrecord, audit_auditcontent")
            User.objects.filter(pk__in=[boss.pk, ada.pk, grace.pk]).delete()


@pytest.fixture
def client(filled, db):
    client = Client()
    client.force_login(filled)
    return client


def of_the_trail(plan):
    """The parts of a plan that read the trail: tables, and indexes when a bitmap is made of them."""
    return [node for node in nodes(plan) if "audit_" in _named(node) and _named(node) != NOTES]


def _named(node):
    return str(node.get("Relation Name", node.get("Index Name", "")))


def plans(client, path):
    """The answer, and the parts of the executed plans of all its questions that read the trail."""
    with CaptureQueriesContext(connection) as asked:
        response = client.get(path)
    assert response.status_code == 200
    read = []
    with connection.cursor() as cursor:
        for question in asked.captured_queries:
            if question["sql"].startswith("SET LOCAL"):
                cursor.execute(question["sql"])
            elif '"audit_audit' in question["sql"] or "audit_auditrecord" in question["sql"]:
                read += of_the_trail(executed(question["sql"]))
    return response, read


SUBJECT = UUID(f"01910000-0000-7000-8000-{20_000 - 7:012x}")
MIDDLE = START + timedelta(days=90)
FEW = 500  # a page reads 51, and each of them once more with what people wrote
# Where no index has the order, the page walks the trail or looks up what is written: bounded, whatever its length.
SOME = 3 * 2_000
WALK = 10_000 + SOME
MANY = 4 * 10_000

PAGES = [
    ("", FEW),
    ("before=50000", FEW),
    ("before=300", FEW),
    ("after=50000", FEW),
    ("type=task.completed.v1", 1_000),
    ("type=unreadable", FEW),
    ("readable=no", FEW),
    ("readable=yes&before=50000", FEW),
    ("kind=task", FEW),
    ("kind=list", FEW),
    ("actor=grace-of-old", SOME),
    ("owner=grace-of-old&type=task.completed.v1", SOME),
    ("actor=ada-of-much&before=50000", FEW),
    (f"subject={SUBJECT}", FEW),
    (f"period={MIDDLE:%Y-%m-%d}", SOME),
    (f"period={MIDDLE:%Y-%m}", SOME),
    (f"from={MIDDLE:%Y-%m-%d}&to={MIDDLE:%Y-%m-%d}&type=task.completed.v1", SOME),
    ("correlation=request-777", FEW),
    ("correlation=the-import", WALK),
    ("q=pomegranate", SOME),
    ("q=pomegranate+spring", SOME),
    ("q=task", WALK),
    ("q=winter&before=50000", WALK),
    ("q=bygone", MANY),
    ("q=grace-of-old", SOME),
    ("q=winter+grace-of-old", WALK),
    (f"q={SUBJECT}", FEW),
    ("q=request-777", SOME),
    ("q=task.completed.v1", 1_000),
    ("q=nowhere", SOME),
]


@pytest.mark.parametrize(("query", "most"), PAGES)
def test_a_page_reads_by_an_index_and_no_more_than_it_must(client, query, most):
    response, read = plans(client, f"{LIST}?{query}")

    assert {node["Node Type"] for node in read} & {"Seq Scan", "Parallel Seq Scan"} == set()
    assert sum(map(rows_read, read)) <= most, max(read, key=rows_read)
    assert response.context["form"].errors == {}


@pytest.mark.parametrize("n", [5, 50_004, 99_999])
def test_a_record_reads_few_rows(client, n):
    pk = AuditRecord.objects.get(record_offset=n).pk

    _, read = plans(client, f"{LIST}{pk}/change/")

    assert {node["Node Type"] for node in read} & {"Seq Scan", "Parallel Seq Scan"} == set()
    assert sum(map(rows_read, read)) <= SOME


def test_the_dates_and_types_to_choose_cost_no_walk_along_the_trail(client):
    response, read = plans(client, f"{LIST}?q=nowhere")

    assert [value for value, _ in response.context["form"].fields["type"].choices][1:] == [
        *("list.created.v1", "task.completed.v1", "task.created.v1", "task.updated.v1", "unreadable")
    ]
    assert response.context["days"].within[0].period == f"{(START):%Y}"
    assert sum(map(rows_read, read)) <= SOME


def test_how_many_there_are_is_remembered_and_not_counted(client):
    response, _ = plans(client, LIST)

    assert abs(response.context["about"] - COUNT) <= COUNT / 10


def test_a_walk_finds_what_is_old_in_bounded_steps(client):
    path, steps, found = f"{LIST}?q=bygone", 0, []
    while path and steps < 20:
        response, read = plans(client, path)
        assert sum(map(rows_read, read)) <= MANY
        found += [row.record.record_offset for row in response.context["rows"]]
        path, steps = (
            response.context["older"] and LIST + response.context["older"] if len(found) < 100 else "",
            steps + 1,
        )

    assert found[:50] == list(range(3999, 3949, -1))


def test_a_common_word_of_somebody_who_did_little_long_ago_is_found_at_once(client):
    response, _ = plans(client, f"{LIST}?q=winter+grace-of-old")

    assert [row.record.record_offset for row in response.context["rows"]] == list(range(1199, 999, -4))


def test_with_an_index_less_the_check_would_see_it(client):
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX audit_record_of_subject")

    _, read = plans(client, f"{LIST}?subject={SUBJECT}")

    assert sum(map(rows_read, read)) > COUNT / 2


def test_a_time_long_ago_is_found_without_a_walk_from_the_newest(client):
    day = datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(days=20)

    response, read = plans(client, f"{LIST}?period={day:%Y-%m-%d}&actor=ada-of-much")

    assert len(response.context["rows"]) == 50
    assert sum(map(rows_read, read)) <= SOME
