"""Lists over REST."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tasks import examples, selectors, services
from apps.tasks.models import TaskList
from apps.tasks.serializers import ListSerializer
from apps.tasks.views.base import REFUSALS, EventedViewSet
from apps.tasks.views.safe_writes import DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH, safe_write

_CHANGED: dict[str, Any] = {
    "parameters": [DRY_RUN, IF_MATCH],
    "responses": {200: ListSerializer, **REFUSALS},
    "examples": examples.LISTS,
}


@extend_schema_view(list=extend_schema(summary="Your lists"), retrieve=extend_schema(summary="One list"))
class ListViewSet(EventedViewSet):
    """Your lists: named places for tasks."""

    plural, singular = "Lists", "List"
    serializer_class = ListSerializer
    lookup_url_kwarg = "list_id"
    queryset = TaskList.objects.none()
    page_sorts = {"position": "position", "created": "id"}
    default_sort = "position"

    def known_parameters(self) -> set[str]:
        return super().known_parameters() | ({"tasks"} if self.action == "destroy" else set())

    def get_queryset(self) -> Any:
        return selectors.lists_of(owner=self.actor) if self.request.user.is_authenticated else TaskList.objects.none()

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, list_id: UUID) -> Response:
        return self.answer(self.get_object())

    @extend_schema(
        summary="Create a list",
        parameters=[DRY_RUN, IDEMPOTENCY_KEY],
        responses={201: ListSerializer, **REFUSALS},
        examples=examples.LISTS,
    )
    @safe_write
    def create(self, request: Request) -> Response:
        asked = self.checked(request.data)
        made = services.create_list(owner=self.actor, actor=self.actor, now=self.now(), **asked)
        return self.answer(made, status=201)

    @extend_schema(summary="Replace a list", **_CHANGED)
    @safe_write
    def update(self, request: Request, list_id: UUID) -> Response:
        one = self.get_object()
        return self._change(one, self.checked(request.data, instance=one))

    @extend_schema(summary="Change fields of a list", **_CHANGED)
    @safe_write
    def partial_update(self, request: Request, list_id: UUID) -> Response:
        one = self.get_object()
        return self._change(one, self.checked(request.data, instance=one, partial=True))

    @extend_schema(
        summary="Delete a list",
        parameters=[
            DRY_RUN,
            IF_MATCH,
            OpenApiParameter(
                "tasks", str, enum=["keep", "delete"], default="keep", description="What becomes of its tasks."
            ),
        ],
        responses={204: None, **REFUSALS},
    )
    @safe_write
    def destroy(self, request: Request, list_id: UUID) -> Response:
        tasks = request.query_params.get("tasks", "keep")
        if tasks not in {"keep", "delete"}:
            raise ValidationError({"tasks": ["Give keep or delete."]})
        services.delete_list(
            list_id=self.get_object().pk,
            actor=self.actor,
            now=self.now(),
            tasks=tasks,  # type: ignore[arg-type]
            expected_version=self.expected_version,
        )
        return Response(status=204)

    def _change(self, one: TaskList, changes: dict[str, Any]) -> Response:
        changed = services.update_list(
            list_id=one.pk,
            actor=self.actor,
            changes=changes,
            now=self.now(),
            expected_version=self.expected_version,
        )
        return self.answer(changed)
