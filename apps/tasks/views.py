"""Tasks over REST: translates requests into services and refusals into problems."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django_filters.rest_framework import ChoiceFilter, FilterSet
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from apps.accounts.models import User
from apps.events.errors import EventTooLarge
from apps.tasks import selectors, services
from apps.tasks.exceptions import InvalidTask, StatusNeedsVerb, TaskNotFound, TaskRefused
from apps.tasks.models import Task
from apps.tasks.serializers import TaskSerializer


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class Unprocessable(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "unprocessable"


class ContentTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "content_too_large"


@contextmanager
def refusals_as_problems() -> Iterator[None]:
    try:
        yield
    except TaskNotFound as reason:
        raise NotFound from reason
    except InvalidTask as reason:
        raise ValidationError({reason.field: [str(reason)]}) from reason
    except StatusNeedsVerb as reason:
        raise Unprocessable(str(reason), code="use_verb") from reason
    except TaskRefused as reason:
        raise Conflict(str(reason)) from reason
    except EventTooLarge as reason:
        raise ContentTooLarge(str(reason)) from reason


class TaskFilter(FilterSet):
    status = ChoiceFilter(choices=Task.Status.choices, help_text="Tasks of this status; all but deleted by default.")
    priority = ChoiceFilter(choices=Task.Priority.choices)

    class Meta:
        model = Task
        fields = ["status", "priority"]


_VERB_ANSWERS: Any = {
    200: TaskSerializer,
    404: OpenApiResponse(description="No such task of yours."),
    409: OpenApiResponse(description="The task, as it is, does not allow this."),
}


@extend_schema_view(
    list=extend_schema(summary="Your tasks, newest first"),
    create=extend_schema(summary="Create a task"),
    retrieve=extend_schema(summary="One task"),
    partial_update=extend_schema(summary="Change fields of a task"),
    destroy=extend_schema(summary="Delete a task; it can be restored"),
)
class TaskViewSet(viewsets.ModelViewSet[Task]):
    """Your tasks. Every change is an event: look for it in the audit trail."""

    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    lookup_url_kwarg = "task_id"
    lookup_value_regex = "[0-9a-fA-F-]{36}"
    queryset = Task.objects.none()

    def get_queryset(self) -> QuerySet[Task]:
        if not self.request.user.is_authenticated:
            return Task.objects.none()
        tasks: QuerySet[Task] = selectors.tasks_of(owner=self.actor)
        if self.action == "list" and not self.request.query_params.get("status"):
            tasks = tasks.exclude(status=Task.Status.DELETED)
        return tasks

    @property
    def actor(self) -> User:
        user = self.request.user
        assert isinstance(user, User)
        return user

    def perform_create(self, serializer: BaseSerializer[Task]) -> None:
        with refusals_as_problems():
            serializer.instance = services.create_task(
                owner=self.actor, actor=self.actor, now=datetime.now(UTC), **serializer.validated_data
            )

    def perform_update(self, serializer: BaseSerializer[Task]) -> None:
        assert serializer.instance is not None
        with refusals_as_problems():
            serializer.instance = services.update_task(
                task_id=serializer.instance.pk,
                actor=self.actor,
                changes=serializer.validated_data,
                now=datetime.now(UTC),
            )

    def perform_destroy(self, instance: Task) -> None:
        with refusals_as_problems():
            services.delete_task(task_id=instance.pk, actor=self.actor, now=datetime.now(UTC))

    @extend_schema(summary="Complete a task", request=None, responses=_VERB_ANSWERS)
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, task_id: UUID) -> Response:
        return self._answer(services.complete_task)

    @extend_schema(summary="Reopen a completed task", request=None, responses=_VERB_ANSWERS)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, task_id: UUID) -> Response:
        return self._answer(services.reopen_task)

    @extend_schema(summary="Restore a deleted task", request=None, responses=_VERB_ANSWERS)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, task_id: UUID) -> Response:
        return self._answer(services.restore_task)

    def _answer(self, service: Any) -> Response:
        task = self.get_object()
        with refusals_as_problems():
            task = service(task_id=task.pk, actor=self.actor, now=datetime.now(UTC))
        return Response(self.get_serializer(task).data)
