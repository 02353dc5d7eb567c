"""How a task of yours repeats, and what became of each time, over REST."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from apps.recurrence import examples, selectors, services
from apps.recurrence.exceptions import NoSeries
from apps.recurrence.models import Occurrence
from apps.recurrence.serializers import (
    OccurrencesChangeSerializer,
    OccurrenceSerializer,
    RecurrenceSerializer,
    TaskRecurrenceSerializer,
)
from apps.recurrence.views.refusals import OF_SERIES
from apps.tasks import selectors as task_selectors
from apps.tasks import services as task_services
from apps.tasks.models import Task
from apps.tasks.views.base import REFUSALS, EventedViewSet
from apps.tasks.views.safe_writes import DRY_RUN, IF_MATCH, safe_write

_CHANGED: dict[str, Any] = {
    "parameters": [DRY_RUN, IF_MATCH],
    "responses": {200: TaskRecurrenceSerializer, **REFUSALS},
}


@extend_schema_view(
    retrieve=extend_schema(
        operation_id="tasks_recurrence_retrieve",
        summary="How a task repeats",
        description="What the task carries, in words too; its series, and the dates that come.",
        responses=TaskRecurrenceSerializer,
    )
)
@extend_schema(tags=["recurrence"])
class TaskRecurrenceView(EventedViewSet):
    """How this task repeats. PUT sets it from here on, PATCH changes one occurrence or several, DELETE stops it."""

    plural = singular = "Recurrence of a task"
    problems = OF_SERIES
    serializer_class = RecurrenceSerializer
    lookup_url_kwarg = "task_id"
    queryset = Task.objects.none()

    def get_queryset(self) -> Any:
        return task_selectors.tasks_of(owner=self.actor) if self.request.user.is_authenticated else Task.objects.none()

    def retrieve(self, request: Request, task_id: UUID) -> Response:
        return self.answer(self.get_object())

    @extend_schema(
        operation_id="tasks_recurrence_update",
        summary="Say how a task repeats",
        description="From this occurrence on; one that does not repeat yet opens a series.",
        request=RecurrenceSerializer,
        examples=examples.RECURRENCES,
        **_CHANGED,
    )
    @safe_write
    def update(self, request: Request, task_id: UUID) -> Response:
        task = self.get_object()
        return self._set(task, self.checked(request.data, instance=task)["recurrence"])

    @extend_schema(
        operation_id="tasks_recurrence_partial_update",
        summary="Change one occurrence or several",
        description="Fields of the task, and how it repeats: of `this` one only, of it and those `following`, or of "
        "`all` that are open. What is changed here alone, the next one has as it was before.",
        request=OccurrencesChangeSerializer,
        examples=examples.CHANGES_OF_OCCURRENCES,
        **_CHANGED,
    )
    @safe_write
    def partial_update(self, request: Request, task_id: UUID) -> Response:
        task = self.get_object()
        changes = self._checked_change(task)
        scope = changes.pop("scope", "following")
        if set(changes) == {"recurrence"} and scope != "this":
            return self._set(task, changes["recurrence"])
        changed = services.change_occurrences(
            task_id=task.pk,
            actor=self.actor,
            scope=scope,
            changes=changes,
            now=self.now(),
            expected_version=self.expected_version,
        )
        return self.answer(changed)

    @extend_schema(
        operation_id="tasks_recurrence_destroy",
        summary="Stop a task from repeating",
        description="Its series ends; what is open stays open, and repeats no more.",
        parameters=[DRY_RUN, IF_MATCH],
        responses={204: None, **REFUSALS},
    )
    @safe_write
    def destroy(self, request: Request, task_id: UUID) -> Response:
        task = self.get_object()
        series = selectors.series_of_task(task.pk, owner=self.actor)
        if series is not None and series.pk == task.series_id and series.is_active:
            services.end_series(series_id=series.pk, actor=self.actor, now=self.now())
        elif task.recurrence is not None:  # its series is about to be opened
            self._set(task, None)
        else:
            raise NoSeries(task.pk)
        return Response(status=204)

    def shown(self, task: Any) -> Any:
        return TaskRecurrenceSerializer(task, context=self.get_serializer_context()).data

    def _checked_change(self, task: Task) -> dict[str, Any]:
        self.typed = OccurrencesChangeSerializer(
            task, data=self.request.data, partial=True, context=self.get_serializer_context()
        )
        self.typed.is_valid(raise_exception=True)
        return dict(self.typed.validated_data)

    def _set(self, task: Task, recurrence: Any) -> Response:
        changed = task_services.update_task(
            task_id=task.pk,
            actor=self.actor,
            changes={"recurrence": recurrence},
            now=self.now(),
            expected_version=self.expected_version,
        )
        return self.answer(changed)


@extend_schema(tags=["recurrence"])
class OccurrencesView(EventedViewSet):
    """What became of each time that this task was to be done, the newest first."""

    plural = singular = "Occurrences"
    serializer_class = OccurrenceSerializer
    lookup_url_kwarg = "task_id"
    filter_backends = ()
    queryset = Occurrence.objects.none()
    page_sorts = {"number": "number"}
    default_sort = "-number"

    def get_queryset(self) -> Any:
        return task_selectors.tasks_of(owner=self.actor) if self.request.user.is_authenticated else Task.objects.none()

    @extend_schema(
        operation_id="tasks_occurrences",
        summary="What became of each time",
        description="Of the series that the task belongs to, the newest first; nothing for a task that never repeated.",
    )
    def list(self, request: Request, task_id: UUID) -> Response:
        task = self.get_object()
        series = selectors.series_of_task(task.pk, owner=self.actor)
        found = selectors.occurrences_of(series) if series else Occurrence.objects.none()
        page = self.paginate_queryset(found)
        assert page is not None
        tasks = task_selectors.tasks_of(owner=self.actor).in_bulk([one.task_id for one in page])
        base = reverse("api-root", request=request)
        context = {**self.get_serializer_context(), "tasks": tasks, "base_address": base}
        return self.get_paginated_response(OccurrenceSerializer(page, many=True, context=context).data)
