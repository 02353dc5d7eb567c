"""The pages of deliveries: each attempt with what was sent and answered."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.notifications.admin.base import ChoiceFilter, Looking
from apps.notifications.admin.shown import as_content, as_json, at, link, shortened
from apps.notifications.exceptions import NotificationsRefused
from apps.notifications.mail.links import without_tokens
from apps.notifications.models import Delivery, DeliveryAttempt
from apps.notifications.selectors.shown_deliveries import attempts_of, names_of
from apps.notifications.services import deliveries
from apps.notifications.transports import transports
from apps.tasks.admin.base import acting
from apps.tasks.admin.filters import OwnerFilter, TypedFilter, whole_id

NOTIFICATIONS_SHOWN = 50


class StatusFilter(ChoiceFilter):
    title, parameter_name = "status", "status"
    field, choices_of = "status", Delivery.Status


class TransportFilter(admin.SimpleListFilter):
    title = "transport"
    parameter_name = "transport"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(one.name, one.label.capitalize()) for one in transports().values() if not one.at_once]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(transport=self.value()) if self.value() else queryset


class DestinationFilter(TypedFilter):
    title = "destination"
    parameter_name = "destination"
    told = "The id of an endpoint or a browser"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        if not self.value():
            return queryset
        pk = whole_id(str(self.value()))
        return queryset.filter(destination=str(pk)) if pk else queryset.none()


@admin.register(Delivery)
class DeliveryAdmin(Looking):
    list_display = ("when", "transport", "to", "status", "why_short", "owner")
    list_display_links = ("when",)
    list_filter = (OwnerFilter, StatusFilter, TransportFilter, DestinationFilter)
    actions = ("retry",)
    fieldsets = (
        (None, {"fields": ("transport", "to", "owner", "kind", "status", "why", "notifications_table")}),
        ("Attempts", {"fields": ("attempts", "attempts_table")}),
        ("Content", {"fields": ("formatted_content",)}),
        ("When", {"fields": ("send_at", "created_at", "finished_at", "lease_until", "urgent", "held_quiet")}),
        ("Facts", {"fields": ("id", "fence", "again")}),
    )

    def with_all_they_show(self, rows: Iterable[Delivery]) -> list[Delivery]:
        rows = super().with_all_they_show(rows)
        called = names_of(rows)
        for one in rows:
            one.__dict__["_called"] = called[one.pk]
        return rows

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Who may change deliveries may have failed ones tried again."""
        return bool(request.user.has_perm("notifications.change_delivery"))

    @admin.action(description="Try selected deliveries again that failed", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:

        def again(one: Delivery) -> int:
            deliveries.retry(delivery_id=one.pk, **acting(request))
            return 1

        self.each(request, queryset, again, done="tried again", refused=NotificationsRefused)

    @admin.display(description="to")
    def to(self, delivery: Delivery) -> str:
        called = delivery.__dict__.get("_called")
        name = names_of([delivery])[delivery.pk] if called is None else called
        return shortened(name or delivery.owner.email or "the person", 40)

    @admin.display(description="when")
    def when(self, delivery: Delivery) -> str:
        return at(delivery.finished_at or delivery.send_at)

    @admin.display(description="why", empty_value="")
    def why_short(self, delivery: Delivery) -> str:
        return shortened(self.why(delivery))

    @admin.display(description="why", empty_value="")
    def why(self, delivery: Delivery) -> str:
        return str(without_tokens(delivery.error or delivery.because))

    @admin.display(description="tells of")
    def notifications_table(self, delivery: Delivery) -> SafeString | str:
        told = delivery.notifications.order_by("pk")[:NOTIFICATIONS_SHOWN]
        rows = [(link("notifications_notification", one.pk, shortened(one.title)),) for one in told]
        return format_html('<ul class="subtasks">{}</ul>', format_html_join("", "<li>{}</li>", rows)) or "Nothing."

    @admin.display(description="each")
    def attempts_table(self, delivery: Delivery) -> SafeString:
        rows = [(_head(one), as_json(one.request), as_json(one.response)) for one in attempts_of(delivery)]
        if not rows:
            return format_html("{}", "None yet.")
        return format_html_join(
            "",
            '<details class="attempt"><summary>{}</summary><h4>Sent</h4>{}<h4>Answered</h4>{}</details>',
            rows,
        )

    @admin.display(description="what is sent")
    def formatted_content(self, delivery: Delivery) -> SafeString:
        return as_content(delivery.content) if delivery.content is not None else format_html("{}", "Not composed yet.")

    @admin.display(description="sends again", empty_value="")
    def again(self, delivery: Delivery) -> SafeString | str:
        first = delivery.redelivery_of_id
        return link("notifications_delivery", first, str(first)) if first else ""


def _head(attempt: DeliveryAttempt) -> str:
    took = f", {attempt.seconds:.2f} s" if attempt.seconds is not None else ""
    error = f": {without_tokens(attempt.error)}" if attempt.error else ""
    return f"{attempt.number}. {at(attempt.started_at)}{took}, {attempt.get_outcome_display()}{error}"
