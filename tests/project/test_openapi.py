"""The OpenAPI document: what it must tell of every operation, whatever routes there are."""

import re
from typing import Any

import jsonschema_rs
import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from todo_project import openapi, problems

Operation = tuple[str, str, dict[str, Any]]


def document() -> dict[str, Any]:
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


DOCUMENT = document()
OPERATIONS: list[Operation] = [
    (method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
every_operation = pytest.mark.parametrize(
    ("path", "operation"), [pytest.param(path, one, id=f"{method} {path}") for method, path, one in OPERATIONS]
)


def answers(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        status: DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        for status, answer in operation["responses"].items()
    }


def inner_parts(part: Any) -> list[dict[str, Any]]:
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
    return [*([part] if isinstance(part, dict) else []), *(one for each in inner for one in inner_parts(each))]


def needs_sign_in(operation: dict[str, Any]) -> bool:
    return bool(operation.get("security")) and {} not in operation["security"]


def test_the_document_is_valid_openapi_3_1():
    validate_schema(DOCUMENT)

    assert DOCUMENT["openapi"] == "3.1.0"


def test_the_document_is_the_same_each_time_it_is_made():
    assert document() == DOCUMENT


def test_no_address_of_a_machine_stands_in_it():
    assert [server["url"] for server in DOCUMENT["servers"]] == ["/"]


def test_operation_ids_are_unique_words():
    ids = [one["operationId"] for _, _, one in OPERATIONS]

    assert [name for name in ids if not re.fullmatch("[a-z][a-z0-9_]*", name)] == []
    assert sorted(set(ids)) == sorted(ids)


def test_a_verb_is_the_name_of_its_operation():
    ids = {one["operationId"] for _, path, one in OPERATIONS if "/tasks/" in path}

    assert {"tasks_list", "tasks_create", "tasks_complete", "tasks_reopen", "tasks_restore"} <= ids


def test_every_tag_in_use_is_described_and_no_other():
    used = {tag for _, _, one in OPERATIONS for tag in one["tags"]}

    assert {tag["name"] for tag in DOCUMENT["tags"]} == used
    assert [tag for tag in DOCUMENT["tags"] if not tag["description"].endswith(".")] == []


@every_operation
def test_an_operation_has_a_summary_and_each_answer_a_description(path, operation):
    assert operation["summary"]
    assert [status for status, answer in answers(operation).items() if not answer["description"]] == []


@every_operation
def test_an_operation_names_the_refusals_it_shares_with_others(path, operation):
    has_body, parameters = "requestBody" in operation, operation.get("parameters", [])
    shared = {
        "400": has_body or bool(parameters),
        "401": needs_sign_in(operation) or has_body,
        "403": needs_sign_in(operation),
        "404": "{" in path,
        "413": has_body,
        "415": has_body,
        "429": path.startswith("/api/"),
        "503": True,
    }

    assert {status for status, can_be in shared.items() if can_be} - set(operation["responses"]) == set()
    assert "405" not in operation["responses"]


@every_operation
def test_every_refusal_under_api_is_a_problem(path, operation):
    refusals = [answer for status, answer in answers(operation).items() if status >= "400" and path.startswith("/api/")]

    schemas = [list(answer["content"].items()) for answer in refusals]
    assert [told[0][0] for told in schemas] == [problems.CONTENT_TYPE] * len(refusals)
    assert [told[0][1]["schema"] for told in schemas] == [{"$ref": "#/components/schemas/Problem"}] * len(refusals)


@every_operation
def test_every_answer_names_its_headers(path, operation):
    named = {status: set(answer["headers"]) for status, answer in answers(operation).items()}
    due = {"401": {"WWW-Authenticate"}, "429": {"Retry-After"}, "503": {"Retry-After"}}

    missing = {status: ({"X-Correlation-ID"} | due.get(status, set())) - names for status, names in named.items()}
    assert missing == {status: set() for status in named}


def test_a_body_that_names_things_by_id_may_name_what_is_not_there():
    answers_of = {one["operationId"]: one["responses"] for _, _, one in OPERATIONS}

    assert "404" in answers_of["tasks_create"]
    assert "404" not in answers_of["lists_create"]


def test_no_alternative_is_told_twice():
    told = [part[name] for part in inner_parts(DOCUMENT) for name in ("oneOf", "type") if name in part]
    alternatives = [one for one in told if isinstance(one, list)]

    assert alternatives != []
    assert [one for one in alternatives if any(one.count(each) > 1 for each in one)] == []


def test_a_preview_is_here_at_once_and_makes_nothing():
    answers_of = {one["operationId"]: answers(one) for _, _, one in OPERATIONS}

    told = {status: one["description"] for status, one in answers_of["recurrence_preview"].items() if status < "400"}
    assert told == {"200": "Here it is."}


def test_every_recurrence_has_an_example_that_is_one():
    fields = [
        schema["properties"]["recurrence"]
        for schema in DOCUMENT["components"]["schemas"].values()
        if "recurrence" in schema.get("properties", {})
    ]
    asked = [
        parameter
        for method, path, one in OPERATIONS
        for parameter in one.get("parameters", [])
        if path.endswith("/preview/") and parameter["name"] == "recurrence"
    ]

    assert {field["example"]["rule"] for field in fields} == {"FREQ=WEEKLY;BYDAY=MO,TH"}
    assert [[one["value"] for one in parameter["examples"].values()] for parameter in asked] == [
        ["every month on the last day", "FREQ=MONTHLY;BYDAY=-1FR"]
    ]


@pytest.mark.parametrize("name", DOCUMENT["components"]["responses"])
def test_the_example_of_a_refusal_is_a_problem_of_that_status(name):
    (content,) = DOCUMENT["components"]["responses"][name]["content"].values()
    ((code, example),) = content["examples"].items()

    jsonschema_rs.validate(DOCUMENT["components"]["schemas"]["Problem"], example["value"])
    assert example["value"]["code"] == code
    assert name == openapi.NAMES[str(example["value"]["status"])]


def test_a_wrong_field_is_told_by_its_pointer_in_the_example():
    (content,) = DOCUMENT["components"]["responses"]["InvalidRequest"]["content"].values()

    assert content["examples"]["blank"]["value"]["errors"] == [
        {"field": "title", "pointer": "#/title", "detail": "This field may not be blank.", "code": "blank"}
    ]


def test_bodies_are_json():
    types = {media_type for _, _, one in OPERATIONS for media_type in one.get("requestBody", {}).get("content", {})}

    assert types == {"application/json"}


def test_a_change_that_can_be_tried_says_what_trying_it_answers():
    tried = {"$ref": "#/components/schemas/DryRun"}
    answers_of = {one["operationId"]: one["responses"] for _, _, one in OPERATIONS}

    assert answers_of["tasks_create"]["200"]["content"]["application/json"]["schema"] == tried
    assert answers_of["tasks_destroy"]["200"]["content"]["application/json"]["schema"] == tried
    assert answers_of["tasks_update"]["200"]["content"]["application/json"]["schema"] == {
        "anyOf": [{"$ref": "#/components/schemas/Task"}, tried]
    }


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "status"), [("/health/live/", 200), ("/health/ready/", 200)])
def test_health_answers_as_described(path, status):
    response = Client().get(path)

    schema = DOCUMENT["paths"][path]["get"]["responses"][str(status)]["content"]["application/json"]["schema"]
    assert response.status_code == status
    jsonschema_rs.validate(schema, response.json())


@pytest.mark.django_db
def test_the_document_is_served_to_everybody_without_warnings():
    response = Client().get("/api/schema/", {"format": "json"})

    assert response.status_code == 200
    assert response.json()["paths"].keys() == DOCUMENT["paths"].keys()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path"),
    [pytest.param(method, path, id=f"{method} {path}") for method, path, one in OPERATIONS if needs_sign_in(one)],
)
def test_who_has_not_signed_in_is_refused_as_described(method, path):
    address = re.sub(r"\{\w+\}", "01a1fe35-99ec-75be-9701-5859b3d76e9e", path.replace("{id}", "1"))

    response = Client().generic(method.upper(), address, "{}", content_type="application/json")

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"]
    assert response.headers["Content-Type"] == problems.CONTENT_TYPE
    jsonschema_rs.validate(DOCUMENT["components"]["schemas"]["Problem"], response.json())
