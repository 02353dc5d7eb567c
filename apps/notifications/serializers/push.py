"""How browsers that are pushed to look over REST.

Invariant: neither the keys of a browser nor its address is told: who has them may write to it.
"""

from typing import Any
from urllib.parse import urlsplit

from rest_framework import serializers

from apps.accounts.serializers import RefusesUnknownFields
from apps.calendar.zones import instant_text
from apps.notifications.models import PushSubscription
from apps.notifications.models.push import MAX_ENDPOINT_LENGTH
from apps.tasks.serializers.things import Represented


class PublicKeySerializer(serializers.Serializer[Any]):
    """What a browser needs to subscribe."""

    public_key = serializers.CharField(help_text="`applicationServerKey`: base64url of the point, uncompressed.")


class BrowserKeysSerializer(RefusesUnknownFields):
    p256dh = serializers.CharField(max_length=120, write_only=True)
    auth = serializers.CharField(max_length=64, write_only=True, style={"input_type": "password"})


class PushSubscriptionSerializer(Represented):
    """A browser of yours, as `PushSubscription.toJSON()` tells of it; the same one again is the same one."""

    id = serializers.UUIDField(read_only=True)
    url = serializers.URLField(read_only=True)
    endpoint = serializers.URLField(write_only=True, max_length=MAX_ENDPOINT_LENGTH)
    keys = BrowserKeysSerializer(write_only=True)
    expirationTime = serializers.IntegerField(  # noqa: N815 - browsers' own name
        write_only=True, required=False, allow_null=True, help_text="Browsers send it; it is not kept."
    )
    label = serializers.CharField(  # type: ignore[assignment]
        max_length=200, required=False, allow_blank=True, help_text="What to call it, such as Firefox on the laptop."
    )
    service = serializers.CharField(read_only=True, help_text="The host that carries its messages.")
    digest = serializers.CharField(
        read_only=True, help_text="SHA-256 of the endpoint, in hex: by it a browser finds itself."
    )
    failures = serializers.IntegerField(read_only=True, help_text="In a row.")
    created_at = serializers.DateTimeField(read_only=True)
    succeeded_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def to_representation(self, one: PushSubscription) -> dict[str, Any]:
        return {
            "id": str(one.pk),
            "url": f"{self.base_address()}push/subscriptions/{one.pk}/",
            "label": one.label,
            "service": service_of(one),
            "digest": one.digest,
            "failures": one.failures,
            "created_at": instant_text(one.created_at),
            "succeeded_at": instant_text(one.succeeded_at),
        }


def service_of(one: PushSubscription) -> str:
    """The host of its endpoint; the rest of that is as good as a key."""
    return urlsplit(one.endpoint).hostname or ""
