"""What you were told, over REST."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.notifications.filters import NotificationFilter
from apps.notifications.models import Delivery, Notification
from apps.notifications.selectors import explaining
from apps.notifications.selectors import inbox as inbox_reads
from apps.notifications.selectors.shown_deliveries import shown_deliveries, with_deliveries
from apps.notifications.serializers import (
    NotificationSerializer,
    PutOffSerializer,
    ReadAllSerializer,
    UnreadCountSerializer,
    WhySerializer,
    examples,
)
from apps.notifications.serializers.why import reasons_shown
from apps.notifications.services import deliveries, inbox, snoozing
from apps.notifications.views.refusals import OF_NOTIFICATIONS
from apps.tasks.views.base import REFUSALS, EventedViewSet
from apps.tasks.views.refusals import Conflict
from apps.tasks.views.safe_writes import DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH, safe_write

FAILED = Delivery.Status.FAILED
_VERB: dict[str, Any] = {
    "parameters": [DRY_RUN, IDEMPOTENCY_KEY, IF_MATCH],
    "responses": {200: NotificationSerializer, **REFUSALS},
}


@extend_schema_view(
    list=extend_schema(
        summary="What you were told",
        description="Newest first, what is done among it: your inbox. By a filter also what only went out by mail or "
        "otherwise; of that alone by `in_inbox=false`.",
    ),
    retrieve=extend_schema(summary="One notification"),
)
@extend_schema(tags=["notifications"])
class NotificationViewSet(EventedViewSet):
    """What you were told: reminders, overdue tasks, daily summaries, and news of the platform itself."""

    plural, singular = "Notifications", "Notification"
    problems = OF_NOTIFICATIONS
    serializer_class = NotificationSerializer
    filterset_class = NotificationFilter
    lookup_url_kwarg = "notification_id"
    queryset = Notification.objects.none()
    page_sorts = {"created": "id"}
    default_sort = "-created"

    def get_queryset(self) -> Any:
        if not self.request.user.is_authenticated:
            return Notification.objects.none()
        return inbox_reads.notifications_of(owner=self.actor)

    def filter_queryset(self, queryset: Any) -> Any:
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert page is not None
        return self.get_paginated_response(self.get_serializer(with_deliveries(page), many=True).data)

    def retrieve(self, request: Request, notification_id: UUID) -> Response:
        return self.answer(self.get_object())

    @extend_schema(
        summary="Mark as read", description="It goes away from every screen and mail that waits.", request=None, **_VERB
    )
    @action(detail=True, methods=["post"])
    @safe_write
    def read(self, request: Request, notification_id: UUID) -> Response:
        return self.answer(self._mark(inbox.mark_read))

    @extend_schema(summary="Mark as unread", request=None, **_VERB)
    @action(detail=True, methods=["post"])
    @safe_write
    def unread(self, request: Request, notification_id: UUID) -> Response:
        return self.answer(self._mark(inbox.mark_unread))

    @extend_schema(
        summary="Be told again later",
        description="Its reminder waits again; every other transport knows.",
        request=PutOffSerializer,
        examples=examples.SNOOZES,
        **_VERB,
    )
    @action(detail=True, methods=["post"], serializer_class=PutOffSerializer)
    @safe_write
    def snooze(self, request: Request, notification_id: UUID) -> Response:
        return self.answer(self._run(snoozing.snooze_notification, **self.checked(request.data)))

    @extend_schema(
        summary="Try again what failed to go out",
        description="Every delivery of it that failed is attempted anew, with the same idempotency key.",
        request=None,
        **_VERB,
    )
    @action(detail=True, methods=["post"])
    @safe_write
    def retry(self, request: Request, notification_id: UUID) -> Response:
        notification = self.get_object()
        failed = [one.delivery.pk for one in shown_deliveries(notification) if one.delivery.status == FAILED]
        if not failed:
            raise Conflict("Nothing of it has failed to go out.")
        for pk in failed:
            deliveries.retry(delivery_id=pk, actor=self.actor, now=self.now())
        return self.answer(self.get_queryset().get(pk=notification.pk))

    @extend_schema(
        summary="Mark all as read",
        request=None,
        parameters=[DRY_RUN, IDEMPOTENCY_KEY],
        responses={200: ReadAllSerializer, **REFUSALS},
    )
    @action(detail=False, methods=["post"], url_path="read-all", serializer_class=ReadAllSerializer)
    @safe_write
    def read_all(self, request: Request) -> Response:
        return Response({"read": inbox.mark_all_read(actor=self.actor, now=self.now())})

    @extend_schema(summary="How many are unread", filters=False, responses=UnreadCountSerializer)
    @action(detail=False, url_path="unread-count", filter_backends=(), pagination_class=None)
    def unread_count(self, request: Request) -> Response:
        unread = inbox_reads.unread_count(owner=self.actor)
        return Response({"unread": unread, "is_all": unread < inbox_reads.MOST_COUNTED})

    @extend_schema(
        summary="Why you did, or did not, get this",
        description="Each decision per transport, each attempt, and what came of it, in order.",
        responses=WhySerializer,
    )
    @action(detail=True)
    def why(self, request: Request, notification_id: UUID) -> Response:
        notification = self.get_object()
        reasons = reasons_shown(explaining.why(notification))
        return Response({"notification": str(notification.pk), "reasons": reasons})

    def shown(self, thing: Any) -> Any:
        return NotificationSerializer(thing, context=self.get_serializer_context()).data

    def _mark(self, service: Callable[..., Notification]) -> Notification:
        one = self.get_object()
        return service(notification_id=one.pk, actor=self.actor, now=self.now(), expected_version=self.expected_version)

    def _run(self, service: Callable[..., Notification], **arguments: Any) -> Notification:
        return service(notification_id=self.get_object().pk, actor=self.actor, now=self.now(), **arguments)
