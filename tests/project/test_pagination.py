"""Pages by cursor over the real list of tasks."""

from base64 import b64encode

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


def cursor(text: str) -> str:
    return b64encode(text.encode()).decode()


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


@pytest.mark.parametrize("size", ["0", "101", "-1", "many", "1e1", "٣", ""])
def test_a_page_of_no_possible_size_is_refused(api: APIClient, size: str) -> None:
    response = api.get(f"/api/v1/tasks/?page_size={size}")

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["page_size"]


@pytest.mark.parametrize(
    "foreign",
    ["nonsense", "%F0%9F%98%80", cursor("p=not-a-uuid"), cursor("p=a%00b"), cursor("o=-1"), cursor("r=x")],
)
@pytest.mark.parametrize("address", ["/api/v1/tasks/", "/api/v1/audit/"])
def test_a_cursor_that_is_not_ours_is_refused(api: APIClient, address: str, foreign: str) -> None:
    response = api.get(f"{address}?cursor={foreign}")

    assert response.status_code == 400
    assert response.json()["errors"] == [
        {
            "field": "cursor",
            "parameter": "cursor",
            "detail": "Not a cursor of this list; take one from `next` or `previous`.",
            "code": "invalid",
        }
    ]
