"""How decisions look over REST: why you did, or did not, get something."""

from typing import Any

from rest_framework import serializers


class ReasonSerializer(serializers.Serializer[Any]):
    """One decision, or one thing that happened."""

    at = serializers.DateTimeField(allow_null=True)
    transport = serializers.CharField(allow_null=True, help_text="Null: of all of them.")
    what = serializers.CharField(help_text="What was decided or happened, in a word: told, held, switched_off, …")
    reason = serializers.CharField(help_text="The same as a sentence.")
    detail = serializers.JSONField(allow_null=True, help_text="What it rests on: the event, the setting, the answer.")


class WhySerializer(serializers.Serializer[Any]):
    """Why you did, or did not, get this."""

    notification = serializers.UUIDField()
    reasons = ReasonSerializer(many=True, help_text="In the order in which it happened.")


class WhyReminderSerializer(serializers.Serializer[Any]):
    """What became of a reminder, and of the notifications that came of it."""

    reminder = serializers.UUIDField()
    notifications = serializers.ListField(child=serializers.UUIDField(), help_text="The newest 20.")
    reasons = ReasonSerializer(many=True, help_text="In the order in which it happened.")
