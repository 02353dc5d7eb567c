"""How a date of a series looks."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.calendar.zones import instant_text
from apps.recurrence.preview import PlannedDate


class PlannedDateSerializer(serializers.Serializer[Any]):
    """A date of a series, due at an instant or on a day."""

    recurrence_id = serializers.CharField(help_text="Names the date in its series: 20300503 or 20300503T090000.")
    due_at = serializers.DateTimeField(allow_null=True)
    due_on = serializers.DateField(allow_null=True)
    weekday = serializers.CharField(help_text="In English.")
    local = serializers.CharField(help_text="What calendars and clocks show then, in the time zone of the series.")


def shown(planned: PlannedDate) -> Mapping[str, Any]:
    return {
        "recurrence_id": planned.recurrence_id,
        "due_at": instant_text(planned.due_at),
        "due_on": planned.due_on.isoformat() if planned.due_on else None,
        "weekday": planned.weekday,
        "local": planned.local,
    }
