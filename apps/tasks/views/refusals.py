"""Why a service refused, as HTTP says it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, ErrorDetail, NotFound, ValidationError

from apps.events.errors import EventTooLarge
from apps.tasks import exceptions, idempotency

Shown = Callable[[Any], Any]


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class StaleWrite(APIException):
    """`current` is what the writer has not seen."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "stale"

    def __init__(self, detail: str, *, current: Any) -> None:
        super().__init__(detail)
        self.extra = {"current": current}


class Unprocessable(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "unprocessable"


class ContentTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "content_too_large"


class NamedThingNotFound(APIException):
    """Something the body names is not there, or not the caller's."""

    status_code = status.HTTP_404_NOT_FOUND
    default_code = "not_found"

    def __init__(self, field: str, told: str) -> None:
        super().__init__()
        self.detail = {field: [ErrorDetail(told, code="not_found")]}


# The first that fits; a refusal that is not named here is a conflict with how things are.
_PROBLEMS: list[tuple[type[Exception], Callable[[Any, Shown], APIException]]] = [
    (
        exceptions.NotFound,
        lambda reason, shown: NamedThingNotFound(reason.field, str(reason)) if reason.field else NotFound(),
    ),
    (exceptions.StaleVersion, lambda reason, shown: StaleWrite(str(reason), current=shown(reason.current))),
    (exceptions.InvalidTask, lambda reason, shown: ValidationError(_nested(reason.field.split("."), str(reason)))),
    (exceptions.StatusNeedsVerb, lambda reason, shown: Unprocessable(str(reason), code="use_verb")),
    (exceptions.TaskRefused, lambda reason, shown: Conflict(str(reason))),
    (EventTooLarge, lambda reason, shown: ContentTooLarge(str(reason))),
    (idempotency.InvalidKey, lambda reason, shown: ValidationError({"Idempotency-Key": [str(reason)]})),
    (idempotency.KeyInFlight, lambda reason, shown: Conflict(str(reason), code="in_flight")),
    (idempotency.KeyReused, lambda reason, shown: Unprocessable(str(reason), code="key_reused")),
]
_REFUSALS = tuple(refusal for refusal, _ in _PROBLEMS)


def as_problem(reason: Exception, *, shown: Shown) -> APIException:
    """The problem a refusal amounts to; `shown` turns a thing into its representation."""
    made = next(made for refusal, made in _PROBLEMS if isinstance(reason, refusal))
    return made(reason, shown)


@contextmanager
def refusals_as_problems(shown: Shown) -> Iterator[None]:
    try:
        yield
    except _REFUSALS as reason:
        raise as_problem(reason, shown=shown) from reason


def _nested(path: list[str], told: str) -> Any:
    nested: Any = [told]
    for step in reversed(path):
        nested = {step: nested}
    return nested
