"""Reads on a big table: each has an index, touches few rows whatever the table's size, and asks few questions."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.tasks import selectors, services
from apps.tasks.models import Tag, Task, TaskList
from apps.tasks.views.tasks import TaskViewSet
from tests.support.append_only import guards_off
from tests.support.factories import NOW, person, task_of
from tests.support.patience import unhurried
from tests.support.plans import executed, nodes, rows_scanned

TASKS = "/api/v1/tasks/"
COUNT = 100_000
CHUNK = 20_000  # as much as a busy machine writes within a statement's limit

# The older half is Ada's, the newer Grace's. What was due is done, but for a few; dues, priorities and titles are
# spread evenly, and what is rare stands among the rest.
_FILL = """
INSERT INTO tasks_task (id, owner_id, title, description, status, status_before_deletion, deleted_at, priority, due_at,
                        due_on, tag_ids, list_id, parent_id, recurrence, version, created_at, updated_at, position)
SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
       CASE WHEN n <= 50000 THEN %(ada)s ELSE %(grace)s END::uuid,
       'Task ' || n || ' of ' || (ARRAY['spring', 'summer', 'autumn', 'winter'])[1 + n %% 4] || ' ' || md5(n::text),
       'Word' || n %% 1000 || ' and more text to read',
       CASE WHEN n %% 2500 = 1 THEN 'in_progress' WHEN n %% 1250 = 2 THEN 'deleted'
            WHEN due < -1000 THEN 'completed' ELSE 'pending' END,
       CASE WHEN n %% 1250 = 2 THEN 'pending' ELSE '' END, CASE WHEN n %% 1250 = 2 THEN %(now)s END,
       CASE WHEN n %% 500 = 4 THEN 'urgent' ELSE (ARRAY['none', 'low', 'medium', 'high'])[1 + n %% 4] END,
       CASE WHEN n %% 3 = 0 THEN %(now)s + make_interval(mins => due) END,
       CASE WHEN n %% 3 = 1 THEN (%(now)s + make_interval(mins => due))::date END,
       CASE WHEN n %% 500 = 0 THEN ARRAY[%(tag)s]::uuid[] ELSE '{}' END,
       CASE WHEN n <= 50000 THEN CASE WHEN n %% 500 = 3 THEN %(home)s WHEN n %% 5 = 0 THEN %(work)s END END::uuid,
       CASE WHEN n <= 50000 AND n %% 2000 = 7 THEN '01900000-0000-7000-8000-000000000001'::uuid END,
       CASE WHEN n %% 100 = 0 THEN '{"rule": "FREQ=DAILY"}'::jsonb END,
       1, %(now)s + make_interval(secs => n), %(now)s + make_interval(secs => n), n
FROM generate_series(%(first)s::int, %(last)s::int) n, LATERAL (SELECT n * 7919 %% 20000 * 20 - 100000 AS due) d
"""
INDEXES = [index.name for index in Task._meta.indexes]
PARENT = "01900000-0000-7000-8000-000000000001"


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker):
    """A table as big as it may get on a laptop, for the tests of this module."""
    with django_db_blocker.unblock():
        ada, grace = person("ada-with-much"), person("grace-with-much")
        tag = Tag(owner=ada, name="rare", folded_name="rare", created_at=NOW, updated_at=NOW)
        home, work = (
            TaskList(owner=ada, name=name, position=1, created_at=NOW, updated_at=NOW) for name in ("Home", "Work")
        )
        values = {"ada": ada.pk, "grace": grace.pk, "tag": tag.pk, "home": home.pk, "work": work.pk, "now": NOW}
        with connection.cursor() as cursor:
            cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE indexname = ANY(%s)", [INDEXES])
            indexes = dict(cursor.fetchall())
        try:
            with guards_off(), unhurried() as cursor:
                tag.save(force_insert=True)
                home.save(force_insert=True)
                work.save(force_insert=True)
                # Built at once rather than row by row, they take a tenth of the time.
                cursor.execute(f"DROP INDEX {', '.join(indexes)}")
                for first in range(1, COUNT, CHUNK):
                    cursor.execute(_FILL, values | {"first": first, "last": first + CHUNK - 1})
                cursor.execute(";".join(indexes.values()))
                cursor.execute("VACUUM ANALYZE tasks_task")
            yield ada, {"{home}": home.pk, "{work}": work.pk}
        finally:
            with guards_off(), unhurried() as cursor:
                for table in ("tasks_task", "tasks_tag", "tasks_tasklist"):
                    cursor.execute(f"DELETE FROM {table}")
                # There already, unless the filling failed.
                cursor.execute(";".join(each.replace("INDEX", "INDEX IF NOT EXISTS", 1) for each in indexes.values()))
                cursor.execute("VACUUM ANALYZE tasks_task")
            User.objects.filter(pk__in=[ada.pk, grace.pk]).delete()


@pytest.fixture
def api(filled, db):
    client = APIClient()
    client.force_login(filled[0])
    return client


def plans_of(api, address):
    """The answer, and the executed plans of all questions about tasks that a request asks."""
    with CaptureQueriesContext(connection) as asked, time_machine.travel(NOW, tick=False):
        response = api.get(address)
    assert response.status_code == 200, response.json()
    return response.json(), executed_plans(asked)


def executed_plans(asked):
    return [executed(question["sql"]) for question in asked.captured_queries if '"tasks_task"' in question["sql"]]


def touched(api, filled, query):
    """Rows that a list of tasks reads; `{home}` and `{work}` stand for the ids of Ada's lists."""
    for name, pk in filled[1].items():
        query = query.replace(name, str(pk))
    _, plans = plans_of(api, f"{TASKS}?{query}")
    assert len(plans) == 1
    return rows_scanned(plans[0]), {node["Node Type"] for node in nodes(plans[0])}


SORTS = ("created", "updated", "due", "priority", "title", "position")
BOTH_WAYS = [sign + name for name in SORTS for sign in ("", "-")]

# An index has what is asked, in order; at most a few are passed over. A page reads 51.
EXACT = [
    "",
    *[f"sort={sort}" for sort in BOTH_WAYS],
    *[f"status={status}" for status in ("pending", "in_progress", "completed", "deleted")],
    *[f"status=in_progress&sort={sort}" for sort in BOTH_WAYS],
    *[f"status=deleted&sort={sort}" for sort in BOTH_WAYS],
    "status=in_progress&status=deleted",
    "status=pending&sort=due",
    "status=pending&status=in_progress&sort=due",
    "due_to=2026-11-22&status=pending&status=in_progress&sort=due",
    *[f"priority={priority}&sort={sign}priority" for priority in ("low", "urgent") for sign in ("", "-")],
    "priority=high&priority=urgent&sort=-priority",
    "list={home}&sort=position",
    "list={work}&sort=position",
    "list={work}&status=in_progress",
    "list=none",
    "parent=none",
    f"parent={PARENT}",
    f"parent={PARENT}&sort=position",
    "recurring=true",
    "recurring=false",
    "no_due=true&sort=due",
    "no_due=true&sort=-due",
    "no_due=false&sort=due",
    "no_due=true&status=in_progress",
    "overdue=false",
    "overdue=false&sort=due",
    "due_to=2026-11-22&sort=due",
    "tag=unknown",
    "search=c4ca4238a0b923820dcc509a6f75849b",
    "search=www.example.org/pay",
    "search=nothing-like-it",
    "search=winter&status=in_progress",
]
# A small group read whole and sorted, or a sort walked past what another filter leaves out.
A_FEW_HUNDRED = [
    *[f"status=pending&sort={sort}" for sort in BOTH_WAYS],
    *[f"status=completed&sort={sort}" for sort in BOTH_WAYS],
    "status=pending&status=in_progress",
    *[f"priority=urgent&sort={sort}" for sort in BOTH_WAYS],
    *[f"priority=low&sort={sort}" for sort in BOTH_WAYS],
    "priority=high&priority=urgent&sort=due",
    "priority=urgent&status=pending&status=in_progress&sort=due",
    "tag=rare",
    "tag_all=rare",
    "tag=rare&sort=due",
    "tag=rare&status=in_progress",
    "list={home}",
    "list={home}&sort=-created",
    "list={home}&sort=due",
    *[f"list={{home}}&status={status}" for status in ("pending", "in_progress", "completed", "deleted")],
    "list={work}",
    "list={work}&sort=due",
    "list={work}&status=pending&status=in_progress&sort=due",
    "no_due=true",
    "no_due=true&sort=title",
    "no_due=false",
    "overdue=true&priority=urgent",
    "overdue=true&status=in_progress",
    "overdue=true&list={home}",
    "search=word7",
    "search=word7&status=pending",
    "search=winter",
    "search=winter&sort=due",
    "search=w",
    "search=rare",
]
# What is neither small nor everywhere: hundreds are read whole, or a page stands in thousands.
MORE = [
    "recurring=true&sort=due",
    "recurring=true&sort=-updated",
    "recurring=true&list={home}",
    "overdue=true",
    *[f"overdue=true&sort={sort}" for sort in BOTH_WAYS],
    "due_from=2026-11-20&due_to=2026-11-22",
    "due_from=2026-11-20&due_to=2026-11-22&sort=due",
    "due_from=2026-11-20&sort=due",
    "search=spring+word8",
]
BOUNDS = dict.fromkeys(MORE, 2000) | dict.fromkeys(A_FEW_HUNDRED, 500) | dict.fromkeys(EXACT, 120)
WITHOUT = {
    "task_by_creation": "",
    "task_by_due": "sort=due",
    "task_by_priority": "priority=urgent&sort=title",
    "task_by_update": "sort=updated",
    "task_by_title": "sort=title",
    "task_by_position": "sort=position",
    "task_of_status": "status=in_progress&sort=title",
    "task_open_by_due": "overdue=true",
    "task_of_list": "list={home}",
    "task_of_parent": f"parent={PARENT}",
    "task_that_repeats": "recurring=true",
    "task_search": "tag=rare&sort=due",
}


@pytest.mark.parametrize(("query", "most"), BOUNDS.items())
def test_a_read_has_an_index_and_touches_few_rows(api, filled, query, most):
    rows, kinds = touched(api, filled, query)

    assert not {kind for kind in kinds if kind.endswith("Seq Scan")}
    assert rows <= most


@pytest.mark.parametrize(("index", "query"), WITHOUT.items())
def test_without_its_index_a_read_touches_more_rows_than_it_may(api, filled, index, query):
    """The negative control: each index is needed, and the bound sees that it is there."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {index}")

    assert touched(api, filled, query)[0] > 4 * BOUNDS[query]


def test_every_index_of_tasks_has_a_read_that_needs_it():
    assert set(INDEXES) == {*WITHOUT, "task_open_by_clock", "task_deleted"}


def test_without_statistics_of_open_dues_the_planner_looks_for_what_is_overdue_among_all(api, filled):
    """The negative control of `task_open_due`."""
    with connection.cursor() as cursor:
        cursor.execute("DROP STATISTICS task_open_due")

    assert touched(api, filled, "overdue=true&sort=-priority")[0] > 4 * BOUNDS["overdue=true&sort=-priority"]


def test_what_two_common_filters_leave_rare_may_read_all_tasks_of_the_person_but_nobody_elses(api, filled):
    """The known limit (ADR 10): the planner takes the filters for independent of each other, and walks a sort."""
    rows, _ = touched(api, filled, "status=completed&due_from=2026-11-22&sort=title")

    assert BOUNDS["overdue=true"] < rows <= COUNT // 2


def purge_touches(filled):
    with CaptureQueriesContext(connection) as asked:
        assert services.purge_deleted_tasks(now=NOW + timedelta(days=30)) == 0
    return sum(map(rows_scanned, executed_plans(asked)))


def test_the_purge_touches_only_what_it_takes_away(filled, db):
    assert purge_touches(filled) == 0


def test_without_its_index_the_purge_touches_every_row(filled, db):
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX task_deleted")

    assert purge_touches(filled) == COUNT


# In the first the hour of some tasks passes, in the second the morning after a day comes.
STRETCHES = [
    (NOW - timedelta(minutes=21), NOW - timedelta(minutes=19)),
    (NOW - timedelta(minutes=1), NOW),
]


def nudges_touch(after, until):
    """How many are found, and the rows that finding them reads."""
    with CaptureQueriesContext(connection) as asked:
        found = selectors.overdue_between(after=after, until=until, most=20)
    return len(found), sum(map(rows_scanned, executed_plans(asked)))


@pytest.mark.parametrize(("after", "until"), STRETCHES)
def test_what_is_to_be_nudged_touches_little_more_than_it_finds(filled, db, after, until):
    found, rows = nudges_touch(after, until)

    assert 1 <= found <= 20
    assert rows <= 200


@pytest.mark.parametrize(("after", "until"), STRETCHES)
def test_without_its_index_it_touches_more(filled, db, after, until):
    """The negative control."""
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX task_open_by_clock")

    assert nudges_touch(after, until)[1] > 4 * 200


def test_while_nobodys_morning_is_there_nobodys_day_is_asked_for(filled, db):
    with CaptureQueriesContext(connection) as asked:
        selectors.overdue_between(after=NOW + timedelta(minutes=1), until=NOW + timedelta(minutes=2), most=20)

    assert len(asked) == 1


def day_touches(filled):
    """What a person's day shows, in how many questions, and the rows they read."""
    with CaptureQueriesContext(connection) as asked:
        day = selectors.agenda(filled[0], today=NOW.date(), zone=ZoneInfo("UTC"), now=NOW, most=10)
    return (len(day.overdue), len(day.today), len(asked)), sum(map(rows_scanned, executed_plans(asked)))


def test_a_persons_day_touches_their_open_dues_alone(filled, db):
    shown, rows = day_touches(filled)

    assert shown == (10, 10, 3)
    assert rows <= 2000


def test_without_the_index_of_open_dues_it_touches_more(filled, db):
    """The negative control."""
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX task_open_by_due")

    assert day_touches(filled)[1] > 4 * 2000


@pytest.mark.parametrize("sort", BOTH_WAYS)
def test_a_page_far_down_touches_no_more_rows_than_the_first(api, filled, sort):
    middle = Task.objects.get(position=COUNT // 4 + 3)
    column = TaskViewSet.page_sorts[sort.removeprefix("-")]
    first, _ = plans_of(api, f"{TASKS}?sort={sort}")
    cursor = far_down(first["next"], sort, values=[getattr(middle, column), middle.pk])

    page, plans = plans_of(api, f"{TASKS}?sort={sort}&cursor={cursor}")

    assert len(page["results"]) == 50
    assert rows_scanned(plans[0]) <= 120


def far_down(address, sort, *, values):
    """The cursor of a page as the first page's own, but after another row."""
    assert "cursor=" in address
    place = json.dumps({"s": sort, "b": False, "v": values}, cls=DjangoJSONEncoder)
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


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
