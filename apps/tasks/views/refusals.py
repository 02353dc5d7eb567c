"""Why a service refused, as HTTP says it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, ErrorDetail, NotFound, ValidationError

from apps.events.errors import EventTooLarge
from apps.tasks import exceptions, idempotency

Shown = Callable[[Any], Any]
# Of each refusal the problem it amounts to. The first that fits counts.
Problems = Sequence[tuple[type[Exception], Callable[[Any, Shown], APIException]]]


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


class PlacedError(ErrorDetail):
    """`extra` goes beside the sentence of the error: where inside of the value the mistake is."""

    extra: dict[str, Any]


class InvalidValue(ValidationError):
    """A value inside of the body; told by the part of a rule or the span of words to correct, where there is one."""

    def __init__(self, reason: exceptions.InvalidTask) -> None:
        super().__init__()
        told = PlacedError(str(reason), code="invalid")
        named: dict[str, Any] = {"part": reason.part, "span": reason.span and list(reason.span)}
        told.extra = {name: place for name, place in named.items() if place}
        # Set here, as the base would take the sentence and leave the rest.
        self.detail = _nested(reason.field.split("."), told)


# What is not named here by itself is a conflict with how things are.
OF_TASKS: Problems = [
    (
        exceptions.NotFound,
        lambda reason, shown: NamedThingNotFound(reason.field, str(reason)) if reason.field else NotFound(),
    ),
    (exceptions.StaleVersion, lambda reason, shown: StaleWrite(str(reason), current=shown(reason.current))),
    (exceptions.InvalidTask, lambda reason, shown: InvalidValue(reason)),
    (exceptions.StatusNeedsVerb, lambda reason, shown: Unprocessable(str(reason), code="use_verb")),
    (exceptions.TaskRefused, lambda reason, shown: Conflict(str(reason))),
    (EventTooLarge, lambda reason, shown: ContentTooLarge(str(reason))),
    (idempotency.InvalidKey, lambda reason, shown: ValidationError({"Idempotency-Key": [str(reason)]})),
    (idempotency.KeyInFlight, lambda reason, shown: Conflict(str(reason), code="in_flight")),
    (idempotency.KeyReused, lambda reason, shown: Unprocessable(str(reason), code="key_reused")),
]


def as_problem(reason: Exception, *, shown: Shown, problems: Problems = OF_TASKS) -> APIException:
    """The problem a refusal amounts to; `shown` turns a thing into its representation."""
    made = next(made for refusal, made in problems if isinstance(reason, refusal))
    return made(reason, shown)


@contextmanager
def refusals_as_problems(shown: Shown, *, problems: Problems = OF_TASKS) -> Iterator[None]:
    try:
        yield
    except tuple(refusal for refusal, _ in problems) as reason:
        raise as_problem(reason, shown=shown, problems=problems) from reason


def _nested(path: list[str], told: ErrorDetail) -> Any:
    nested: Any = [told]
    for step in reversed(path):
        nested = {step: nested}
    return nested
