"""The pages of notifications: what people were told, how it went out, and why."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.notifications.admin.base import ChoiceFilter, Looking
from apps.notifications.admin.shown import as_json, at, link, reasons_table, shortened, table
from apps.notifications.exceptions import NotificationsRefused
from apps.notifications.kinds import Kind
from apps.notifications.mail.links import without_tokens
from apps.notifications.models import Delivery, Notification, Reminder
from apps.notifications.selectors import explaining
from apps.notifications.selectors.inbox import has_one, overall
from apps.notifications.selectors.shown_deliveries import shown_deliveries, with_deliveries
from apps.notifications.services import deliveries
from apps.tasks.admin.base import acting
from apps.tasks.admin.filters import OwnerFilter


class KindFilter(ChoiceFilter):
    title, parameter_name = "kind", "kind"
    field, choices_of = "kind", Kind


class StatusFilter(ChoiceFilter):
    title, parameter_name = "status", "status"
    field, choices_of = "status", Notification.Status


class WentFilter(admin.SimpleListFilter):
    """With a delivery of that status, whatever became of the others."""

    title = "went out"
    parameter_name = "went"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, value.capitalize()) for value in Delivery.Status.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        asked = str(self.value())
        return queryset.filter(has_one([asked])) if asked in Delivery.Status.values else queryset


@admin.register(Notification)
class NotificationAdmin(Looking):
    has_trail = True
    change_form_template = None
    list_display = ("short_title", "status", "went_out", "late", "created_at", "owner")
    list_display_links = ("short_title",)
    list_filter = (OwnerFilter, KindFilter, StatusFilter, WentFilter)
    search_help_text = Looking.search_help_text.replace(
        "whole ids", "whole ids, of a notification, its task or its reminder,"
    )
    searched_ids = ("task_id", "reminder_id")
    actions = ("retry",)
    fieldsets = (
        (None, {"fields": ("title", "text", "owner", "kind", "state", "to_task", "to_reminder")}),
        ("Why", {"fields": ("why",)}),
        ("How it went out", {"fields": ("went_out", "deliveries_table")}),
        ("When", {"fields": ("about_at", "late", "created_at", "read_at", "snoozed_until", "urgent", "quiet")}),
        ("Facts", {"fields": ("id", "once", "event_id", "in_inbox", "formatted_data", "version", "audit_trail")}),
    )

    def with_all_they_show(self, rows: Iterable[Notification]) -> list[Notification]:
        return with_deliveries(super().with_all_they_show(rows))

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Who may change deliveries may have failed ones tried again."""
        return bool(request.user.has_perm("notifications.change_delivery"))

    @admin.action(description="Try again what failed of selected notifications", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:

        def again(one: Notification) -> int:
            failed = [each.delivery.pk for each in shown_deliveries(one) if each.delivery.status == "failed"]
            for pk in failed:
                deliveries.retry(delivery_id=pk, **acting(request))
            return len(failed)

        self.each(
            request,
            queryset,
            again,
            done="deliveries tried again",
            refused=NotificationsRefused,
        )

    @admin.display(description="title")
    def short_title(self, notification: Notification) -> str:
        return shortened(notification.title)

    @admin.display(description="went out", empty_value="nowhere")
    def went_out(self, notification: Notification) -> str | None:
        return overall(notification, {one.delivery.status for one in shown_deliveries(notification)})

    @admin.display(description="late")
    def late(self, notification: Notification) -> str:
        return f"{notification.late_seconds:.1f} s"

    @admin.display(description="status")
    def state(self, notification: Notification) -> str:
        return f"{notification.status}{f': {notification.because}' if notification.because else ''}"

    @admin.display(description="task", empty_value="none")
    def to_task(self, notification: Notification) -> SafeString | None:
        pk = notification.task_id
        return link("tasks_task", pk, str(pk)) if pk else None

    @admin.display(description="reminder", empty_value="none")
    def to_reminder(self, notification: Notification) -> SafeString | str | None:
        pk = notification.reminder_id
        if pk is None:
            return None
        known = Reminder.objects.filter(pk=pk).exists()
        return link("notifications_reminder", pk, str(pk)) if known else f"{pk}, gone"

    @admin.display(description="decisions, in order")
    def why(self, notification: Notification) -> SafeString:
        return reasons_table(explaining.why(notification))

    @admin.display(description="deliveries")
    def deliveries_table(self, notification: Notification) -> SafeString:
        rows = [
            (
                link("notifications_delivery", one.delivery.pk, one.delivery.transport),
                one.destination or notification.owner.email or "the person",
                one.delivery.status,
                one.delivery.attempts,
                at(one.delivery.finished_at or one.delivery.send_at),
                shortened(without_tokens(one.delivery.error or one.delivery.because), 200),
            )
            for one in shown_deliveries(notification)
        ]
        return table("deliveries", ["Transport", "To", "Status", "Attempts", "When", "Why"], rows)

    @admin.display(description="data")
    def formatted_data(self, notification: Notification) -> SafeString:
        return as_json(notification.data) if notification.data else format_html("{}", "None.")
