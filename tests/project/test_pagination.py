"""Pages by cursor over the real list of tasks."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import User
from tests.support.factories import person, task_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return person("ada")


@pytest.fixture
def api(owner: User) -> APIClient:
    client = APIClient()
    client.force_login(owner)
    return client


def cursor(place: Any) -> str:
    """A cursor as we write them, wherever it leads."""
    return urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def test_pages_go_from_the_newest_to_the_oldest_without_gap_or_repeat(api: APIClient, owner: User) -> None:
    titles = [f"Task {number}" for number in range(5)]
    for title in titles:
        task_of(owner, title=title)

    first = api.get("/api/v1/tasks/?page_size=2").json()
    second = api.get(first["next"]).json()
    third = api.get(second["next"]).json()

    seen = [task["title"] for page in (first, second, third) for task in page["results"]]
    assert seen == titles[::-1]
    assert third["next"] is None
    assert api.get(third["previous"]).json()["results"] == second["results"]


def test_a_page_stays_put_while_tasks_come_in(api: APIClient, owner: User) -> None:
    for number in range(4):
        task_of(owner, title=f"Task {number}")
    first = api.get("/api/v1/tasks/?page_size=2").json()
    task_of(owner, title="Newcomer")

    assert [task["title"] for task in api.get(first["next"]).json()["results"]] == ["Task 1", "Task 0"]


def test_a_page_has_at_most_a_hundred_entries(api: APIClient, owner: User) -> None:
    for _ in range(101):
        task_of(owner)

    assert len(api.get("/api/v1/tasks/").json()["results"]) == 50
    assert len(api.get("/api/v1/tasks/?page_size=100").json()["results"]) == 100


@pytest.mark.parametrize("size", ["0", "000", "101", "000100000000", "1" * 10_000, "-1", "many", "1e1", "٣", ""])
def test_a_page_of_no_possible_size_is_refused(api: APIClient, size: str) -> None:
    response = api.get(f"/api/v1/tasks/?page_size={size}")

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["page_size"]


REFUSAL = [
    {
        "field": "cursor",
        "parameter": "cursor",
        "detail": "Not a cursor of this list; take one from `next` or `previous`.",
        "code": "invalid",
    }
]
AN_INSTANT = "2026-11-21T09:00:00Z"
AN_ID = "01900000-0000-7000-8000-000000000000"
NUMBERS = ["1E+400000", "1E-400000", "1E20", "0.000000000000000000001", "NaN", "Infinity", [1], {}, "x", ""]
INSTANTS = [
    "0000-12-31T23:59:59+00:00",
    "10000-01-01T00:00:00+00:00",
    "2026-11-21T09:00:00",
    "2026-11-21",
    "2026-02-30T00:00:00Z",
    "infinity",
    1_763_000_000,
]
TEXTS = ["a\0b", "\ud800"]
IDS = ["7", "", -1, 2**128, 1.5, [AN_ID], {}, "x" * 10_000]


def places(address: str, sort: str, impossible: list[Any]) -> list[Any]:
    return [pytest.param(address, sort, [value, AN_ID], id=f"{address}-{sort}-{value!r:.30}") for value in impossible]


IMPOSSIBLE = [
    *places("tasks", "created", INSTANTS),
    *places("tasks", "position", NUMBERS),
    *places("tasks", "priority", [2**15, -(2**15) - 1, 2**63, 10**30, 1e400, "1.5", "high", [1]]),
    *places("tasks", "due", INSTANTS),
    *places("tasks", "updated", INSTANTS),
    *places("tasks", "title", TEXTS),
    *places("lists", "position", NUMBERS),
    *places("tags", "name", [*TEXTS, "x" * 301]),
    *[pytest.param("tasks", "position", ["1", value], id=f"tasks-id-{value!r:.30}") for value in IDS],
    *[
        pytest.param(address, "created", [value], id=f"{address}-id-{value!r:.30}")
        for address in ["lists", "tags"]
        for value in IDS
    ],
    *[
        pytest.param("audit", "-", [value], id=f"audit-{value!r:.30}")
        for value in [2**63, -(2**63) - 1, 1e400, "x", []]
    ],
]


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(("address", "sort", "values"), IMPOSSIBLE)
def test_a_cursor_of_values_that_no_row_can_have_is_refused(
    api: APIClient, address: str, sort: str, values: list[Any], before: bool
) -> None:
    asked = {"cursor": cursor({"s": sort, "b": before, "v": values})} | ({} if sort == "-" else {"sort": sort})

    response = api.get(f"/api/v1/{address}/", asked)

    assert (response.status_code, response.json().get("errors")) == (400, REFUSAL)


@pytest.mark.parametrize(
    "foreign",
    [
        "nonsense",
        "%F0%9F%98%80",
        cursor(None),
        cursor([]),
        cursor({"s": "-created", "b": False}),
        cursor({"s": "-created", "b": False, "v": []}),
        cursor({"s": "-created", "b": False, "v": [AN_ID]}),
        cursor({"s": "-created", "b": False, "v": [AN_INSTANT, AN_ID, AN_ID]}),
        cursor({"s": "created", "b": False, "v": [AN_INSTANT, AN_ID]}),
        urlsafe_b64encode(b"[" * 100_000).decode(),
    ],
    ids=repr,
)
def test_a_cursor_that_is_not_ours_is_refused(api: APIClient, foreign: str) -> None:
    response = api.get(f"/api/v1/tasks/?cursor={foreign}")

    assert (response.status_code, response.json().get("errors")) == (400, REFUSAL)


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        ("due", "2026-11-21T09:00:00+23:59"),
        ("due", "2026-11-21T09:00:00+00:00:00.000001"),
        ("due", "0001-01-01T00:00:00+14:00"),
        ("updated", "9999-12-31T23:59:59-14:00"),
        ("position", "-99999999999999999999.99999999999999999999"),
        ("priority", -(2**15)),
        ("title", "z" * 100_000),
        ("title", "\U0010ffff"),
    ],
)
def test_a_cursor_at_the_edge_of_what_a_column_holds_is_answered(api: APIClient, sort: str, value: Any) -> None:
    asked = {"sort": sort, "cursor": cursor({"s": sort, "b": False, "v": [value, AN_ID]})}

    assert api.get("/api/v1/tasks/", asked).status_code == 200


@pytest.mark.parametrize("sort", ["created", "updated", "due", "priority", "title", "position"])
def test_a_cursor_of_our_own_is_of_the_format_that_these_tests_forge(api: APIClient, owner: User, sort: str) -> None:
    """The control: otherwise what is refused above could be the format rather than the values."""
    first, last = task_of(owner, title="A"), task_of(owner, title="B")

    address = api.get(f"/api/v1/tasks/?sort={sort}&page_size=1").json()["next"]
    ours = parse_qs(urlsplit(address).query)["cursor"][0]
    place = json.loads(urlsafe_b64decode(ours + "=" * (-len(ours) % 4)))

    assert (place["s"], place["b"], place["v"][-1]) == (sort, False, str(first.pk))
    forged = api.get(f"/api/v1/tasks/?page_size=1&sort={sort}&cursor={cursor(place)}").json()
    assert [task["id"] for task in forged["results"]] == [str(last.pk)]
