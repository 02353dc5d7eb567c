"""The OpenAPI document beyond what views say of themselves: the answers that operations have in common.

Invariant: every operation names each status it can answer with; every refusal is a `Problem` with an example that
`todo_project.problems` made; every answer names the headers it carries.
"""

from copy import deepcopy
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.openapi import AutoSchema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from apps.events import context
from todo_project import problems
from todo_project.middleware import CORRELATION_HEADER

Document = dict[str, Any]

# The example of a correlation id: the document is the same each time it is made.
_CAUSE = context.Cause(
    "019aa1c4-5b0e-7a52-8f0d-3c6f2f9b7d11", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

TAGS = {
    "tasks": "What a person has to do. Every change is one event; verbs such as complete have addresses of their own.",
    "lists": "Lists of tasks.",
    "tags": "Tags on tasks.",
    "recurrence": "How tasks repeat: series, their occurrences, and previews of what a recurrence would do.",
    "reminders": "When a person is reminded of a task, and what became of it.",
    "notifications": "What a person was told, how it went out, why, and how they want to be told.",
    "webhooks": "Addresses of other systems, and browsers, that are told what a person is told.",
    "audit": "What happened, as it happened, for good.",
    "accounts": "Who you are, and how programs and sockets sign in as you.",
    "health": "Whether the platform runs, for probes and people.",
}

_HEADERS: Document = {
    CORRELATION_HEADER: {
        "description": "Names this request in logs and events: the caller's own of that name, or a new one.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "Retry-After": {
        "description": "How many seconds to wait before the next try.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {
        "description": "How to sign in.",
        "schema": {"type": "string"},
    },
}
_HEADERS_OF_STATUS = {"401": ["WWW-Authenticate"], "429": ["Retry-After"], "503": ["Retry-After"]}

_PROBLEM: Document = {
    "type": "object",
    "description": "Why a request was refused or failed (RFC 9457). A refusal may bring further members along.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "`about:blank`: see `code`."},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What was wrong and what to do."},
        "instance": {"type": "string", "format": "uri-reference", "description": "The address that was asked."},
        "code": {"type": "string", "description": "Tells problems of one status apart."},
        "correlation_id": {"type": "string", "description": "Name it when you ask us about this."},
        "errors": {
            "type": "array",
            "description": "One entry per wrong value.",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "description": "Its path, dots between; empty for the whole."},
                    "pointer": {
                        "type": "string",
                        "description": "Where it stands in the body: a JSON Pointer as URI fragment.",
                    },
                    "parameter": {"type": "string", "description": "The parameter of the address it is."},
                    "detail": {"type": "string", "description": "What was wrong and what to do."},
                    "code": {"type": "string"},
                    "part": {"type": "string", "description": "Of a recurrence rule: the part to correct."},
                    "span": {
                        "type": "array",
                        "description": "Of words: where those to correct start and end in what was sent.",
                        "items": {"type": "integer", "minimum": 0},
                        "minItems": 2,
                        "maxItems": 2,
                    },
                },
                "required": ["field", "detail", "code"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "instance", "code", "correlation_id"],
    "additionalProperties": True,
}

_DRY_RUN: Document = {
    "type": "object",
    "description": "What `dry_run=true` answers in place of the usual: nothing was changed.",
    "properties": {
        "dry_run": {"type": "boolean", "const": True},
        "events": {
            "type": "array",
            "description": "The events that there would be, in order.",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"type": "string", "examples": ["task.created.v1"]},
                    "subject_type": {"type": "string"},
                    "subject_id": {"type": "string", "format": "uuid"},
                    "version": {"type": ["integer", "null"]},
                    "data": {"type": "object", "additionalProperties": True},
                },
                "required": ["type", "subject_type", "subject_id", "version", "data"],
            },
        },
    },
    "required": ["dry_run", "events"],
}

# How drf-spectacular names the session's scheme.
_SESSION = "cookieAuth"
_STATE = {"type": "string", "enum": ["ok", "degraded", "down"]}
_HEALTH_PATHS = {
    "/health/": ("health", "How each thing the platform stands on is doing", True),
    "/health/live/": ("health_live", "Whether the process answers, for liveness probes", False),
    "/health/ready/": ("health_ready", "Whether changes can be taken, for readiness probes", False),
}


class NamedByVerb(AutoSchema):
    """Names the operation of `…/complete/` `tasks_complete`, where `tasks_complete_create` would be no English."""

    def get_operation_id(self) -> str:
        words = [word.replace("-", "_") for word in self._tokenize_path()]
        action = getattr(self.view, "action", None)
        if self.method == "POST" and words and words[-1] == action:
            return "_".join(words)
        return str(super().get_operation_id())


def complete(result: Document, **_: Any) -> Document:
    """drf-spectacular's hook: adds the answers, headers and tags that views need not repeat."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {}).update(Problem=deepcopy(_PROBLEM), DryRun=deepcopy(_DRY_RUN))
    components["headers"] = deepcopy(_HEADERS)
    components["responses"] = _refusals()
    if session := components.get("securitySchemes", {}).get(_SESSION):
        session["description"] = "The session of the web app. Changes need the CSRF token too, in `X-CSRFToken`."
    result["paths"] |= {path: {"get": _health(*told)} for path, told in _HEALTH_PATHS.items()}
    for path, operations in result["paths"].items():
        for operation in operations.values():
            names_things = _names_things(operation, schemas=components["schemas"])
            _complete_operation(operation, path=path, names_things=names_things)
    used = {tag for operations in result["paths"].values() for one in operations.values() for tag in one["tags"]}
    result["tags"] = [{"name": name, "description": told} for name, told in TAGS.items() if name in used]
    return result


def _names_things(operation: Document, *, schemas: Document) -> bool:
    """Whether the body names things by their ids, which may not be there."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    fields = schemas.get(body.get("$ref", "").rpartition("/")[2], body).get("properties", {})
    return any("uuid" in {field.get("format"), field.get("items", {}).get("format")} for field in fields.values())


def _complete_operation(operation: Document, *, path: str, names_things: bool) -> None:
    answers = operation["responses"]
    if any(parameter["name"] == "dry_run" for parameter in operation.get("parameters", [])):
        _add_dry_run(answers)
    for status in _statuses(operation, path=path, names_things=names_things):
        common = {"$ref": f"#/components/responses/{NAMES[status]}"}
        told = answers.get(status)
        if told is None:
            answers[status] = common
        elif "content" not in told:
            answers[status] = {**_refusal(status), **told}
    for status, answer in answers.items():
        if "$ref" in answer:
            continue
        if status >= "400":
            answer.setdefault("content", _problem_content())
        answer["description"] = answer.get("description") or _DESCRIPTIONS.get(status, "Done.")
        answer.setdefault("headers", {}).update(_headers(status))
    operation["responses"] = dict(sorted(answers.items()))


def _add_dry_run(answers: Document) -> None:
    answer = answers.setdefault("200", {"description": "What would be, for `dry_run=true`."})
    content = answer.setdefault("content", {}).setdefault("application/json", {})
    tried = {"$ref": "#/components/schemas/DryRun"}
    content["schema"] = {"anyOf": [content["schema"], tried]} if "schema" in content else tried


def _statuses(operation: Document, *, path: str, names_things: bool) -> list[str]:
    """The refusals an operation shares with others of its kind."""
    parameters = operation.get("parameters", [])
    # `{}` among the ways to sign in is the way of not signing in.
    signed_in = bool(operation.get("security")) and {} not in operation["security"]
    has_body = "requestBody" in operation
    possible = {
        "400": has_body or bool(parameters),
        # What takes a body from people who have not signed in takes credentials.
        "401": signed_in or has_body,
        "403": signed_in,
        "404": names_things or any(parameter["in"] == "path" for parameter in parameters),
        "413": has_body,
        "415": has_body,
        "429": path.startswith(problems.API_PREFIX),
        "503": True,
    }
    return [status for status, can_be in possible.items() if can_be]


NAMES = {
    "400": "InvalidRequest",
    "401": "SignInNeeded",
    "403": "NotAllowed",
    "404": "NothingThere",
    "413": "RequestTooLarge",
    "415": "NotJSON",
    "429": "TooManyRequests",
    "503": "TooBusy",
}
_DESCRIPTIONS = {
    "200": "Here it is.",
    "201": "Made.",
    "202": "Accepted; done soon.",
    "204": "Done; there is nothing to show.",
    "400": "The request cannot be understood, or `errors` names what in it to correct.",
    "401": "Nobody is signed in, or what was given to sign in is not valid (any more).",
    "403": "Signed in, but not allowed: a token without that scope, or a session without its CSRF token.",
    "404": "There is nothing at this address, or no such thing as the body names, or it is not yours.",
    "413": "The body is larger than a request may have.",
    "415": "The body is of a media type that is not read here.",
    "429": "Too many requests in a short time.",
    "503": "The database is too busy or away. Nothing was changed; try again.",
}


def _refusals() -> Document:
    return {name: _refusal(status) for status, name in NAMES.items()}


def _refusal(status: str) -> Document:
    return {
        "description": _DESCRIPTIONS[status],
        "headers": _headers(status),
        "content": _problem_content(example=_example(status)),
    }


def _headers(status: str) -> Document:
    names = [CORRELATION_HEADER, *_HEADERS_OF_STATUS.get(status, [])]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem_content(*, example: Document | None = None) -> Document:
    content: Document = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if example is not None:
        content["examples"] = {example["code"]: {"value": example}}
    return {problems.CONTENT_TYPE: content}


def _example(status: str) -> Document:
    """What the refusal of that status really looks like."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    refusal: exceptions.APIException = {
        "400": exceptions.ValidationError({"title": ["This field may not be blank."]}, code="blank"),
        "401": exceptions.NotAuthenticated(),
        "403": exceptions.PermissionDenied(),
        "404": exceptions.NotFound(),
        "413": problems.RequestTooLarge(problems.too_large(limit)),
        "415": exceptions.UnsupportedMediaType("text/csv"),
        "429": exceptions.Throttled(wait=30),
        "503": problems.TemporarilyUnavailable(wait=problems.LOCK_RETRY_SECONDS),
    }[status]
    request = HttpRequest()
    request.method, request.path = "POST", "/api/v1/tasks/"
    with context.caused_by(_CAUSE):
        response = problems.exception_handler(refusal, {"request": Request(request)})
    assert isinstance(response, Response)
    return dict(response.data)


def _health(operation_id: str, summary: str, with_checks: bool) -> Document:
    """The health views know nothing of REST framework, so they are described here."""
    schema: Document = {"type": "object", "properties": {"status": _STATE}, "required": ["status"]}
    if with_checks:
        schema["properties"]["checks"] = {
            "type": "object",
            "description": "Each thing by its name; staff see details.",
            "additionalProperties": {"type": "object", "properties": {"status": _STATE}, "required": ["status"]},
        }
        schema["required"].append("checks")
    answer = {"application/json": {"schema": schema}}
    return {
        "operationId": operation_id,
        "summary": summary,
        "tags": ["health"],
        "security": [],
        "responses": {
            "200": {"description": "It runs.", "content": deepcopy(answer)},
            "503": {"description": "PostgreSQL is away.", "content": deepcopy(answer)},
        },
    }
