"""The pages of reminders."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from apps.notifications.admin.base import ChoiceFilter, Looking
from apps.notifications.admin.shown import link, links_to_list, reasons_table, shortened
from apps.notifications.models import Notification, Reminder
from apps.notifications.selectors import explaining
from apps.tasks.admin.filters import OwnerFilter


class StatusFilter(ChoiceFilter):
    title, parameter_name = "status", "status"
    field, choices_of = "status", Reminder.Status


class OriginFilter(ChoiceFilter):
    title, parameter_name = "origin", "origin"
    field, choices_of = "origin", Reminder.Origin


@admin.register(Reminder)
class ReminderAdmin(Looking):
    has_trail = True
    change_form_template = None
    list_display = ("short_title", "trigger_at", "status", "before", "origin", "owner")
    list_display_links = ("short_title",)
    list_filter = (OwnerFilter, StatusFilter, OriginFilter)
    list_select_related = ("task",)
    search_help_text = Looking.search_help_text.replace("whole ids", "whole ids, of a reminder or of its task,")
    searched_ids = ("task_id",)
    fieldsets = (
        (None, {"fields": ("to_task", "owner", "trigger_at", "state", "short_origin", "before")}),
        ("What became of it", {"fields": ("planned_for", "triggers", "triggered_at", "notifications", "why")}),
        ("Facts", {"fields": ("id", "version", "created_at", "updated_at", "audit_trail")}),
    )

    @admin.display(description="task")
    def short_title(self, reminder: Reminder) -> str:
        return shortened(reminder.task.title)

    @admin.display(description="task")
    def to_task(self, reminder: Reminder) -> SafeString:
        return link("tasks_task", reminder.task_id, shortened(reminder.task.title))

    @admin.display(description="before due")
    def before(self, reminder: Reminder) -> str:
        if reminder.before_due:
            return reminder.before_due
        return "a time of its day" if reminder.origin == Reminder.Origin.DEFAULT else "an instant"

    @admin.display(description="origin")
    def short_origin(self, reminder: Reminder) -> str:
        return str(reminder.get_origin_display())

    @admin.display(description="status")
    def state(self, reminder: Reminder) -> str:
        why = f": {reminder.get_because_display()}" if reminder.because else ""
        return f"{reminder.status}{why}"

    @admin.display(description="notifications")
    def notifications(self, reminder: Reminder) -> Any:
        told = Notification.objects.filter(reminder_id=reminder.pk).exists()
        return links_to_list("notifications_notification", "What came of it", q=reminder.pk) if told else "None."

    @admin.display(description="why")
    def why(self, reminder: Reminder) -> SafeString:
        return reasons_table(explaining.why_reminder(reminder))
