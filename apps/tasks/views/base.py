"""What the views of tasks, lists and tags share."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse
from rest_framework import viewsets
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.utils.serializer_helpers import ReturnDict

from apps.accounts.models import User
from apps.accounts.parameters import RefusesUnknownParameters
from apps.tasks.views import refusals, safe_writes

UUID_PATTERN = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

CONFLICT = OpenApiResponse(description="The thing, as it is, does not allow this; or the key is in flight.")
STALE = OpenApiResponse(description="It has changed since you read it; `current` is what it is now.")
TOO_LARGE = OpenApiResponse(description="The body, or the event that would tell of the change, is too large.")
UNPROCESSABLE = OpenApiResponse(description="It has a verb of its own, or the key came with another request.")

REFUSALS: dict[int, Any] = {409: CONFLICT, 412: STALE, 413: TOO_LARGE, 422: UNPROCESSABLE}


class EventedViewSet(RefusesUnknownParameters, viewsets.GenericViewSet[Any]):
    """Views of things that a person owns and events tell of."""

    lookup_value_regex = UUID_PATTERN
    # What the browsable API calls them: "Task List" would be a list of tasks, or one of the person's lists.
    plural: str
    singular: str
    # What the services called here may refuse.
    problems: ClassVar[refusals.Problems] = refusals.OF_TASKS
    # Of the request at hand: its body, as far as it was read, and the version its caller has seen.
    typed: Any = None
    expected_version: int | None = None

    def get_view_name(self) -> str:
        return self.plural if self.suffix == "List" else str(self.name or self.singular)

    @property
    def actor(self) -> User:
        user = self.request.user
        assert isinstance(user, User)
        return user

    def known_parameters(self) -> set[str]:
        if self.action == "list":
            filters = getattr(self, "filterset_class", None)
            return {"cursor", "page_size", "sort", *(filters.base_filters if filters else ())}
        return set() if self.request.method in SAFE_METHODS else {"dry_run"}

    def get_object(self) -> Any:
        """Raises `StaleVersion` when a write has seen another version; `expected_version` holds the services to it."""
        thing = super().get_object()
        if self.request.method not in SAFE_METHODS:
            self.expected_version = safe_writes.seen_version(self.request, thing)
        return thing

    def shown(self, thing: safe_writes.Versioned) -> Any:
        """As an answer has it."""
        return self.get_serializer(thing).data

    def answer(self, thing: safe_writes.Versioned, *, status: int = 200) -> Response:
        headers = {"ETag": safe_writes.etag(thing)}
        data = self.shown(thing)
        if status == 201:
            headers["Location"] = data["url"]
        return Response(data, status=status, headers=headers)

    def checked(self, data: Any, **options: Any) -> dict[str, Any]:
        """The body, by the serializer of this action. Raises `ValidationError`."""
        self.typed = self.get_serializer(data=data, **options)
        self.typed.is_valid(raise_exception=True)
        return dict(self.typed.validated_data)

    def handle_exception(self, exc: Exception) -> Response:
        """A form that a service refused keeps what was typed, with the reason by its field."""
        response = super().handle_exception(exc)
        if self.typed is not None and isinstance(exc, APIException):
            told = exc.detail if isinstance(exc.detail, dict) else {"non_field_errors": [exc.detail]}
            # It has no public way to be told so.
            self.typed._errors = {name: _sentences(reasons) for name, reasons in told.items()}  # noqa: SLF001
            response.data = ReturnDict(response.data, serializer=self.typed)
        return response

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)


def _sentences(reasons: Any, *, path: str = "") -> list[str]:
    """What is wrong inside of a value, as a form can show it beside the field."""
    if isinstance(reasons, dict):
        inner = [_sentences(each, path=f"{path}.{name}" if path else str(name)) for name, each in reasons.items()]
        return [sentence for sentences in inner for sentence in sentences]
    return [f"{path}: {reason}" if path else str(reason) for reason in reasons]
