"""How decisions look over REST: why you did, or did not, get something."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from apps.calendar.zones import instant_text
from apps.notifications.selectors.explaining import Reason


class ReasonSerializer(serializers.Serializer[Any]):
    """One decision, or one thing that happened."""

    at = serializers.DateTimeField()
    transport = serializers.CharField(allow_null=True, help_text="Null: of all of them.")
    what = serializers.CharField(help_text="What was decided or happened, in a word: made, delivery_failed, …")
    reason = serializers.CharField(help_text="The same as a sentence.")
    detail = serializers.JSONField(help_text="What it rests on: the event, the setting, the answer.")


class WhySerializer(serializers.Serializer[Any]):
    """Why you did, or did not, get this."""

    notification = serializers.UUIDField()
    reasons = ReasonSerializer(many=True, help_text="In the order in which it happened.")


class WhyReminderSerializer(serializers.Serializer[Any]):
    """What became of a reminder, and of what was told of it."""

    reminder = serializers.UUIDField()
    reasons = ReasonSerializer(many=True, help_text="In the order in which it happened.")


def reasons_shown(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    return [
        {
            "at": instant_text(one.at),
            "transport": one.transport or None,
            "what": one.what,
            "reason": one.reason,
            "detail": one.detail,
        }
        for one in reasons
    ]
