"""How preferences look over REST, and what a body that changes them may hold."""

from collections.abc import Mapping
from datetime import time
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.utils import html

from apps.accounts.models import User
from apps.calendar.zones import instant_text
from apps.notifications.choices import switches
from apps.notifications.kinds import Kind
from apps.notifications.models import Preferences
from apps.notifications.transports import transports
from apps.notifications.transports.base import Transport
from apps.tasks.serializers.fields import IntentField
from apps.tasks.serializers.things import Represented

_SWITCHES: dict[str, Any] = {
    "type": "object",
    "description": "Per kind and transport, whether you are told. Name those to change; the rest stay.",
    "additionalProperties": {"type": "object", "additionalProperties": {"type": "boolean"}},
    "example": {"overdue": {"email": True}, "reminder": {"push": False}},
}


@extend_schema_field(_SWITCHES)
class SwitchesField(IntentField):
    """In a form nothing typed is nothing said."""

    def get_value(self, dictionary: Mapping[str, Any]) -> Any:
        given = super().get_value(dictionary)
        return empty if given is None and html.is_html_input(dictionary) else given


class WallTimeField(serializers.TimeField):
    """A time of day on your clock."""

    def __init__(self, **options: Any) -> None:
        super().__init__(input_formats=["%H:%M", "%H:%M:%S"], **options)


class TransportSerializer(serializers.Serializer[Any]):
    """A way to tell you."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    is_reached = serializers.BooleanField(help_text="Whether it reaches you now.")
    why_not = serializers.CharField(allow_null=True, help_text="What is missing, where it does not.")


class PreferencesSerializer(Represented):
    """How you want to be told. What is not set is as by default."""

    switches = SwitchesField(required=False, help_text="Kinds: " + ", ".join(Kind.values) + ".", style={"rows": 10})
    default_before_due = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=32,
        help_text="Of tasks due at an instant that ask for no reminder in particular: how long before due, such as "
        "PT30M. Null: none.",
    )
    default_on_day = WallTimeField(
        required=False, allow_null=True, help_text="Of tasks due on a day: at what time of it. Null: none."
    )
    quiet_from = WallTimeField(
        required=False,
        allow_null=True,
        help_text="Quiet hours on your clock, which may pass midnight: what would go out is held until they end and "
        "then sent as one. What is urgent passes. Give both ends, or null for none.",
    )
    quiet_until = WallTimeField(required=False, allow_null=True)
    digest_at = WallTimeField(
        required=False, allow_null=True, help_text="When each day begins with a summary. Null: never."
    )
    batches = serializers.BooleanField(
        required=False, help_text="What falls together within a minute goes out as one; what is urgent does not wait."
    )
    stale_after_hours = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=24 * 366,
        help_text="A reminder that is later than this, after a downtime, is not told but marked stale. Null: always "
        "told.",
    )
    time_zone = serializers.CharField(read_only=True, help_text="Where your clock hangs; change it at `me/`.")
    transports = TransportSerializer(read_only=True, many=True)
    next_digest_at = serializers.DateTimeField(read_only=True, allow_null=True)
    version = serializers.IntegerField(read_only=True, min_value=0, help_text="0: you never changed anything.")
    updated_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def to_representation(self, preferences: Preferences) -> dict[str, Any]:
        context: dict[str, Any] = self.context  # type: ignore[assignment]
        owner: User = context["request"].user
        changed = preferences.version > 0
        return {
            "switches": switches.table(preferences.switches),
            "default_before_due": preferences.default_before_due,
            "default_on_day": _clock(preferences.default_on_day),
            "quiet_from": _clock(preferences.quiet_from),
            "quiet_until": _clock(preferences.quiet_until),
            "digest_at": _clock(preferences.digest_at),
            "batches": preferences.batches,
            "stale_after_hours": preferences.stale_after_hours,
            "time_zone": owner.time_zone,
            "transports": [_reached(one, owner) for one in transports().values()],
            "next_digest_at": instant_text(preferences.next_digest_at),
            "version": preferences.version,
            "updated_at": instant_text(preferences.updated_at) if changed else None,
        }


def _clock(wall: time | None) -> str | None:
    return None if wall is None else wall.isoformat("seconds" if wall.second else "minutes")


def _reached(transport: Transport, owner: User) -> dict[str, Any]:
    destinations = transport.destinations([owner]).get(owner.pk, [])
    there = any(not one.held for one in destinations)
    return {
        "name": transport.name,
        "label": transport.label,
        "is_reached": there,
        "why_not": None if there else transport.held() if destinations else transport.nowhere(),
    }
