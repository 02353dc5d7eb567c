"""Tags over REST."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tasks import examples, selectors, services
from apps.tasks.models import Tag
from apps.tasks.serializers import TagSerializer
from apps.tasks.views.base import REFUSALS, EventedViewSet
from apps.tasks.views.safe_writes import DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH, safe_write

_CHANGED: dict[str, Any] = {
    "parameters": [DRY_RUN, IF_MATCH],
    "responses": {200: TagSerializer, **REFUSALS},
    "examples": examples.TAGS,
}


@extend_schema_view(list=extend_schema(summary="Your tags"), retrieve=extend_schema(summary="One tag"))
class TagViewSet(EventedViewSet):
    """Your tags: words that tasks carry. A task that names a new one makes it."""

    plural, singular = "Tags", "Tag"
    serializer_class = TagSerializer
    lookup_url_kwarg = "tag_id"
    queryset = Tag.objects.none()
    page_sorts = {"name": "folded_name", "created": "id"}
    default_sort = "name"

    def get_queryset(self) -> Any:
        return selectors.tags_of(owner=self.actor) if self.request.user.is_authenticated else Tag.objects.none()

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, tag_id: UUID) -> Response:
        return self.answer(self.get_object())

    @extend_schema(
        summary="Create a tag",
        parameters=[DRY_RUN, IDEMPOTENCY_KEY],
        responses={201: TagSerializer, **REFUSALS},
        examples=examples.TAGS,
    )
    @safe_write
    def create(self, request: Request) -> Response:
        asked = self.checked(request.data)
        made = services.create_tag(owner=self.actor, actor=self.actor, now=self.now(), **asked)
        return self.answer(made, status=201)

    @extend_schema(summary="Rename a tag", **_CHANGED)
    @safe_write
    def update(self, request: Request, tag_id: UUID) -> Response:
        tag = self.get_object()
        return self._change(tag, self.checked(request.data, instance=tag))

    @extend_schema(summary="Change fields of a tag", **_CHANGED)
    @safe_write
    def partial_update(self, request: Request, tag_id: UUID) -> Response:
        tag = self.get_object()
        return self._change(tag, self.checked(request.data, instance=tag, partial=True))

    @extend_schema(
        summary="Delete a tag",
        description="It is taken from all tasks that carry it.",
        parameters=[DRY_RUN, IF_MATCH],
        responses={204: None, **REFUSALS},
    )
    @safe_write
    def destroy(self, request: Request, tag_id: UUID) -> Response:
        services.delete_tag(
            tag_id=self.get_object().pk, actor=self.actor, now=self.now(), expected_version=self.expected_version
        )
        return Response(status=204)

    def _change(self, tag: Tag, changes: dict[str, Any]) -> Response:
        changed = services.update_tag(
            tag_id=tag.pk,
            actor=self.actor,
            changes=changes,
            now=self.now(),
            expected_version=self.expected_version,
        )
        return self.answer(changed)
