"""What is done to one task, over REST: a verb each."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tasks import examples, services
from apps.tasks.models import Task
from apps.tasks.serializers import SnoozeSerializer, TagChangeSerializer, TaskSerializer
from apps.tasks.views.base import REFUSALS, EventedViewSet
from apps.tasks.views.safe_writes import DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH, safe_write

_VERB: dict[str, Any] = {
    "parameters": [DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH],
    "responses": {200: TaskSerializer, **REFUSALS},
}


class TaskVerbs(EventedViewSet):
    """Part of the view of tasks."""

    @extend_schema(summary="Complete a task", description="Its open subtasks are completed too.", request=None, **_VERB)
    @action(detail=True, methods=["post"])
    @safe_write
    def complete(self, request: Request, task_id: UUID) -> Response:
        return self.answer(self.run(services.complete_task))

    @extend_schema(
        summary="Reopen a completed task", description="Its subtasks stay as they are.", request=None, **_VERB
    )
    @action(detail=True, methods=["post"])
    @safe_write
    def reopen(self, request: Request, task_id: UUID) -> Response:
        return self.answer(self.run(services.reopen_task))

    @extend_schema(
        summary="Restore a deleted task",
        description="To the status it had, with the subtasks that were deleted with it.",
        request=None,
        **_VERB,
    )
    @action(detail=True, methods=["post"])
    @safe_write
    def restore(self, request: Request, task_id: UUID) -> Response:
        return self.answer(self.run(services.restore_task))

    @extend_schema(
        summary="Duplicate a task",
        description="With its subtasks, open again. A copy that repeats opens a series of its own.",
        request=None,
        parameters=[DRY_RUN, IDEMPOTENCY_KEY],
        responses={201: TaskSerializer, **REFUSALS},
    )
    @action(detail=True, methods=["post"])
    @safe_write
    def duplicate(self, request: Request, task_id: UUID) -> Response:
        task = self.get_object()
        copy = services.duplicate_task(task_id=task.pk, actor=self.actor, now=self.now())
        return self.answer(copy, status=201)

    @extend_schema(
        summary="Snooze a task",
        description="Moves its due.",
        request=SnoozeSerializer,
        **_VERB,
        examples=examples.SNOOZES,
    )
    @action(detail=True, methods=["post"], serializer_class=SnoozeSerializer)
    @safe_write
    def snooze(self, request: Request, task_id: UUID) -> Response:
        return self.answer(self.run(services.snooze_task, **self.checked(request.data)))

    @extend_schema(
        summary="Add and remove tags",
        request=TagChangeSerializer,
        **_VERB,
        examples=examples.TAG_CHANGES,
    )
    @action(detail=True, methods=["post"], serializer_class=TagChangeSerializer)
    @safe_write
    def tags(self, request: Request, task_id: UUID) -> Response:
        return self.answer(self.run(services.tag_task, **self.checked(request.data)))

    def shown(self, task: Any) -> Any:
        return TaskSerializer(task, context=self.get_serializer_context()).data

    def run(self, service: Any, **arguments: Any) -> Task:
        """What a service makes of this task, in the version that was asked for."""
        task: Task = service(
            task_id=self.get_object().pk,
            actor=self.actor,
            now=self.now(),
            expected_version=self.expected_version,
            **arguments,
        )
        return task
