"""What lists of reminders and notifications can be narrowed to. Days are those of the person who asks."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import reduce
from operator import or_
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError

from apps.calendar import zones
from apps.calendar.errors import CalendarError
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, Notification, Reminder
from apps.notifications.selectors import inbox
from apps.tasks.filters import YesOrNo


class OfPerson(filters.FilterSet):
    """Knows who asks, and when their days begin."""

    @property
    def _owner(self) -> Any:
        return self.request.user

    def _instant(self, name: str, value: str, *, after: bool) -> datetime:
        """An instant as it is, or the start of a day; with `after` its end."""
        zone: ZoneInfo = zones.zone(self._owner.time_zone)
        try:
            try:
                day = date.fromisoformat(value)
                return zones.end_of_day(day, zone) if after else zones.start_of_day(day, zone)
            except ValueError:
                instant = datetime.fromisoformat(value.replace(" ", "+"))
                instant = zones.attach(instant, zone) if instant.tzinfo is None else instant
                zones.local_date(instant, zones.zone("UTC"))
                return instant
        except (ValueError, OverflowError, CalendarError) as reason:
            told = "Give a day (2026-05-03) or an instant (2026-05-03T09:00:00Z)."
            raise ValidationError({name: [told]}) from reason


class ReminderFilter(OfPerson):
    status = filters.MultipleChoiceFilter(choices=Reminder.Status.choices, help_text="One or more statuses.")
    waits = YesOrNo(method="that_wait", help_text="Those whose time is still to come, or those that are over.")
    task = filters.UUIDFilter(field_name="task_id", help_text="The reminders of this task.")
    origin = filters.MultipleChoiceFilter(
        choices=Reminder.Origin.choices, help_text="Asked for, your default, or a notification that was snoozed."
    )
    # `from` is a word of Python's own.
    locals()["from"] = filters.CharFilter(method="since", help_text="At or after this day or instant.")
    to = filters.CharFilter(method="until", help_text="On or before this day, or before this instant.")

    class Meta:
        model = Reminder
        fields: Sequence[str] = []

    def that_wait(self, reminders: QuerySet[Reminder], name: str, value: Any) -> Any:
        waiting = Q(status__in=[Reminder.Status.PLANNED, Reminder.Status.SNOOZED])
        return reminders.filter(waiting if value else ~waiting)

    def since(self, reminders: QuerySet[Reminder], name: str, value: str) -> Any:
        return reminders.filter(trigger_at__gte=self._instant(name, value, after=False))

    def until(self, reminders: QuerySet[Reminder], name: str, value: str) -> Any:
        return reminders.filter(trigger_at__lt=self._instant(name, value, after=True))


class NotificationFilter(OfPerson):
    status = filters.MultipleChoiceFilter(
        choices=[*Notification.Status.choices, *[(one, one) for one in inbox.OUTCOMES]],
        method="of_statuses",
        help_text="One or more: unread (in the inbox), read, snoozed, done; or how it went out: failed, waiting, sent, "
        "held, dropped.",
    )
    delivery = filters.ChoiceFilter(
        choices=[(one, one) for one in inbox.OUTCOMES],
        method="that_went",
        help_text="How it went out, beside its status.",
    )
    task = filters.UUIDFilter(field_name="task_id", help_text="What you were told of this task.")
    reminder = filters.UUIDFilter(field_name="reminder_id", help_text="What came of this reminder.")
    kind = filters.MultipleChoiceFilter(choices=Kind.choices, help_text="One or more kinds.")
    in_inbox = YesOrNo(
        field_name="in_inbox",
        help_text="What stands in the inbox, or what only went out. Without any filter: the inbox.",
    )

    class Meta:
        model = Notification
        fields: Sequence[str] = []

    def filter_queryset(self, queryset: QuerySet[Notification]) -> Any:
        """Who asks for nothing in particular is shown the inbox."""
        asked = any(value not in (None, "", []) for value in self.form.cleaned_data.values())
        return super().filter_queryset(queryset) if asked else queryset.filter(in_inbox=True)

    def of_statuses(self, notifications: QuerySet[Notification], name: str, value: Sequence[str]) -> Any:
        kept = [one for one in value if one in Notification.Status.values]
        went = [inbox.that_went(one, owner=self._owner) for one in value if one in inbox.OUTCOMES]
        # What stands in no inbox is unread for nobody.
        by_status = Q(status__in=kept) & (Q(in_inbox=True) | ~Q(status=Notification.Status.UNREAD))
        conditions = ([by_status] if kept else []) + went
        return notifications.filter(reduce(or_, conditions)) if conditions else notifications

    def that_went(self, notifications: QuerySet[Notification], name: str, value: str) -> Any:
        return notifications.filter(inbox.that_went(value, owner=self._owner)) if value else notifications


class DeliveryFilter(filters.FilterSet):
    """Names no model: the view that it serves is one of webhooks."""

    status = filters.MultipleChoiceFilter(choices=Delivery.Status.choices, help_text="One or more statuses.")
