"""Reminders over REST."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from apps.notifications.filters import ReminderFilter
from apps.notifications.models import Reminder
from apps.notifications.selectors import explaining
from apps.notifications.selectors.asked_reminders import (
    AskedReminder,
    reminder_of,
    version_of_task,
)
from apps.notifications.selectors.reminders import reminders_of
from apps.notifications.serializers import (
    NewReminderSerializer,
    PutOffSerializer,
    ReminderSerializer,
    WhyReminderSerializer,
    examples,
)
from apps.notifications.serializers.why import reasons_shown
from apps.notifications.services import cancelling, snoozing
from apps.notifications.views.refusals import OF_NOTIFICATIONS
from apps.tasks import services as task_services
from apps.tasks.exceptions import ReminderNotFound, StaleVersion
from apps.tasks.views.base import REFUSALS, EventedViewSet
from apps.tasks.views.refusals import Conflict
from apps.tasks.views.safe_writes import DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH, safe_write, seen_version

_NOT_ASKED = "Its task does not ask for this reminder any more. Ask for a new one: POST to the reminders of the task."


@extend_schema_view(
    list=extend_schema(
        summary="Your reminders",
        description="Those that are furthest ahead first; those that are over among them. What comes next: "
        "`waits=true&sort=trigger`.",
    )
)
@extend_schema(tags=["reminders"])
class ReminderViewSet(EventedViewSet):
    """When you are reminded of what; and what became of it."""

    plural, singular = "Reminders", "Reminder"
    problems = OF_NOTIFICATIONS
    serializer_class = ReminderSerializer
    filterset_class = ReminderFilter
    lookup_url_kwarg = "reminder_id"
    queryset = Reminder.objects.none()
    page_sorts = {"trigger": "trigger_at"}
    default_sort = "-trigger"

    def get_queryset(self) -> Any:
        return reminders_of(owner=self.actor) if self.request.user.is_authenticated else Reminder.objects.none()

    def get_serializer_class(self) -> Any:
        """What a form begins with: of a reminder that is moved, what may be said of it."""
        return NewReminderSerializer if self.action == "partial_update" else super().get_serializer_class()

    def get_object(self) -> Reminder | AskedReminder:
        found = reminder_of(UUID(self.kwargs["reminder_id"]), owner=self.actor)
        if found is None:
            raise NotFound
        if self.request.method not in SAFE_METHODS:
            self.expected_version = seen_version(self.request, found)
        return found

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(ReminderSerializer(page, many=True, context=self._context()).data)

    @extend_schema(
        summary="One reminder",
        description="As its task asks for it: `asked` until what sends reminders has heard of it.",
    )
    def retrieve(self, request: Request, reminder_id: UUID) -> Response:
        return self.answer(self.get_object())

    @extend_schema(
        summary="Move a reminder",
        description="To another instant, or so long before due. Your default becomes one of the task's own.",
        request=NewReminderSerializer,
        examples=examples.NEW_REMINDERS,
        parameters=[DRY_RUN, IF_MATCH],
        responses={200: ReminderSerializer, **REFUSALS},
    )
    @safe_write
    def partial_update(self, request: Request, reminder_id: UUID) -> Response:
        one = self.get_object()
        self.typed = NewReminderSerializer(one, data=request.data, context=self._context())
        self.typed.is_valid(raise_exception=True)
        self._tell_task(task_services.move_reminder, one, reminder=self.typed.validated_data)
        return self.answer(self.get_object_again(one))

    @extend_schema(
        summary="Take a reminder away",
        description="Without your default a task has none. What you put off is then read.",
        parameters=[DRY_RUN, IF_MATCH],
        responses={204: None, **REFUSALS},
    )
    @safe_write
    def destroy(self, request: Request, reminder_id: UUID) -> Response:
        one = self.get_object()
        if one.origin == Reminder.Origin.SNOOZE:
            cancelling.cancel_snooze(
                reminder_id=one.pk, actor=self.actor, now=self.now(), expected_version=self.expected_version
            )
        else:
            self._tell_task(task_services.remove_reminder, one)
        return Response(status=204)

    @extend_schema(
        summary="Be reminded later",
        description="It waits until then, also when you were told already; what was told of it is snoozed with it.",
        request=PutOffSerializer,
        examples=examples.SNOOZES,
        parameters=[DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH],
        responses={200: ReminderSerializer, **REFUSALS},
    )
    @action(detail=True, methods=["post"], serializer_class=PutOffSerializer)
    @safe_write
    def snooze(self, request: Request, reminder_id: UUID) -> Response:
        one = self.get_object()
        asked = self.checked(request.data)
        snoozed = snoozing.snooze_reminder(reminder_id=one.pk, actor=self.actor, now=self.now(), **asked)
        return self.answer(self.get_object_again(snoozed))

    @extend_schema(
        summary="What became of a reminder, and why",
        description="From when it was planned to where it went, with what was told of it.",
        responses=WhyReminderSerializer,
    )
    @action(detail=True)
    def why(self, request: Request, reminder_id: UUID) -> Response:
        one = self.get_object()
        # Of one that was only asked for nothing has happened yet.
        reasons = [] if isinstance(one, AskedReminder) else reasons_shown(explaining.why_reminder(one))
        return Response({"reminder": str(one.pk), "reasons": reasons})

    def shown(self, thing: Any) -> Any:
        return ReminderSerializer(thing, context=self._context()).data

    def get_object_again(self, one: Reminder | AskedReminder) -> Reminder | AskedReminder:
        """As its task asks for it now."""
        return reminder_of(one.pk, owner=self.actor) or one

    def _tell_task(self, service: Any, one: Reminder | AskedReminder, **arguments: Any) -> None:
        """Who has seen a version of the reminder changes the task only as it was then."""
        task_version = None if self.expected_version is None else version_of_task(one, owner=self.actor)
        if task_version is not None:
            self._look_again(one)
        acting = {"actor": self.actor, "now": self.now(), "expected_version": task_version}
        try:
            service(task_id=one.task_id, reminder_id=one.pk, **acting, **arguments)
        except ReminderNotFound as reason:
            raise Conflict(_NOT_ASKED) from reason
        except StaleVersion as reason:
            raise StaleVersion(self.get_object_again(one)) from reason

    def _look_again(self, one: Reminder | AskedReminder) -> None:
        """Whether it is as it was seen, now that the task's version is known. Raises `StaleVersion`."""
        now = self.get_object_again(one)
        if now.version != self.expected_version:
            raise StaleVersion(now)

    def _context(self) -> dict[str, Any]:
        return dict(self.get_serializer_context())
