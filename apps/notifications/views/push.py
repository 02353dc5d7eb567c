"""Browsers that are pushed to, over REST."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.parameters import RefusesUnknownParameters
from apps.notifications.models import PushSubscription
from apps.notifications.selectors import endpoints
from apps.notifications.serializers import PublicKeySerializer, PushSubscriptionSerializer, examples
from apps.notifications.services import push
from apps.notifications.views.refusals import OF_NOTIFICATIONS
from apps.tasks.views.base import CONFLICT, EventedViewSet
from apps.tasks.views.refusals import refusals_as_problems


@extend_schema(tags=["webhooks"])
class PushView(RefusesUnknownParameters, APIView):
    """The key that a browser subscribes with: `pushManager.subscribe({applicationServerKey})`."""

    def get_view_name(self) -> str:
        return "Push"

    @extend_schema(
        operation_id="push_retrieve", summary="The key that browsers subscribe with", responses=PublicKeySerializer
    )
    def get(self, request: Request) -> Response:
        return Response({"public_key": push.public_key()})


@extend_schema_view(
    list=extend_schema(summary="Browsers that are pushed to", description="Newest first."),
    retrieve=extend_schema(summary="One browser that is pushed to"),
)
@extend_schema(tags=["webhooks"])
class PushSubscriptionViewSet(EventedViewSet):
    """Browsers of yours that are pushed to when no page is open. A browser that says it is gone goes by itself."""

    plural, singular = "Browsers that are pushed to", "Browser that is pushed to"
    problems = OF_NOTIFICATIONS
    serializer_class = PushSubscriptionSerializer
    lookup_url_kwarg = "subscription_id"
    filter_backends = ()
    queryset = PushSubscription.objects.none()
    page_sorts = {"created": "id"}
    default_sort = "-created"

    def known_parameters(self) -> set[str]:
        return super().known_parameters() - {"dry_run"}

    def get_queryset(self) -> Any:
        if not self.request.user.is_authenticated:
            return PushSubscription.objects.none()
        return endpoints.subscriptions_of(owner=self.actor)

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def shown(self, thing: Any) -> Any:
        return self.get_serializer(thing).data

    def retrieve(self, request: Request, subscription_id: UUID) -> Response:
        return Response(self.shown(self.get_object()))

    @extend_schema(
        summary="Push to a browser",
        description="As `PushSubscription.toJSON()` tells of it. The same one again is the same one, with the keys it "
        "has now.",
        responses={201: PushSubscriptionSerializer, 409: CONFLICT},
        examples=examples.SUBSCRIPTIONS,
    )
    def create(self, request: Request) -> Response:
        asked = self.checked(request.data)
        with refusals_as_problems(self.shown, problems=self.problems):
            made = push.subscribe(
                owner=self.actor,
                endpoint=asked["endpoint"],
                label=asked.get("label", ""),
                now=self.now(),
                **asked["keys"],
            )
        told = self.shown(made)
        return Response(told, status=201, headers={"Location": told["url"]})

    @extend_schema(summary="Push to a browser no more", responses={204: None})
    def destroy(self, request: Request, subscription_id: UUID) -> Response:
        with refusals_as_problems(self.shown, problems=self.problems):
            push.unsubscribe(subscription_id=subscription_id, actor=self.actor, now=self.now())
        return Response(status=204)
