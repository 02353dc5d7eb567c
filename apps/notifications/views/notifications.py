"""What you were told, over REST."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.notifications.filters import NotificationFilter
from apps.notifications.models import Notification
from apps.notifications.selectors import inbox as inbox_reads
from apps.notifications.selectors.shown_deliveries import with_deliveries
from apps.notifications.serializers import (
    NotificationSerializer,
    UnreadCountSerializer,
)
from apps.notifications.views.refusals import OF_NOTIFICATIONS
from apps.tasks.views.base import EventedViewSet


@extend_schema_view(
    list=extend_schema(
        summary="What you were told",
        description="Newest first: what is done, and what only went out by mail or otherwise, among it.",
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

    @extend_schema(summary="How many are unread", filters=False, responses=UnreadCountSerializer)
    @action(detail=False, url_path="unread-count", filter_backends=(), pagination_class=None)
    def unread_count(self, request: Request) -> Response:
        unread = inbox_reads.unread_count(owner=self.actor)
        return Response({"unread": unread, "is_all": unread < inbox_reads.MOST_COUNTED})
