"""Series over REST."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.recurrence import examples, selectors, services
from apps.recurrence.filters import SeriesFilter
from apps.recurrence.models import Series
from apps.recurrence.serializers import SeriesDetailSerializer, SeriesSerializer, SkipSerializer
from apps.recurrence.views.refusals import OF_SERIES
from apps.tasks.views.base import REFUSALS, EventedViewSet
from apps.tasks.views.safe_writes import DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH, safe_write

_VERB: dict[str, Any] = {
    "parameters": [DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH],
    "responses": {200: SeriesDetailSerializer, **REFUSALS},
}


@extend_schema_view(
    list=extend_schema(summary="Your series", description="Newest first, ended ones among them.", tags=["recurrence"]),
    retrieve=extend_schema(summary="One series", responses=SeriesDetailSerializer, tags=["recurrence"]),
)
@extend_schema(tags=["recurrence"])
class SeriesViewSet(EventedViewSet):
    """Your series: a task that repeats opens one, and completing an occurrence makes the next."""

    plural, singular = "Series", "One series"
    problems = OF_SERIES
    serializer_class = SeriesSerializer
    filterset_class = SeriesFilter
    lookup_url_kwarg = "series_id"
    queryset = Series.objects.none()
    page_sorts = {"created": "id"}
    default_sort = "-created"

    def get_queryset(self) -> Any:
        return selectors.series_of(owner=self.actor) if self.request.user.is_authenticated else Series.objects.none()

    def filter_queryset(self, queryset: Any) -> Any:
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        return self.get_paginated_response(self.get_serializer(selectors.with_newest_tasks(page), many=True).data)

    def retrieve(self, request: Request, series_id: UUID) -> Response:
        return self.answer(self.get_object())

    @extend_schema(
        summary="Pause a series",
        description="Nothing is made until it is resumed; what is open stays open.",
        request=None,
        **_VERB,
    )
    @action(detail=True, methods=["post"])
    @safe_write
    def pause(self, request: Request, series_id: UUID) -> Response:
        return self.answer(self._run(services.pause_series))

    @extend_schema(
        summary="Resume a paused series", description="Dates that passed meanwhile are skipped.", request=None, **_VERB
    )
    @action(detail=True, methods=["post"])
    @safe_write
    def resume(self, request: Request, series_id: UUID) -> Response:
        return self.answer(self._run(services.resume_series))

    @extend_schema(
        summary="Leave out a date of a series",
        description="The next that is not made yet, or the one that is named.",
        request=SkipSerializer,
        examples=examples.SKIPS,
        **_VERB,
    )
    @action(detail=True, methods=["post"], serializer_class=SkipSerializer)
    @safe_write
    def skip(self, request: Request, series_id: UUID) -> Response:
        asked = self.checked(request.data)
        return self.answer(self._run(services.skip_occurrence, recurrence_id=asked.get("recurrence_id") or None))

    @extend_schema(
        summary="End a series", description="What is open stays open, and repeats no more.", request=None, **_VERB
    )
    @action(detail=True, methods=["post"])
    @safe_write
    def end(self, request: Request, series_id: UUID) -> Response:
        return self.answer(self._run(services.end_series))

    def shown(self, series: Any) -> Any:
        return SeriesDetailSerializer(series, context=self.get_serializer_context()).data

    def _run(self, service: Callable[..., Series], **arguments: Any) -> Series:
        return service(
            series_id=self.get_object().pk,
            actor=self.actor,
            now=self.now(),
            expected_version=self.expected_version,
            **arguments,
        )
