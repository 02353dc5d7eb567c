"""How the parts of a task that are no plain columns are typed and shown in the admin's forms."""

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime

from apps.tasks import intents, values, words


class PositionField(forms.DecimalField):
    """Among others; shown without the zeros of its column."""

    def __init__(self, **options: Any) -> None:
        told = "Where it stands among others; a new one without stands last."
        super().__init__(max_digits=40, decimal_places=20, required=False, help_text=told, **options)
        self.widget = forms.TextInput(attrs={"inputmode": "decimal", "class": "vTextField"})

    def prepare_value(self, value: Any) -> Any:
        return values.position_text(value) if isinstance(value, Decimal) else value


class WallClockField(forms.SplitDateTimeField):
    """A date and a time as a clock on the wall shows them, of no zone."""

    widget = AdminSplitDateTime

    def compress(self, data_list: Any) -> datetime | None:
        if not data_list or data_list == [None, None]:
            return None
        day, time = data_list
        if day is None:
            raise forms.ValidationError(self.error_messages["invalid_date"], code="invalid_date")
        if time is None:
            raise forms.ValidationError(self.error_messages["invalid_time"], code="invalid_time")
        # Further out a wall clock's time need not be an instant; the services see to the exact bounds.
        if not values.EARLIEST_DUE.year - 1 <= day.year <= values.LATEST_DUE.year:
            raise forms.ValidationError("A due lies between the years 1970 and 9000.")
        return datetime.combine(day, time)


class TagNamesField(forms.CharField):
    """Names between commas; one that has a comma itself stands in quotation marks."""

    def __init__(self, **options: Any) -> None:
        told = 'Between commas: home, "this, and that". One the owner does not have yet is made.'
        super().__init__(required=False, help_text=told, **options)
        self.widget.attrs["class"] = "vTextField"

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value))

    @staticmethod
    def names(text: str) -> list[str]:
        return words.separated(text)

    @staticmethod
    def text(names: Iterable[str]) -> str:
        return words.joined(names)


class RecurrenceField(forms.CharField):
    """Plain words, an RRULE, or the whole of it as JSON when a policy is not what holds by itself."""

    def __init__(self, **options: Any) -> None:
        policies = "; ".join(f"{name}: {', '.join(choices)}" for name, choices in intents.POLICIES.items())
        told = (
            "daily, every month, or an RRULE such as FREQ=WEEKLY;BYDAY=MO,TH. With policies: "
            f'{{"rule": "monthly", "month_end": "skip"}} ({policies}; the first of each holds by itself). '
            "An object says all; words and an RRULE keep the month_end and catch_up that there were."
        )
        widget = forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"})
        super().__init__(required=False, label="Recurrence", help_text=told, widget=widget, **options)

    @staticmethod
    def asked(text: str) -> Any:
        """As the services take it. Raises `ValidationError` for what looks like JSON and is none."""
        if not text:
            return None
        return _parsed(text) if text.startswith("{") else text

    @staticmethod
    def text(recurrence: Any) -> str:
        if recurrence is None:
            return ""
        plain = {name: choices[0] for name, choices in intents.POLICIES.items()} | {"rule": recurrence["rule"]}
        return recurrence["rule"] if recurrence == plain else json.dumps(recurrence)


class RemindersField(forms.CharField):
    """JSON; empty is the owner's default."""

    def __init__(self, **options: Any) -> None:
        told = (
            'JSON, such as [{"before_due": "PT30M"}, {"trigger_at": "2026-12-24T09:00:00+01:00"}]. '
            "[] is none, empty the owner's default. One that keeps its id stays the same reminder."
        )
        widget = forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"})
        super().__init__(required=False, label="Reminders", help_text=told, widget=widget, **options)

    @staticmethod
    def asked(text: str) -> Any:
        """As the services take it. Raises `ValidationError` for what is no JSON."""
        return _parsed(text) if text else None

    @staticmethod
    def text(reminders: Any) -> str:
        return "" if reminders is None else json.dumps(reminders, indent=1)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as reason:
        raise forms.ValidationError(f"This is no JSON: {reason}.") from reason
