"""What a list of tasks can be narrowed to and sorted by."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine

from apps.tasks import services
from tests.support.factories import NOW, person, task_of

pytestmark = pytest.mark.django_db

TASKS = "/api/v1/tasks/"


@pytest.fixture
def owner():
    return person("ada", time_zone="Pacific/Auckland")  # 13 hours ahead of UTC in November


def listed(api, query=""):
    response = api.get(f"{TASKS}?{query}")
    assert response.status_code == 200, response.json()
    return [task["title"] for task in response.json()["results"]]


def refused(api, query):
    response = api.get(f"{TASKS}?{query}")
    return response.status_code, [error["field"] for error in response.json()["errors"]]


@pytest.fixture
def tasks(owner):
    """Due before, on and after 21 November in Auckland, as instants and as days."""
    task_of(owner, title="20 late", due_at=datetime(2026, 11, 20, 10, 59, tzinfo=UTC))
    task_of(owner, title="21 early", due_at=datetime(2026, 11, 20, 11, 0, tzinfo=UTC))
    task_of(owner, title="20", due_on=date(2026, 11, 20))
    task_of(owner, title="21", due_on=date(2026, 11, 21))
    task_of(owner, title="22", due_on=date(2026, 11, 22))
    task_of(owner, title="none")


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("due_from=2026-11-21", ["21 early", "21", "22"]),
        ("due_to=2026-11-20", ["20 late", "20"]),
        ("due_to=20261120", ["20 late", "20"]),  # ISO 8601 writes a day in other ways too
        ("due_to=2026-W47-5", ["20 late", "20"]),
        ("due_from=20261121", ["21 early", "21", "22"]),
        ("due_from=2026W476&due_to=2026W476", ["21 early", "21"]),
        ("due_from=2026-11-21&due_to=2026-11-21", ["21 early", "21"]),
        ("due_from=2026-11-20T11:00:00Z", ["21 early", "21", "22"]),
        ("due_to=2026-11-20T11:00:00Z", ["20 late", "20"]),
        ("due_from=2026-11-21T00:00:00%2B13:00&due_to=2026-11-21T00:01:00%2B13:00", ["21 early"]),
        ("no_due=true", ["none"]),
        ("no_due=false", ["20 late", "20", "21 early", "21", "22"]),
    ],
)
def test_a_range_of_dues_is_in_the_persons_days(api, tasks, query, titles):
    assert sorted(listed(api, query)) == sorted(titles)


@pytest.mark.parametrize(
    ("overdue", "titles"), [("true", ["20 late", "21 early", "20"]), ("false", ["21", "22", "none"])]
)
def test_overdue_means_that_the_due_has_passed_where_the_person_is(api, tasks, overdue, titles):
    with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False):
        assert sorted(listed(api, f"overdue={overdue}")) == sorted(titles)


def test_what_is_done_is_not_overdue(api, owner):
    task = task_of(owner, due_at=NOW)
    services.complete_task(task_id=task.pk, actor=owner, now=NOW)

    assert (listed(api, "overdue=true"), listed(api, "overdue=false")) == ([], ["Buy milk"])


def test_several_statuses_and_priorities_are_any_of_them(api, owner):
    task_of(owner, title="a", priority="high")
    task_of(owner, title="b", priority="low", status="in_progress")
    task_of(owner, title="c")

    assert listed(api, "priority=high&priority=low") == ["b", "a"]
    assert listed(api, "status=in_progress") == ["b"]
    assert listed(api, "status=pending&status=in_progress&priority=none") == ["c"]


def test_tags_are_any_or_all(api, owner):
    task_of(owner, title="both", tags=["home", "garden"])
    task_of(owner, title="home", tags=["home"])
    task_of(owner, title="neither")

    assert listed(api, "tag=HOME") == ["home", "both"]
    assert listed(api, "tag=garden&tag=home") == ["home", "both"]
    assert listed(api, "tag_all=garden&tag_all=home") == ["both"]
    assert listed(api, "tag=unknown") == []
    assert listed(api, "tag_all=home&tag_all=unknown") == []


def test_a_list_and_a_parent_or_none(api, owner):
    home = services.create_list(owner=owner, actor=owner, name="Home", now=NOW)
    whole = task_of(owner, title="whole", list=home.pk)
    task_of(owner, title="part", parent=whole.pk)
    task_of(owner, title="loose")

    assert listed(api, f"list={home.pk}") == ["part", "whole"]
    assert listed(api, "list=none") == ["loose"]
    assert listed(api, f"parent={whole.pk}") == ["part"]
    assert listed(api, "parent=none") == ["loose", "whole"]


def test_what_repeats(api, owner):
    task_of(owner, title="repeats", due_at=NOW + timedelta(days=1), recurrence="daily")
    task_of(owner, title="once")

    assert listed(api, "recurring=true") == ["repeats"]
    assert listed(api, "recurring=false") == ["once"]


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ("milk", ["Buy milk"]),
        ("MIL", ["Buy milk"]),
        ("ilk", ["Buy milk"]),  # anywhere in the title
        ("oat", ["Buy milk"]),  # a word of the description begins so
        ("ats", []),  # the middle of a word of the description
        ("dairy", ["Buy milk"]),  # a tag
        ("milk dairy", ["Buy milk"]),
        ("milk rent", []),
        ("50%", ["Save 50% now"]),
        ("%", []),
        ("_", []),
        ("'; DROP TABLE tasks_task; --", []),
        ("& | ! ( ) :*", []),
        ("ä", ["Äpfel"]),
        ("äpf", ["Äpfel"]),
    ],
)
def test_a_search_finds_every_word_somewhere(api, owner, words, titles):
    task_of(owner, title="Buy milk", description="the oats kind", tags=["dairy"])
    task_of(owner, title="Pay rent")
    task_of(owner, title="Save 50% now")
    task_of(owner, title="Äpfel")

    response = api.get(TASKS, {"search": words})

    assert [task["title"] for task in response.json()["results"]] == titles


@pytest.mark.parametrize(
    "words",
    [
        "www.example.org",
        "www.exam",
        "WWW.EXAMPLE.ORG/PAY",
        "https://www.example.org/pay",
        "https://www.example.org/p",
        "3.14",
        "3.1",
        "ada@example.org",
        "ada@exam",
        "2026-05-03",
        "2026-05",
        "/usr/local",
        "/usr/local/bin",
        "well-known",
        "well-kn",
        "o'clock",
        "C:\\Users",
        "milk/bread",
        "ada@example.org 3.14 see",
    ],
)
def test_a_search_finds_what_the_parser_keeps_whole(api, owner, words):
    task_of(
        owner,
        title="Found",
        description="See www.example.org/pay 3.14 ada@example.org 2026-05-03 /usr/local/bin; well-known at 8 o'clock, "
        "C:\\Users, milk and bread",
    )
    task_of(owner, title="Another", description="See www.elsewhere.org 4.15 bob@example.org 2027-06-04 /etc")

    response = api.get(TASKS, {"search": words})

    assert [task["title"] for task in response.json()["results"]] == ["Found"]


@pytest.mark.parametrize(
    "words",
    ["'", "''", "\\", "\\'", "'a' | 'b'", "a':*|'", "a\\", "<->", "a:*b", ":*", "!milk", "(", "$$", "{milk}", "%s"],
)
def test_the_signs_of_a_query_are_only_signs(api, owner, words):
    task_of(owner, title="Buy milk", description="oats")

    response = api.get(TASKS, {"search": f"{words} sugar"})

    assert (response.status_code, response.json()["results"]) == (200, [])


@pytest.mark.parametrize(
    ("sort", "titles"),
    [
        ("created", ["b", "a", "C"]),
        ("-created", ["C", "a", "b"]),
        ("title", ["a", "b", "C"]),
        ("-title", ["C", "b", "a"]),
        ("priority", ["a", "C", "b"]),
        ("-priority", ["b", "C", "a"]),
        ("due", ["C", "a", "b"]),  # without a due last
        ("-due", ["b", "a", "C"]),
        ("position", ["a", "b", "C"]),
        ("-position", ["C", "b", "a"]),
        ("updated", ["a", "C", "b"]),
    ],
)
def test_every_sort_goes_both_ways_and_through_pages(api, owner, sort, titles):
    b = task_of(owner, title="b", priority="urgent", position=Decimal(2))
    task_of(owner, title="a", due_on=date(2026, 11, 25), position=Decimal(1))
    task_of(owner, title="C", priority="low", due_at=NOW, position=Decimal(3))
    services.update_task(task_id=b.pk, actor=owner, changes={"description": "x"}, now=NOW + timedelta(hours=1))

    seen, address = [], f"{TASKS}?sort={sort}&page_size=1"
    while address:
        page = api.get(address).json()
        seen += [task["title"] for task in page["results"]]
        address = page["next"]
    back, address = [], api.get(api.get(f"{TASKS}?sort={sort}&page_size=2").json()["next"]).json()["previous"]
    back = [task["title"] for task in api.get(address).json()["results"]]

    assert seen == titles
    assert back == titles[:2]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("sort=colour", "sort"),
        ("sort=--due", "sort"),
        ("status=nowhere", "status"),
        ("priority=soon", "priority"),
        ("list=home", "list"),
        ("parent=1", "parent"),
        ("due_from=soon", "due_from"),
        ("due_to=9999-12-31", "due_to"),
        ("due_from=2026-11-21T99:00", "due_from"),
        ("search=1+2+3+4+5+6+7+8+9", "search"),
        ("search=" + "x" * 201, "search"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(api, query, field):
    assert refused(api, query) == (400, [field])


def test_a_cursor_of_another_sort_is_refused(api, owner):
    for _ in range(2):
        task_of(owner)
    cursor = api.get(f"{TASKS}?page_size=1&sort=due").json()["next"].split("cursor=")[1].split("&")[0]

    assert refused(api, f"sort=title&cursor={cursor}") == (400, ["cursor"])
