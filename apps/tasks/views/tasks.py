"""Tasks over REST."""

from typing import Any, get_args
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tasks import examples, selectors, services
from apps.tasks.filters import TaskFilter
from apps.tasks.models import Task
from apps.tasks.serializers import (
    BulkAnswerSerializer,
    BulkSerializer,
    TaskSerializer,
)
from apps.tasks.services import ItemResult
from apps.tasks.views.base import REFUSALS
from apps.tasks.views.refusals import as_problem
from apps.tasks.views.safe_writes import DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH, safe_write
from apps.tasks.views.verbs import TaskVerbs

# What a PUT that leaves a field out sets it to; status and position stay as they are.
_EMPTY: dict[str, Any] = {
    "description": "",
    "priority": Task.Priority.NONE,
    "due_at": None,
    "due_on": None,
    "due_time_zone": None,
    "tags": [],
    "list": None,
    "parent": None,
    "recurrence": None,
    "reminders": None,
}
_CREATING = [DRY_RUN, IDEMPOTENCY_KEY]
_CHANGING = [DRY_RUN, IF_MATCH]
_SERIES = OpenApiParameter(
    "series",
    str,
    enum=get_args(services.SeriesOfDeleted),
    default="ends",
    description="Of a task that repeats: whether its series ends with it, or continues with the next occurrence.",
)


@extend_schema_view(
    list=extend_schema(summary="Your tasks"),
    retrieve=extend_schema(summary="One task"),
)
class TaskViewSet(TaskVerbs):
    """Your tasks. Every change is an event: look for it in the audit trail."""

    plural, singular = "Tasks", "Task"
    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    lookup_url_kwarg = "task_id"
    queryset = Task.objects.none()
    page_sorts = {
        "created": "created_at",
        "updated": "updated_at",
        "due": "due_order_at",
        "priority": "priority_order",
        "title": "title_order",
        "position": "position",
    }
    default_sort = "-created"

    def known_parameters(self) -> set[str]:
        return super().known_parameters() | ({"series"} if self.action == "destroy" else set())

    def get_queryset(self) -> Any:
        return selectors.tasks_of(owner=self.actor) if self.request.user.is_authenticated else Task.objects.none()

    def filter_queryset(self, queryset: Any) -> Any:
        # What is asked for by its id is not looked for among others.
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        return self.get_paginated_response(self.get_serializer(selectors.with_tags(page), many=True).data)

    def retrieve(self, request: Request, task_id: UUID) -> Response:
        return self.answer(self.get_object())

    @extend_schema(
        summary="Create a task",
        parameters=_CREATING,
        responses={201: TaskSerializer, **REFUSALS},
        examples=examples.NEW_TASKS,
    )
    @safe_write
    def create(self, request: Request) -> Response:
        asked = self.checked(request.data)
        task = services.create_task(owner=self.actor, actor=self.actor, now=self.now(), **asked)
        return self.answer(task, status=201)

    @extend_schema(
        summary="Replace a task",
        description="Fields left out are emptied; status and position stay.",
        parameters=_CHANGING,
        responses={200: TaskSerializer, **REFUSALS},
        examples=examples.NEW_TASKS,
    )
    @safe_write
    def update(self, request: Request, task_id: UUID) -> Response:
        task = self.get_object()
        asked = self.checked(request.data, instance=task)
        if asked.get("due_on") is not None and "due_at" not in asked:
            asked["due_at"] = None
        return self._change(task, _EMPTY | asked)

    @extend_schema(
        summary="Change fields of a task",
        parameters=_CHANGING,
        responses={200: TaskSerializer, **REFUSALS},
        examples=examples.CHANGES_OF_A_TASK,
    )
    @safe_write
    def partial_update(self, request: Request, task_id: UUID) -> Response:
        task = self.get_object()
        return self._change(task, self.checked(request.data, instance=task, partial=True))

    @extend_schema(
        summary="Delete a task",
        description="It and its subtasks can be restored for 30 days.",
        parameters=[*_CHANGING, _SERIES],
        responses={204: None, **REFUSALS},
    )
    @safe_write
    def destroy(self, request: Request, task_id: UUID) -> Response:
        series = request.query_params.get("series", "ends")
        if series not in get_args(services.SeriesOfDeleted):
            raise ValidationError({"series": ["Give ends or continues."]})
        self.run(services.delete_task, series=series)
        return Response(status=204)

    @extend_schema(
        summary="Change many tasks",
        description="At most 100, all in one transaction; each is changed or refused by itself.",
        request=BulkSerializer,
        parameters=_CREATING,
        responses={200: BulkAnswerSerializer, **REFUSALS},
        examples=examples.BULK,
    )
    @action(
        detail=False, methods=["post"], serializer_class=BulkSerializer, filterset_class=None, pagination_class=None
    )
    @safe_write
    def bulk(self, request: Request) -> Response:
        asked = self.checked(request.data)
        verb, task_ids = asked.pop("action"), asked.pop("tasks")
        arguments = {"changes": asked} if verb == "move" else asked
        results = services.change_many(
            owner=self.actor, actor=self.actor, action=verb, task_ids=task_ids, arguments=arguments, now=self.now()
        )
        return Response({"results": [self._result(result) for result in results]})

    def _change(self, task: Task, changes: dict[str, Any]) -> Response:
        changed = services.update_task(
            task_id=task.pk,
            actor=self.actor,
            changes=changes,
            now=self.now(),
            expected_version=self.expected_version,
        )
        return self.answer(changed)

    def _result(self, result: ItemResult) -> dict[str, Any]:
        if result.task is not None:
            return {"id": str(result.task_id), "status": 200, "version": result.task.version}
        assert result.refusal is not None
        problem = as_problem(result.refusal, shown=self.shown)
        told = str(result.refusal)
        return {
            "id": str(result.task_id),
            "status": problem.status_code,
            "detail": told,
            "code": str(problem.get_codes()),
        }
