"""Every refusal and failure under /api/ is an RFC 9457 problem; elsewhere it is a page."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.tasks.models import Task
from tests.support.factories import person, task_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.project.troubled_urls")]

PROBLEM = "application/problem+json"


@pytest.fixture
def owner() -> User:
    return person("ada")


@pytest.fixture
def api(owner: User) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_login(owner)
    return client


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def reconnected() -> Iterator[None]:
    """A test that loses its connection leaves the next one a working one."""
    yield
    connection.close()


def told(response: HttpResponse, *, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["Content-Type"] == PROBLEM
    problem: dict[str, Any] = response.json()  # type: ignore[attr-defined]
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["correlation_id"] == response.headers["X-Correlation-ID"]
    return problem


def test_a_wrong_field_is_named_with_pointer_reason_and_code(api: APIClient) -> None:
    response = api.post("/api/v1/tasks/", {"title": "", "priority": "enormous"})

    problem = told(response, status=400)
    assert problem["title"] == "Bad Request"
    assert problem["code"] == "invalid"
    assert problem["instance"] == "/api/v1/tasks/"
    assert problem["detail"] == "Correct what `errors` names and send the request again."
    assert problem["errors"] == [
        {"field": "title", "pointer": "#/title", "detail": "This field may not be blank.", "code": "blank"},
        {
            "field": "priority",
            "pointer": "#/priority",
            "detail": "enormous is none of: none, low, medium, high, urgent.",
            "code": "invalid_choice",
        },
    ]
    assert Task.objects.count() == 0


def test_a_mistake_inside_of_a_rule_is_named_by_its_part(api: APIClient) -> None:
    asked = {"title": "Water", "due_on": "2030-05-03", "recurrence": "FREQ=WEEKLY;BYMONTHDAY=3"}

    problem = told(api.post("/api/v1/tasks/", asked), status=400)

    assert problem["errors"] == [
        {
            "field": "recurrence.rule",
            "pointer": "#/recurrence/rule",
            "detail": "BYMONTHDAY does not go with FREQ=WEEKLY.",
            "code": "invalid",
            "part": "BYMONTHDAY",
        }
    ]
    assert Task.objects.count() == 0


def test_a_mistake_inside_of_words_is_named_by_its_span(api: APIClient) -> None:
    words = "every blue moon"

    problem = told(api.post("/api/v1/tasks/", {"title": "Water", "recurrence": words}), status=400)

    assert [(error["field"], error["span"]) for error in problem["errors"]] == [("recurrence.rule", [6, 10])]
    assert Task.objects.count() == 0


def test_one_wrong_field_gives_the_problem_its_code(api: APIClient) -> None:
    assert told(api.post("/api/v1/tasks/", {}), status=400)["code"] == "required"


def test_a_wrong_filter_is_named_as_a_parameter(api: APIClient) -> None:
    problem = told(api.get("/api/v1/tasks/?priority=enormous"), status=400)

    assert [(error["field"], error["parameter"]) for error in problem["errors"]] == [("priority", "priority")]


def test_someone_elses_task_is_told_as_missing(api: APIClient) -> None:
    task = task_of(person("grace"))

    problem = told(api.get(f"/api/v1/tasks/{task.pk}/"), status=404)

    assert problem["code"] == "not_found"
    assert problem["detail"] == "There is nothing at this address, or it is not yours."


def test_an_unknown_api_address_is_a_problem(api: APIClient) -> None:
    assert told(api.get("/api/v1/nothing/"), status=404)["code"] == "not_found"


def test_an_unknown_page_is_a_page(browser: Client) -> None:
    response = browser.get("/nothing/")

    assert response.status_code == 404
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["X-Correlation-ID"] in response.content.decode()


def test_a_method_the_address_does_not_know_is_a_problem(api: APIClient) -> None:
    response = api.put("/api/v1/tasks/")

    assert told(response, status=405)["code"] == "method_not_allowed"
    assert response.headers["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_an_anonymous_caller_is_told_to_sign_in() -> None:
    response = APIClient().get("/api/v1/tasks/")
    problem = told(response, status=401)

    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert problem["code"] == "not_authenticated"
    assert problem["detail"] == (
        "Sign in first: send `Authorization: Bearer <token>` (POST /api/v1/auth/token/ gives one), or use /sign-in/."
    )


def test_a_session_without_its_csrf_token_changes_nothing(owner: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(owner)

    problem = told(client.post("/api/v1/tasks/", {"title": "Forged"}), status=403)

    assert problem["code"] == "permission_denied"
    assert problem["detail"].startswith("CSRF Failed: ")
    assert Task.objects.count() == 0


def test_a_form_from_elsewhere_gets_a_page() -> None:
    response = Client(enforce_csrf_checks=True).post("/sign-in/", {"username": "ada", "password": "x"})

    assert response.status_code == 403
    assert "The form has expired or comes from another site." in response.content.decode()


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ('{"title": ', "JSON parse error - Expecting value: line 1 column 11 (char 10)"),
        ('["title"]', 'The body must be a JSON object, such as {"title": "Buy milk"}.'),
        ("7", 'The body must be a JSON object, such as {"title": "Buy milk"}.'),
        ("null", 'The body must be a JSON object, such as {"title": "Buy milk"}.'),
        ("[" * 100_000, "The JSON is nested too deeply."),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(api: APIClient, body: str, detail: str) -> None:
    response = api.post("/api/v1/tasks/", body, content_type="application/json")

    problem = told(response, status=400)
    assert problem["code"] == "parse_error"
    assert problem["detail"] == detail
    assert Task.objects.count() == 0


def test_bytes_that_are_no_text_are_refused(api: APIClient) -> None:
    response = api.post("/api/v1/tasks/", b'{"title": "\xff"}', content_type="application/json")

    assert told(response, status=400)["code"] == "parse_error"


def test_text_that_postgresql_cannot_keep_is_refused(api: APIClient) -> None:
    response = api.post("/api/v1/tasks/", r'{"title": "nul \u0000 within"}', content_type="application/json")

    problem = told(response, status=400)

    assert [error["field"] for error in problem["errors"]] == ["title"]
    assert Task.objects.count() == 0


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("tasks/", r'{"title": "half a pair \ud800"}'),
        ("tasks/", r'{"title": "a", "\ud800": 1}'),
        ("tasks/", r'{"title": "a", "priority": "\udfff"}'),
        ("tasks/", r'{"title": "a", "recurrence": {"rule": "daily", "\ud800": "x"}}'),
        ("tasks/bulk/", r'{"action": "\ud800", "tasks": []}'),
        ("auth/token/", r'{"username": "a", "password": "x", "\ud800": 1}'),
    ],
)
def test_half_a_character_is_refused_before_anybody_repeats_it(api: APIClient, address: str, body: str) -> None:
    problem = told(api.post(f"/api/v1/{address}", body, content_type="application/json"), status=400)

    assert (problem["code"], problem["detail"]) == ("parse_error", "Half of a surrogate pair is no character.")
    assert Task.objects.count() == 0


@pytest.mark.parametrize("address", ["/api/v1/tasks/?status=a%00b", "/api/v1/audit/?type=a%00b", "/api/v1/%00/"])
def test_a_nul_in_the_address_is_refused(api: APIClient, address: str) -> None:
    assert told(api.get(address), status=400)["detail"] == "The address contains a NUL character."


def test_a_body_of_a_foreign_type_is_refused(api: APIClient) -> None:
    problem = told(api.post("/api/v1/tasks/", "<a/>", content_type="text/xml"), status=415)

    assert problem["code"] == "unsupported_media_type"


def test_an_answer_nobody_can_give_is_refused(api: APIClient) -> None:
    assert told(api.get("/api/v1/tasks/", headers={"Accept": "image/png"}), status=406)["code"] == "not_acceptable"


def test_a_body_beyond_the_limit_is_refused_unread(api: APIClient) -> None:
    response = api.post("/api/v1/tasks/", {"title": "Long", "description": "x" * 1024 * 1024})

    problem = told(response, status=413)
    assert problem["detail"] == "The body is larger than the 1,048,576 bytes a request may have."
    assert Task.objects.count() == 0


def test_a_throttled_caller_is_told_how_long_to_wait(api: APIClient) -> None:
    response = api.get("/api/v1/trouble/throttled/")

    assert told(response, status=429)["code"] == "throttled"
    assert response.headers["Retry-After"] == "13"


def test_a_refusal_brings_its_own_members_along(api: APIClient) -> None:
    problem = told(api.get("/api/v1/trouble/stale/"), status=412)

    assert (problem["code"], problem["current"]) == ("stale", {"version": 3})


def test_a_fault_of_ours_is_a_problem_that_tells_nothing_of_our_insides(api: APIClient) -> None:
    response = api.get("/api/v1/trouble/failing/")

    problem = told(response, status=500)
    assert problem["detail"] == "This is our fault. Nothing was changed; tell us the correlation id."
    assert "swordfish" not in response.content.decode()


def test_a_fault_of_ours_on_a_page_is_a_page(browser: Client) -> None:
    response = browser.get("/trouble/failing/")

    assert response.status_code == 500
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "swordfish" not in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_task_locked_by_another_is_told_to_come_back_soon(api: APIClient, owner: User) -> None:
    task = task_of(owner)
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        other.execute("SELECT 1 FROM tasks_task WHERE id = %s FOR UPDATE", [task.pk])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")

        response = api.post(f"/api/v1/tasks/{task.pk}/complete/")

    connection.close()
    assert told(response, status=503)["code"] == "temporarily_unavailable"
    assert response.headers["Retry-After"] == "1"
    task.refresh_from_db()
    assert (task.status, task.version) == ("pending", 1)


@pytest.mark.django_db(transaction=True)
def test_a_lost_database_under_the_api_is_told_to_come_back_later(api: APIClient, reconnected: None) -> None:
    response = api.get("/api/v1/trouble/disconnected/")

    problem = told(response, status=503)
    assert problem["detail"] == "Too busy to do this just now. Nothing was changed; try again."
    assert response.headers["Retry-After"] == "5"


@pytest.mark.django_db(transaction=True)
def test_a_lost_database_under_a_page_is_told_to_come_back_later(browser: Client, reconnected: None) -> None:
    response = browser.get("/trouble/disconnected/")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"


def test_the_browsable_api_shows_a_problem_as_a_page_and_keeps_what_was_typed(api: APIClient) -> None:
    response = api.post(
        "/api/v1/tasks/",
        {"title": "", "description": "With care"},
        format="multipart",
        headers={"Accept": "text/html"},
    )

    page = response.content.decode()
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<span class="help-block">This field may not be blank.</span>' in page
    assert "With care" in page
