"""Reads on a big table: each has an index, touches few rows whatever the table's size, and asks few questions."""

import json
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.tasks.models import Tag, Task, TaskList
from tests.support.append_only import guards_off
from tests.support.factories import NOW, person, task_of

TASKS = "/api/v1/tasks/"
COUNT = 100_000
CHUNK = 20_000  # as much as a busy machine writes within a statement's limit
# A page has 50; whoever reads far more than that for it reads more with every task there is.
MOST_ROWS = 5_000

# Half are one person's, whose due, priority, tags and titles are spread evenly over them; a fifth is completed.
_FILL = """
INSERT INTO tasks_task (id, owner_id, title, description, status, status_before_deletion, priority, due_at, due_on,
                        tag_ids, list_id, recurrence, version, created_at, updated_at, position)
SELECT gen_random_uuid(),
       CASE WHEN n %% 2 = 0 THEN %(ada)s ELSE %(grace)s END::uuid,
       'Task ' || n || ' of ' || (ARRAY['spring', 'summer', 'autumn', 'winter'])[1 + n / 2 %% 4] || ' ' || md5(n::text),
       'Word' || n / 2 %% 1000 || ' and more text to read',
       CASE WHEN n / 2 %% 5 = 0 THEN 'completed' ELSE 'pending' END, '',
       (ARRAY['none', 'low', 'medium', 'high', 'urgent'])[1 + n / 2 %% 5],
       CASE WHEN n / 2 %% 3 = 0 THEN %(now)s + make_interval(mins => (n %% 40000) * 10 - 100000) END,
       CASE WHEN n / 2 %% 3 = 1 THEN (%(now)s + make_interval(mins => (n %% 40000) * 10 - 100000))::date END,
       CASE WHEN n / 2 %% 50 = 0 THEN ARRAY[%(tag)s]::uuid[] ELSE '{}' END,
       CASE WHEN n %% 2 = 0 AND n / 2 %% 40 = 0 THEN %(list)s::uuid END,
       CASE WHEN n / 2 %% 100 = 0 THEN '{"rule": "FREQ=DAILY"}'::jsonb END,
       1, %(now)s, %(now)s + make_interval(secs => n), n
FROM generate_series(%(first)s::int, %(last)s::int) n
"""


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker):
    """A table as big as it may get on a laptop, for the tests of this module."""
    with django_db_blocker.unblock():
        ada, grace = person("ada-with-much"), person("grace-with-much")
        tag = Tag(owner=ada, name="rare", folded_name="rare", created_at=NOW, updated_at=NOW)
        one = TaskList(owner=ada, name="Home", position=1, created_at=NOW, updated_at=NOW)
        values = {"ada": ada.pk, "grace": grace.pk, "tag": tag.pk, "list": one.pk, "now": NOW}
        with guards_off(), connection.cursor() as cursor:
            tag.save(force_insert=True)
            one.save(force_insert=True)
            cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'task_search'")
            search = cursor.fetchone()[0]
            # Built at once rather than row by row, it takes a tenth of the time.
            cursor.execute("DROP INDEX task_search")
            for first in range(1, COUNT, CHUNK):
                cursor.execute(_FILL, values | {"first": first, "last": first + CHUNK - 1})
            cursor.execute(search)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE tasks_task")
        yield ada, one
        with guards_off(), connection.cursor() as cursor:
            for table in ("tasks_task", "tasks_tag", "tasks_tasklist"):
                cursor.execute(f"DELETE FROM {table}")
            cursor.execute("VACUUM ANALYZE tasks_task")
        User.objects.filter(pk__in=[ada.pk, grace.pk]).delete()


@pytest.fixture
def api(filled, db):
    client = APIClient()
    client.force_login(filled[0])
    return client


def plans_of(api, address):
    """The executed plans of all questions about tasks that a request asks."""
    with CaptureQueriesContext(connection) as asked:
        response = api.get(address)
    assert response.status_code == 200, response.json()
    plans = []
    with connection.cursor() as cursor:
        for question in asked.captured_queries:
            if '"tasks_task"' in question["sql"]:
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {question['sql']}")
                plan = cursor.fetchone()[0]
                plans.append((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    return response.json(), plans


def nodes(plan):
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def rows_touched(plan):
    """What was read from the table or an index, thrown away or not."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0))
        * node["Actual Loops"]
        for node in nodes(plan)
        if "Scan" in node["Node Type"]
    )


SORTS = ("created", "updated", "due", "priority", "title", "position")
QUESTIONS = [
    "",
    *[
        f"sort={sign}{name}"
        for name in ("created", "updated", "due", "priority", "title", "position")
        for sign in ("", "-")
    ],
    "status=pending",
    "status=completed&sort=due",
    "priority=urgent",
    "priority=high&priority=urgent&sort=-priority",
    "tag=rare",
    "tag_all=rare",
    "tag=rare&sort=due",
    "list=none",
    "parent=none",
    "recurring=true",
    "recurring=false",
    "no_due=true",
    "no_due=false&sort=due",
    "overdue=true&sort=due",
    "overdue=false&sort=due",
    "due_from=2026-11-20&due_to=2026-11-22",
    "due_from=2026-11-20&due_to=2026-11-22&sort=due",
    "search=word7",
    "search=winter",
    "search=c4ca4238a0b923820dcc509a6f75849b",
    "search=rare",
    "search=spring+word8",
    "search=nothing-like-it",
]


@pytest.mark.parametrize("query", QUESTIONS)
def test_a_read_has_an_index_and_touches_few_rows(api, query):
    _, plans = plans_of(api, f"{TASKS}?{query}")

    assert len(plans) == 1
    scans = {node["Node Type"] for node in nodes(plans[0]) if "Scan" in node["Node Type"]}
    assert not {scan for scan in scans if scan.endswith("Seq Scan")}
    assert rows_touched(plans[0]) <= MOST_ROWS


def test_a_list_of_its_own_has_an_index(api, filled):
    _, plans = plans_of(api, f"{TASKS}?list={filled[1].pk}&sort=position")

    assert rows_touched(plans[0]) <= MOST_ROWS


@pytest.mark.parametrize("sort", ["-created", "due", "-priority", "title", "updated", "position"])
def test_a_page_far_down_touches_no_more_rows_than_the_first(api, filled, sort):
    middle = Task.objects.filter(owner=filled[0]).order_by("title_order")[20_000]
    first, _ = plans_of(api, f"{TASKS}?sort={sort}")
    column = {"created": "id", "due": "due_order_at", "priority": "priority_order", "title": "title_order"}
    name = column.get(sort.removeprefix("-"), {"updated": "updated_at"}.get(sort, sort))
    cursor = far_down(first["next"], sort, values=[getattr(middle, name), middle.pk] if name != "id" else [middle.pk])

    page, plans = plans_of(api, f"{TASKS}?sort={sort}&cursor={cursor}")

    assert len(page["results"]) == 50
    assert rows_touched(plans[0]) <= 200


def far_down(address, sort, *, values):
    """The cursor of a page as the first page's own, but after another row."""
    from base64 import urlsafe_b64encode

    from django.core.serializers.json import DjangoJSONEncoder

    assert "cursor=" in address
    place = json.dumps({"s": sort, "b": False, "v": values}, cls=DjangoJSONEncoder)
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def test_without_its_index_the_same_read_touches_every_row(api):
    """The negative control: the measure sees what an index is for."""
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX task_by_title")

    _, plans = plans_of(api, f"{TASKS}?sort=title")

    assert rows_touched(plans[0]) > 10 * MOST_ROWS


@pytest.mark.parametrize("count", [1, 50])
def test_a_page_asks_as_many_questions_however_many_tasks_it_shows(db, count, django_assert_num_queries):
    owner = person("ada")
    for number in range(count):
        task_of(owner, title=f"Task {number}", tags=["a", f"tag {number}"])
    client = APIClient()
    client.force_login(owner)
    client.get(TASKS)

    with django_assert_num_queries(4):  # session, person, tasks, their tags
        assert len(client.get(TASKS).json()["results"]) == count


@pytest.mark.parametrize(
    ("method", "verb", "body", "questions"),
    [
        ("get", "", None, 3),
        ("patch", "", {"title": "New"}, 8),
        ("post", "complete/", None, 11),
        ("delete", "", None, 11),
    ],
)
def test_a_write_asks_a_fixed_number_of_questions(db, method, verb, body, questions, django_assert_num_queries):
    owner = person("ada")
    task = task_of(owner)
    for number in range(30):
        task_of(owner, title=f"Another {number}")
    client = APIClient()
    client.force_login(owner)

    with django_assert_num_queries(questions):
        getattr(client, method)(f"{TASKS}{task.pk}/{verb}", body)


def test_creating_a_task_asks_a_fixed_number_of_questions(db, django_assert_num_queries):
    client = APIClient()
    client.force_login(person("ada"))

    with django_assert_num_queries(6):  # session, person, savepoint, task, its two events, release
        client.post(TASKS, {"title": "Buy milk", "due_at": datetime(2030, 1, 1, tzinfo=UTC).isoformat()})
