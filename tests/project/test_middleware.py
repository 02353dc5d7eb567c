"""What every request meets on its way in and every answer on its way out."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from apps.accounts.models import User
from apps.tasks.models import Task
from tests.support.factories import facts, person
from todo_project.logs import line_formatter
from todo_project.middleware import UNREADABLE_HEADERS, RequestLimits

pytestmark = pytest.mark.django_db

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def owner() -> User:
    return person("ada")


@pytest.fixture
def browser(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def request_lines() -> Iterator[StringIO]:
    """What the loggers of requests write, as JSON lines."""
    stream = StringIO()
    sink = logging.StreamHandler(stream)
    sink.setFormatter(line_formatter(role="web", format="json"))
    logger = logging.getLogger("django_structlog")
    logger.addHandler(sink)
    logger.setLevel("INFO")
    yield stream
    logger.removeHandler(sink)
    logger.setLevel("NOTSET")


def lines(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_the_callers_correlation_and_trace_reach_the_answer_and_the_event(browser: Client) -> None:
    response = browser.post(
        "/api/v1/tasks/",
        {"title": "Buy milk"},
        content_type="application/json",
        headers={"X-Correlation-ID": "order-66", "traceparent": TRACEPARENT},
    )

    event = facts().get()
    assert response.headers["X-Correlation-ID"] == "order-66"
    assert (event.correlation_id, event.traceparent) == ("order-66", TRACEPARENT)


@pytest.mark.parametrize("offered", ["two words", "x" * 129, "line\tbreak", ""])
def test_a_correlation_id_that_is_not_plain_is_replaced(browser: Client, offered: str) -> None:
    response = browser.get("/health/live/", headers={"X-Correlation-ID": offered})

    assert response.headers["X-Correlation-ID"] != offered
    assert len(response.headers["X-Correlation-ID"]) == 36


@pytest.mark.parametrize(
    ("address", "status"),
    [("/nothing/", 404), ("/api/v1/tasks/?x=%00", 400), ("/api/v1/nothing/", 404), ("/admin/", 302)],
)
def test_refusals_and_redirects_carry_the_correlation_id_too(browser: Client, address: str, status: int) -> None:
    response = browser.get(address, headers={"X-Correlation-ID": "order-66"})

    assert (response.status_code, response.headers["X-Correlation-ID"]) == (status, "order-66")


def test_a_host_that_is_not_ours_is_refused_with_a_correlation_id(browser: Client) -> None:
    response = browser.get("/", headers={"Host": "evil.example", "X-Correlation-ID": "order-66"})

    assert (response.status_code, response.headers["X-Correlation-ID"]) == (400, "order-66")


@pytest.mark.parametrize("address", ["/api/v1/tasks", "/api/v1/tasks/"])
def test_a_post_works_with_and_without_its_trailing_slash(browser: Client, address: str) -> None:
    response = browser.post(address, {"title": "Buy milk"}, content_type="application/json")

    assert response.status_code == 201
    assert Task.objects.get().title == "Buy milk"


def test_a_verb_works_without_its_trailing_slash(browser: Client) -> None:
    created = browser.post("/api/v1/tasks", {"title": "Buy milk"}, content_type="application/json").json()

    response = browser.post(f"/api/v1/tasks/{created['id']}/complete")

    assert (response.status_code, response.json()["status"]) == (200, "completed")


@pytest.mark.parametrize(
    "address", ["/sign-in", "/health", "/health/live", "/health/ready", "/api/schema", "/api/docs"]
)
def test_every_door_opens_without_its_trailing_slash(address: str) -> None:
    assert Client().get(address).status_code == 200


def test_the_query_survives_a_missing_slash(browser: Client) -> None:
    assert browser.get("/api/v1/tasks?page_size=1&status=nonsense").status_code == 400


@pytest.mark.parametrize("address", ["/", "/sign-in/", "/nothing/", "/health/"])
def test_our_pages_allow_neither_inline_scripts_nor_inline_styles(address: str) -> None:
    policy = Client().get(address).headers["Content-Security-Policy"]

    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


@pytest.mark.parametrize("address", ["/admin/login/", "/api/v1/", "/api/docs/"])
def test_the_pages_of_libraries_allow_inline_styles_but_no_inline_script(address: str) -> None:
    policy = Client().get(address).headers["Content-Security-Policy"]

    assert "script-src 'self';" in policy
    assert "style-src 'self' 'unsafe-inline';" in policy


@pytest.mark.parametrize("address", ["/", "/sign-in/", "/admin/login/", "/api/v1/tasks/", "/api/docs/"])
def test_no_page_has_an_inline_script_or_loads_from_elsewhere(browser: Client, address: str) -> None:
    page = browser.get(address, headers={"Accept": "text/html"}, follow=True).content.decode()

    scripts = [part.split(">")[0] for part in page.split("<script")[1:]]
    assert [tag for tag in scripts if "src=" not in tag and 'type="application/json"' not in tag] == []
    assert "onclick=" not in page
    assert 'src="http' not in page
    assert 'href="http' not in page.replace('href="http://testserver/', "")


def never_reached(request: HttpRequest) -> HttpResponse:
    raise AssertionError


def test_a_body_of_unknown_length_is_refused() -> None:
    request = RequestFactory().post("/api/v1/tasks/", headers={"Transfer-Encoding": "chunked"})
    request.META.pop("CONTENT_LENGTH")

    assert RequestLimits(never_reached)(request).status_code == 411


def test_a_request_leaves_one_line_with_who_what_and_how_long(
    browser: Client, owner: User, request_lines: StringIO
) -> None:
    browser.get("/api/v1/tasks/?token=swordfish", headers={"X-Correlation-ID": "order-66"})

    (line,) = lines(request_lines)
    assert (line["event"], line["level"], line["code"]) == ("request_finished", "info", 400)
    assert line["request"] == "GET /api/v1/tasks/?token=[hidden]"
    assert line["user_id"] == str(owner.pk)
    assert line["correlation_id"] == "order-66"
    assert 0 < line["duration_ms"] < 10_000


def test_healthy_probes_leave_no_line(request_lines: StringIO) -> None:
    Client().get("/health/live/")

    assert lines(request_lines) == []


@pytest.mark.urls("tests.project.troubled_urls")
def test_a_fault_leaves_one_line_with_its_traceback(request_lines: StringIO) -> None:
    Client(raise_request_exception=False).get("/trouble/failing/", headers={"X-Correlation-ID": "order-66"})

    (line,) = lines(request_lines)
    assert (line["event"], line["level"]) == ("request_failed", "error")
    assert line["correlation_id"] == "order-66"
    assert line["exception"].endswith("RuntimeError: the password is swordfish")


def test_a_request_with_a_header_nobody_could_read_is_refused() -> None:
    request = RequestFactory().post("/api/v1/tasks/")
    request.META[UNREADABLE_HEADERS] = ["if-match"]

    response = RequestLimits(never_reached)(request)

    assert response.status_code == 400
    assert b"if-match" in response.content  # type: ignore[attr-defined]
