"""The audit trail over REST: read-only."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django_filters.utils import translate_validation
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, viewsets
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import User
from apps.accounts.parameters import RefusesUnknownParameters
from apps.audit import paging, selectors, telling
from apps.audit.filters import TrailFilter, without_empty
from apps.audit.models import AuditRecord
from apps.audit.serializers import AuditRecordSerializer, HistoryEntrySerializer, ProvedRecordSerializer

_PAGE = {"cursor", "page_size", "sort"}


def _reader(request: Request) -> User:
    user = request.user
    assert isinstance(user, User)
    return user


def _now() -> datetime:
    return datetime.now(UTC)


@extend_schema_view(
    list=extend_schema(
        summary="The audit trail, newest first",
        description="What happened to what is yours, whoever did it. Staff see the whole trail. Sorted by `occurred`, "
        "only what has an instant is listed: a record that nobody could read has none.",
    ),
    retrieve=extend_schema(summary="One audit record, with its proof", responses=ProvedRecordSerializer),
)
class AuditRecordViewSet(RefusesUnknownParameters, viewsets.ReadOnlyModelViewSet[AuditRecord]):
    """What happened to what is yours, newest first. Staff see the whole trail."""

    serializer_class = AuditRecordSerializer
    filterset_class = TrailFilter
    lookup_value_regex = "[0-9]{1,18}"
    queryset = AuditRecord.objects.none()
    page_sorts = {"recorded": "id", "occurred": "occurred_at"}
    # What the filters asked for.
    asked: TrailFilter

    @property
    def default_sort(self) -> str:
        """What is asked for by when it happened comes in that order: the index that finds it has it so."""
        request: Request | None = self.request  # none while the API's description is made
        asked = without_empty(request.query_params) if request else {}
        return "-occurred" if asked.get("from") or asked.get("to") else "-recorded"

    def get_view_name(self) -> str:
        return "Audit trail" if self.suffix == "List" else "Audit record"

    def get_view_description(self, html: bool = False) -> str:
        told: str = super().get_view_description(html=html)
        return told if self.suffix == "List" else "What happened, to what, by whom; and what proves it."

    def known_parameters(self) -> set[str]:
        return {*_PAGE, *TrailFilter.base_filters} if self.action == "list" else set()

    def get_queryset(self) -> QuerySet[AuditRecord]:
        user = self.request.user
        return selectors.records_visible_to(user) if isinstance(user, User) else AuditRecord.objects.none()

    def filter_queryset(self, queryset: QuerySet[Any]) -> Any:
        if self.action != "list":
            return queryset
        self.asked = TrailFilter(self.request.query_params, queryset, request=self.request)
        if not self.asked.is_valid():
            raise translate_validation(self.asked.errors)
        found: QuerySet[AuditRecord] = self.asked.qs
        sort = self.request.query_params.get("sort") or self.default_sort
        # What nobody could read has no instant, so no place among instants.
        return found.filter(occurred_at__isnull=False) if sort.endswith("occurred") else found

    def read_rows(self, rows: QuerySet[AuditRecord], *, most: int) -> tuple[Sequence[AuditRecord], paging.Place | None]:
        reader, asked = _reader(self.request), self.asked
        return paging.first_of(
            rows,
            most=most,
            owner_id=asked.owner_id if reader.is_staff else reader.pk,
            actor_id=asked.actor_id,
            types=asked.types,
            along=asked.along,
        )

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        return self.get_paginated_response(AuditRecordSerializer(page, many=True, context=self._with_words(page)).data)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        record = self.get_object()
        return Response(ProvedRecordSerializer(record, context=self._with_words([record])).data)

    def _with_words(self, records: Sequence[AuditRecord]) -> dict[str, Any]:
        told = telling.told(records, reader=_reader(self.request), now=_now(), naming=True)
        return {**self.get_serializer_context(), "told": {one.record.pk: one for one in told}}


@extend_schema_view(
    get=extend_schema(
        operation_id="tasks_history",
        summary="What happened to a task, in words",
        description="Newest first, from the audit trail alone: what has just changed is there within moments, and the "
        "history of a task that was purged stays. 404 when the trail knows nothing of such a task of yours.",
    )
)
class TaskHistoryView(RefusesUnknownParameters, generics.ListAPIView[Any]):
    """What happened to a task of yours: who did what, and when."""

    name = "History of a task"
    serializer_class = HistoryEntrySerializer
    filter_backends: Sequence[Any] = ()
    queryset = AuditRecord.objects.none()
    page_sorts = {"recorded": "id"}
    default_sort = "-recorded"

    def get_view_name(self) -> str:
        return self.name

    def known_parameters(self) -> set[str]:
        return _PAGE

    def get_queryset(self) -> QuerySet[AuditRecord]:
        return selectors.history_of_task(UUID(self.kwargs["task_id"]), owner=_reader(self.request))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        records = self.get_queryset()
        page = self.paginate_queryset(records)
        assert page is not None
        if not page and not records.exists():
            raise NotFound
        told = telling.told(page, reader=_reader(self.request), now=_now())
        return self.get_paginated_response(self.get_serializer(told, many=True).data)
