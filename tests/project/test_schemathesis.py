"""The HTTP surface held to its own document: whatever is sent, every answer is one that the document names.

Everything runs inside the process, without randomness, signed in as a person who has some of everything.
"""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID
from zlib import crc32

import hypothesis
import pytest
import schemathesis
from django.conf import settings
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from schemathesis import Case, checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

from apps.accounts.models import User
from apps.recurrence.services import end_series, pause_series
from apps.tasks import services
from tests.support.factories import NOW, person, task_of
from tests.support.pump import fresh_pump
from todo_project.wsgi import application

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
# No chance leads to the right password, or to a token that only signing in gives.
ONLY_REFUSED = {"auth_token_create", "auth_refresh_create", "auth_logout_create"}
CSRF_TOKEN = "c" * 32

CONFIG = SchemathesisConfig.from_dict(
    {
        # Words found in the code would make other cases of each change of it.
        "analysis": {"constants": {"enabled": False}},
        "generation": {"deterministic": True, "max-examples": 25, "with-security-parameters": False},
        # Text of which only some is understood: without these hardly ever any would be.
        "dictionaries": {
            "times": {"values": ["tomorrow", "next_week"]},
            "zones": {"values": ["Europe/London"]},
            "rules": {"values": ["daily", "FREQ=MONTHLY;BYMONTHDAY=31"]},
        },
        "parameters": {
            "body.until": {"dictionary": "times", "probability": 0.5},
            "body.due_time_zone": {"dictionary": "zones", "probability": 0.5},
            "body.recurrence": {"dictionary": "rules", "probability": 0.5},
            "query.recurrence": {"dictionary": "rules", "probability": 0.8},
        },
        # What a method that is not named gets is another test's matter.
        "phases": {"coverage": {"unexpected-methods": []}},
    }
)


def loaded(document: dict[str, Any]) -> Any:
    schema = schemathesis.openapi.from_dict(document, config=CONFIG)
    schema.app = application
    return schema


document = loaded(SchemaGenerator().get_schema(request=None, public=True))


@pytest.fixture
def owner() -> User:
    """A person who has some of everything."""
    owner = person("ada")
    parent = task_of(owner, title="Move house", tags=["home"])
    # Several of each state: which of them a case is aimed at depends on their ids, and those are never the same.
    for done in (task_of(owner, parent=parent.pk), task_of(owner, title="Pack"), task_of(owner, title="Sign")):
        services.complete_task(task_id=done.pk, actor=owner, now=NOW)
    for gone in ("Sell the piano", "Sell the sofa"):
        services.delete_task(task_id=task_of(owner, title=gone).pk, actor=owner, now=NOW)
    for title in ("Call the landlord", "Buy boxes", "Tell friends"):
        task_of(owner, title=title)
    repeating = [task_of(owner, title=title, due_on=NOW.date(), recurrence="daily") for title in "abcdef"]
    services.create_list(owner=owner, actor=owner, name="Errands", now=NOW)
    with fresh_pump() as pump:
        pump.run()
    paused, also_paused, ended, *_ = [task.series_id for task in repeating if task.series_id]
    for series_id in (paused, also_paused):
        pause_series(series_id=series_id, actor=owner, now=NOW)
    end_series(series_id=ended, actor=owner, now=NOW)
    return owner


@pytest.fixture
def send(owner: User) -> Iterator[Callable[[Case], Any]]:
    """Sends a case as the owner, aimed at what there is; in the end some must have been answered with success."""
    browser = Client()
    browser.force_login(owner)
    cookies = {
        settings.SESSION_COOKIE_NAME: browser.cookies[settings.SESSION_COOKIE_NAME].value,
        settings.CSRF_COOKIE_NAME: CSRF_TOKEN,
    }
    browser.post("/api/v1/tokens/", {"name": "Backup", "scopes": ["read"]}, content_type="application/json")
    statuses: set[int] = set()

    def sent(case: Case) -> Any:
        for name, value in case.path_parameters.items():
            case.path_parameters[name] = _aimed(value, at=_ids(browser, case.path.partition("{")[0]), of=case)
        answer = case.call(headers={"X-CSRFToken": CSRF_TOKEN}, cookies=cookies)
        statuses.add(200 if case.operation.definition.raw["operationId"] in ONLY_REFUSED else answer.status_code)
        return answer

    yield sent
    assert min(statuses) < 300, "no case went through: the success of this operation was never looked at"


def _ids(browser: Client, collection: str) -> list[str]:
    """The ids of what a collection lists, also of what was deleted."""
    listed = [browser.get(collection), browser.get(collection, {"status": "deleted"})]
    pages = [answer.json() for answer in listed if answer.status_code == 200]
    return [str(one["id"]) for page in pages for one in page["results"]]


def _aimed(value: Any, *, at: list[str], of: Case) -> Any:
    """Mostly one of the ids: by the case, so that the same one is always aimed at the same place."""
    chance = crc32(repr((value, of.query, of.body)).encode())
    return at[chance // 8 % len(at)] if at and chance % 8 else value


@document.parametrize()
@hypothesis.settings(deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
def test_every_answer_is_one_that_the_document_names(case: Case, send: Callable[[Case], Any]) -> None:
    case.validate_response(send(case), checks=CHECKS)


@pytest.mark.parametrize("status", ["200", "404"])
def test_an_answer_that_the_document_leaves_out_is_noticed(owner: User, status: str) -> None:
    raw = SchemaGenerator().get_schema(request=None, public=True)
    path = "/api/v1/tasks/{task_id}/"
    del raw["paths"][path]["get"]["responses"][status]
    browser = Client()
    browser.force_login(owner)
    ids = {"404": str(UUID(int=0)), "200": _ids(browser, "/api/v1/tasks/")[0]}
    case = loaded(raw)[path]["GET"].Case(path_parameters={"task_id": ids[status]})
    cookies = {settings.SESSION_COOKIE_NAME: browser.cookies[settings.SESSION_COOKIE_NAME].value}

    answer = case.call(cookies=cookies)

    assert answer.status_code == int(status)
    with pytest.raises(FailureGroup, match="Undocumented status code"):
        case.validate_response(answer, checks=CHECKS)


def test_an_answer_of_another_shape_than_the_document_says_is_noticed(owner: User) -> None:
    raw = SchemaGenerator().get_schema(request=None, public=True)
    raw["components"]["schemas"]["Task"]["properties"]["version"]["type"] = "string"
    browser = Client()
    browser.force_login(owner)
    case = loaded(raw)["/api/v1/tasks/"]["GET"].Case()
    cookies = {settings.SESSION_COOKIE_NAME: browser.cookies[settings.SESSION_COOKIE_NAME].value}

    answer = case.call(cookies=cookies)

    assert answer.status_code == 200
    with pytest.raises(FailureGroup, match="Response violates schema"):
        case.validate_response(answer, checks=CHECKS)
