"""The reminders of a task of yours, over REST."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.notifications.selectors.asked_reminders import default_of, reminder_of, reminders_of_task
from apps.notifications.serializers import NewReminderSerializer, ReminderSerializer, TaskRemindersSerializer, examples
from apps.notifications.views.refusals import OF_NOTIFICATIONS
from apps.tasks import selectors as task_selectors
from apps.tasks import services as task_services
from apps.tasks.models import Task
from apps.tasks.views.base import REFUSALS, EventedViewSet
from apps.tasks.views.safe_writes import DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH, etag, safe_write


@extend_schema(tags=["reminders"])
class TaskRemindersView(EventedViewSet):
    """When you are reminded of this task. POST asks for one more."""

    plural = singular = "Reminders of a task"
    problems = OF_NOTIFICATIONS
    serializer_class = NewReminderSerializer
    lookup_url_kwarg = "task_id"
    filter_backends = ()
    queryset = Task.objects.none()

    def get_queryset(self) -> Any:
        return task_selectors.tasks_of(owner=self.actor) if self.request.user.is_authenticated else Task.objects.none()

    @extend_schema(
        operation_id="tasks_reminders_retrieve",
        summary="The reminders of a task",
        description="Those it asks for, at once; and what became of those that are over.",
        responses=TaskRemindersSerializer,
    )
    def retrieve(self, request: Request, task_id: UUID) -> Response:
        task = self.get_object()
        found = reminders_of_task(task, owner=self.actor)
        told = ReminderSerializer(found.reminders, many=True, context=self.get_serializer_context()).data
        answer = {"task": str(task.pk), "asked": found.asked, "version": task.version, "results": told}
        return Response(answer, headers={"ETag": etag(task)})

    @extend_schema(
        operation_id="tasks_reminders",
        summary="Ask for one more reminder",
        description="A task that had your default has it beside the new one.",
        request=NewReminderSerializer,
        examples=examples.NEW_REMINDERS,
        parameters=[DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH],
        responses={201: ReminderSerializer, **REFUSALS},
    )
    @safe_write
    def create(self, request: Request, task_id: UUID) -> Response:
        task = self.get_object()
        asked = self.checked(request.data)
        changed, reminder_id = task_services.add_reminder(
            task_id=task.pk,
            actor=self.actor,
            reminder=asked,
            default=default_of(task, owner=self.actor),
            now=self.now(),
            expected_version=self.expected_version,
        )
        made = reminder_of(reminder_id, owner=self.actor)
        told = ReminderSerializer(made, context=self.get_serializer_context()).data
        return Response(told, status=201, headers={"ETag": etag(changed), "Location": told["url"]})
