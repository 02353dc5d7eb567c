"""Webhooks over REST.

Invariant: a secret is answered when it is made and rotated, to nobody else, and is kept in no cache and no repeated
answer.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from apps.calendar import zones
from apps.notifications.filters import DeliveryFilter
from apps.notifications.models import Delivery, WebhookEndpoint
from apps.notifications.selectors import endpoints
from apps.notifications.serializers import (
    DeliveryDetailSerializer,
    DeliverySerializer,
    RedeliveredSerializer,
    RedeliverSerializer,
    WebhookSerializer,
    WebhookWithSecretSerializer,
    examples,
)
from apps.notifications.services import webhooks
from apps.notifications.services.webhooks import WithSecret
from apps.notifications.views.refusals import OF_NOTIFICATIONS
from apps.tasks import due as dues
from apps.tasks.views.base import REFUSALS, UUID_PATTERN, EventedViewSet
from apps.tasks.views.refusals import refusals_as_problems
from apps.tasks.views.safe_writes import IDEMPOTENCY_KEY, IF_MATCH, etag, safe_write

_CHANGED: dict[str, Any] = {"parameters": [IF_MATCH], "responses": {200: WebhookSerializer, **REFUSALS}}
_DELIVERY = OpenApiParameter("delivery_id", UUID, location=OpenApiParameter.PATH)


@extend_schema_view(
    list=extend_schema(summary="Your webhooks", description="Newest first."),
    retrieve=extend_schema(summary="One webhook"),
)
@extend_schema(tags=["webhooks"])
@method_decorator(never_cache, name="dispatch")
class WebhookViewSet(EventedViewSet):
    """Addresses of yours that are told what you are told: signed as Standard Webhooks says, and tried again."""

    plural, singular = "Webhooks", "Webhook"
    problems = OF_NOTIFICATIONS
    serializer_class = WebhookSerializer
    lookup_url_kwarg = "webhook_id"
    queryset = WebhookEndpoint.objects.none()
    filterset_class: Any = None  # the list of deliveries has one
    page_sorts = {"created": "id"}
    default_sort = "-created"

    def known_parameters(self) -> set[str]:
        if self.action == "deliveries":
            return {"cursor", "page_size", "sort", *DeliveryFilter.base_filters}
        return super().known_parameters() if self.request.method in SAFE_METHODS else set()

    def get_queryset(self) -> Any:
        if not self.request.user.is_authenticated:
            return WebhookEndpoint.objects.none()
        return endpoints.endpoints_of(owner=self.actor)

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, webhook_id: UUID) -> Response:
        return self.answer(self.get_object())

    @extend_schema(
        summary="Make a webhook",
        description="The answer has its secret, which is shown now and never again.",
        responses={201: WebhookWithSecretSerializer, **REFUSALS},
        examples=examples.WEBHOOKS,
    )
    def create(self, request: Request) -> Response:
        asked = self.checked(request.data)
        with refusals_as_problems(self.shown, problems=self.problems):
            made = webhooks.create(owner=self.actor, now=self.now(), **asked)
        return self._with_secret(made, status=201)

    @extend_schema(summary="Replace a webhook", examples=examples.WEBHOOKS, **_CHANGED)
    def update(self, request: Request, webhook_id: UUID) -> Response:
        with refusals_as_problems(self.shown, problems=self.problems):
            one = self.get_object()
            return self._change(one, {"description": "", **self.checked(request.data, instance=one)})

    @extend_schema(summary="Change fields of a webhook", examples=examples.CHANGES_OF_A_WEBHOOK, **_CHANGED)
    def partial_update(self, request: Request, webhook_id: UUID) -> Response:
        with refusals_as_problems(self.shown, problems=self.problems):
            one = self.get_object()
            return self._change(one, self.checked(request.data, instance=one, partial=True))

    @extend_schema(
        summary="Take a webhook away",
        description="With what was still to go to it.",
        parameters=[IF_MATCH],
        responses={204: None, **REFUSALS},
    )
    def destroy(self, request: Request, webhook_id: UUID) -> Response:
        with refusals_as_problems(self.shown, problems=self.problems):
            webhooks.delete(**self._seen())
        return Response(status=204)

    @extend_schema(
        summary="Make a new secret",
        description="The answer has it. The one before signs beside it for 24 hours.",
        request=None,
        parameters=[IF_MATCH],
        responses={200: WebhookWithSecretSerializer, **REFUSALS},
    )
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, webhook_id: UUID) -> Response:
        with refusals_as_problems(self.shown, problems=self.problems):
            rotated = webhooks.rotate_secret(**self._seen())
        return self._with_secret(rotated)

    @extend_schema(
        summary="Switch a webhook on", description="What was held for it goes out.", request=None, **_CHANGED
    )
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, webhook_id: UUID) -> Response:
        return self._run(webhooks.enable)

    @extend_schema(summary="Switch a webhook off", description="What is for it is held.", request=None, **_CHANGED)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, webhook_id: UUID) -> Response:
        return self._run(webhooks.disable)

    @extend_schema(
        summary="Send a test",
        description="Also to one that is switched off. The answer is the delivery: look at it again in a moment.",
        request=None,
        parameters=[IDEMPOTENCY_KEY],
        responses={202: DeliverySerializer, **REFUSALS},
    )
    @action(detail=True, methods=["post"])
    @safe_write
    def test(self, request: Request, webhook_id: UUID) -> Response:
        made = webhooks.test(endpoint_id=self.get_object().pk, actor=self.actor, now=self.now())
        told = DeliverySerializer(made, context=self.get_serializer_context()).data
        return Response(told, status=202, headers={"Location": told["url"]})

    @extend_schema(
        summary="Send again",
        description="One delivery, or those made between two instants, the oldest first, at most 100 at once: the same "
        "content by the same `webhook-id`.",
        request=RedeliverSerializer,
        examples=examples.REDELIVERIES,
        parameters=[IDEMPOTENCY_KEY],
        responses={202: RedeliveredSerializer, **REFUSALS},
    )
    @action(detail=True, methods=["post"], serializer_class=RedeliverSerializer)
    @safe_write
    def redeliver(self, request: Request, webhook_id: UUID) -> Response:
        one = self.get_object()
        asked = self.checked(request.data)
        acting: dict[str, Any] = {"endpoint_id": one.pk, "actor": self.actor, "now": self.now()}
        if "delivery" in asked:
            done = webhooks.redeliver(delivery_id=asked["delivery"], **acting)
        else:
            since, until = self._instant(asked, "from"), self._instant(asked, "to")
            done = webhooks.redeliver_range(since=since, until=until, **acting)  # type: ignore[arg-type]  # has a from
        return Response({"deliveries": [str(one.pk) for one in done.deliveries], "is_all": done.is_all}, status=202)

    @extend_schema(
        operation_id="webhooks_deliveries_list",
        summary="What went to a webhook",
        description="Newest first, what is to go there among it.",
        responses=DeliverySerializer(many=True),
    )
    @action(detail=True, filterset_class=DeliveryFilter)
    def deliveries(self, request: Request, webhook_id: UUID) -> Response:
        page = self.paginate_queryset(self.filter_queryset(endpoints.deliveries_to(self.get_object())))
        told = DeliverySerializer(page, many=True, context=self.get_serializer_context()).data
        return self.get_paginated_response(told)

    @extend_schema(
        operation_id="webhooks_deliveries_retrieve",
        summary="One delivery, with every attempt",
        description="What was sent and answered, without secrets.",
        parameters=[_DELIVERY],
        responses=DeliveryDetailSerializer,
    )
    @action(detail=True, url_path=f"deliveries/(?P<delivery_id>{UUID_PATTERN})", name="Delivery")
    def delivery(self, request: Request, webhook_id: UUID, delivery_id: UUID) -> Response:
        found: Delivery | None = endpoints.deliveries_to(self.get_object()).filter(pk=delivery_id).first()
        if found is None:
            raise NotFound
        return Response(DeliveryDetailSerializer(found, context=self.get_serializer_context()).data)

    def filter_queryset(self, queryset: Any) -> Any:
        return (
            super().filter_queryset(queryset)
            if self.action == "deliveries" and queryset.model is Delivery
            else queryset
        )

    def shown(self, thing: Any) -> Any:
        return WebhookSerializer(thing, context=self.get_serializer_context()).data

    def _with_secret(self, made: WithSecret, *, status: int = 200) -> Response:
        context = {**self.get_serializer_context(), "secret": made.secret}
        told = WebhookWithSecretSerializer(made.endpoint, context=context).data
        headers = {"ETag": etag(made.endpoint)} | ({"Location": told["links"]["self"]} if status == 201 else {})
        return Response(told, status=status, headers=headers)

    def _change(self, one: WebhookEndpoint, changes: dict[str, Any]) -> Response:
        changed = webhooks.change(
            endpoint_id=one.pk,
            actor=self.actor,
            changes=changes,
            now=self.now(),
            expected_version=self.expected_version,
        )
        return self.answer(changed)

    def _run(self, service: Callable[..., WebhookEndpoint]) -> Response:
        with refusals_as_problems(self.shown, problems=self.problems):
            return self.answer(service(**self._seen()))

    def _seen(self) -> dict[str, Any]:
        """Who asks what of which, at the version that they have seen."""
        one = self.get_object()
        return {
            "endpoint_id": one.pk,
            "actor": self.actor,
            "now": self.now(),
            "expected_version": self.expected_version,
        }

    def _instant(self, asked: dict[str, Any], name: str) -> datetime | None:
        """A wall-clock time is the caller's."""
        given: datetime | None = asked.get(name)
        return None if given is None else dues.placed(given, zones.zone(self.actor.time_zone), field=name)
