"""What a preview is asked for, and what it answers."""

from typing import Any

from rest_framework import serializers

from apps.accounts.serializers import RefusesUnknownFields
from apps.recurrence.preview import MOST_DATES, MOST_YEARS
from apps.recurrence.serializers.dates import PlannedDateSerializer
from apps.tasks.serializers.fields import DueAtField, RecurrenceField, Words

DEFAULT_COUNT = 10


class PreviewSerializer(RefusesUnknownFields):
    """A recurrence, and the due of the task that is to repeat."""

    recurrence = RecurrenceField(
        help_text="Words such as every 2 weeks on mon, thu; an RRULE such as FREQ=MONTHLY;BYDAY=-1FR; or an object "
        "with policies.",
        error_messages={"required": "Say how it repeats: every 2 weeks on mon, thu, or an RRULE such as FREQ=DAILY."},
    )
    due_on = serializers.DateField(
        required=False,
        allow_null=True,
        help_text="The day it starts on. Without this and `due_at` the first day from today on that the rule names.",
    )
    due_at = DueAtField(
        required=False,
        allow_null=True,
        help_text="The instant it starts at. Without an offset it is the wall clock's time in `due_time_zone`.",
    )
    due_time_zone = serializers.CharField(
        required=False, allow_null=True, max_length=64, help_text="The IANA time zone of `due_at`; null for your own."
    )
    count = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_DATES,
        help_text=f"How many dates, at most {MOST_DATES}; {DEFAULT_COUNT} when it is left out.",
    )
    completed_at = DueAtField(
        required=False,
        allow_null=True,
        help_text="What would follow, were the first one completed then: which dates are made, which skipped. At most "
        f"{MOST_YEARS} years after the start.",
    )

    def get_initial(self) -> dict[str, Any]:
        """A form starts with what the address asks for."""
        if hasattr(self, "initial_data"):
            return super().get_initial()
        context: dict[str, Any] = self.context  # type: ignore[assignment]
        asked = context["request"].query_params if "request" in context else {}
        return {name: Words(asked.get(name, "")) for name in self._declared_fields}


class CautionSerializer(serializers.Serializer[Any]):
    """Something that a person may not expect."""

    code = serializers.CharField(help_text="skips_months, month_end, dst_gap, dst_fold, never_happens, ends, …")
    kind = serializers.ChoiceField(choices=["warning", "note"])
    detail = serializers.CharField()


class CompletionSerializer(serializers.Serializer[Any]):
    """What completing the first one leads to."""

    completed_at = serializers.DateTimeField()
    made = PlannedDateSerializer(many=True, help_text="What is made next; nothing where the series ends.")
    skipped = PlannedDateSerializer(many=True, help_text="The first of those that are passed over.")
    skipped_count = serializers.IntegerField(help_text="How many they are; counted up to 4,000.")


class PreviewAnswerSerializer(serializers.Serializer[Any]):
    """What the recurrence would do."""

    recurrence = RecurrenceField(help_text="As a task would keep it, all policies named.")
    sentence = serializers.CharField(help_text="The rule in words.")
    in_full = serializers.CharField(
        help_text="The rule in words, and what becomes of ends of months and of dates that went by."
    )
    time_zone = serializers.CharField()
    dates = PlannedDateSerializer(many=True)
    is_all = serializers.BooleanField(help_text="There is no further date.")
    warnings = CautionSerializer(many=True)
    completion = CompletionSerializer(allow_null=True)
