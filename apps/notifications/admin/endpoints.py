"""The pages of webhook endpoints and of browsers that are pushed to. Their secrets and keys stand on none."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.notifications.admin.base import ChoiceFilter, Looking
from apps.notifications.admin.shown import links_to_list, shortened
from apps.notifications.exceptions import NotificationsRefused
from apps.notifications.models import PushSubscription, WebhookEndpoint
from apps.notifications.serializers.push import service_of
from apps.notifications.services import webhooks
from apps.tasks.admin.filters import OwnerFilter


class StatusFilter(ChoiceFilter):
    title, parameter_name = "status", "status"
    field, choices_of = "status", WebhookEndpoint.Status


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(Looking):
    list_display = ("short_url", "description", "status", "failures", "succeeded_at", "created_at", "owner")
    list_display_links = ("short_url",)
    list_filter = (OwnerFilter, StatusFilter)
    actions = ("enable", "disable")
    fieldsets = (
        (None, {"fields": ("url", "description", "owner", "status", "disabled_at", "disabled_because")}),
        ("How it does", {"fields": ("failures", "failing_since", "succeeded_at", "its_deliveries")}),
        ("Facts", {"fields": ("id", "previous_secret_until", "version", "created_at", "updated_at")}),
    )

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """Who may change endpoints may enable and disable them."""
        return bool(request.user.has_perm("notifications.change_webhookendpoint"))

    @admin.action(description="Enable selected endpoints: what was held goes out", permissions=["steer"])
    def enable(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        self._steer(request, queryset, webhooks.enable, "enabled")

    @admin.action(description="Disable selected endpoints: what is for them is held", permissions=["steer"])
    def disable(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        self._steer(request, queryset, webhooks.disable, "disabled")

    def _steer(
        self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint], service: Callable[..., Any], done: str
    ) -> None:
        now = datetime.now(UTC)

        def steered(one: WebhookEndpoint) -> int:
            service(endpoint_id=one.pk, actor=request.user, now=now, as_staff=True)
            return 1

        self.each(request, queryset, steered, done=done, refused=NotificationsRefused)

    @admin.display(description="address")
    def short_url(self, endpoint: WebhookEndpoint) -> str:
        return shortened(endpoint.url)

    @admin.display(description="deliveries")
    def its_deliveries(self, endpoint: WebhookEndpoint) -> SafeString:
        narrowed = {"owner": endpoint.owner_id, "transport": "webhook", "destination": endpoint.pk}
        return links_to_list("notifications_delivery", "What went there", **narrowed)


@admin.register(PushSubscription)
class PushSubscriptionAdmin(Looking):
    list_display = ("name", "service", "failures", "succeeded_at", "created_at", "owner")
    list_display_links = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "service", "owner", "failures", "succeeded_at", "its_deliveries")}),
        ("Facts", {"fields": ("id", "digest", "created_at")}),
    )

    @admin.display(description="browser")
    def name(self, one: PushSubscription) -> str:
        return str(one)

    @admin.display(description="carried by")
    def service(self, one: PushSubscription) -> str:
        return service_of(one)

    @admin.display(description="deliveries")
    def its_deliveries(self, one: PushSubscription) -> SafeString:
        narrowed = {"owner": one.owner_id, "transport": "push", "destination": one.pk}
        return links_to_list("notifications_delivery", "What went there", **narrowed)
