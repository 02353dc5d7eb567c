"""How webhook endpoints look over REST, and what a body that makes or changes one may hold.

Invariant: a secret stands in the answer to its making and to its rotation, and nowhere else.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.accounts.serializers import RefusesUnknownFields
from apps.calendar.zones import instant_text
from apps.notifications.models import WebhookEndpoint
from apps.notifications.models.webhooks import MAX_URL_LENGTH
from apps.notifications.serializers.links import links
from apps.tasks.serializers.fields import DueAtField
from apps.tasks.serializers.things import Represented

_LINKS = links("self", "deliveries", "test")


class WebhookSerializer(Represented):
    """An address that is told what you are told."""

    id = serializers.UUIDField(read_only=True)
    url = serializers.CharField(
        max_length=MAX_URL_LENGTH, help_text="Where to send to: an https address on the public internet."
    )
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    status = serializers.ChoiceField(
        choices=WebhookEndpoint.Status.choices,
        read_only=True,
        help_text="failing: we switched it off after it had failed for long. What it would be told is held until it is "
        "enabled again.",
    )
    disabled_at = serializers.DateTimeField(read_only=True, allow_null=True)
    disabled_because = serializers.CharField(read_only=True, allow_null=True)
    failures = serializers.IntegerField(read_only=True, help_text="In a row.")
    failing_since = serializers.DateTimeField(read_only=True, allow_null=True)
    succeeded_at = serializers.DateTimeField(read_only=True, allow_null=True)
    previous_secret_until = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Until then the secret before signs too."
    )
    version = serializers.IntegerField(read_only=True, min_value=1)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    links = serializers.SerializerMethodField(help_text="Where related things are.")

    @extend_schema_field(_LINKS)
    def get_links(self, endpoint: WebhookEndpoint) -> dict[str, str]:
        here = f"{self.base_address()}webhooks/{endpoint.pk}/"
        return {"self": here, "deliveries": f"{here}deliveries/", "test": f"{here}test/"}

    def to_representation(self, endpoint: WebhookEndpoint) -> dict[str, Any]:
        return {
            "id": str(endpoint.pk),
            "url": endpoint.url,
            "description": endpoint.description,
            "status": str(endpoint.status),
            "disabled_at": instant_text(endpoint.disabled_at),
            "disabled_because": endpoint.disabled_because or None,
            "failures": endpoint.failures,
            "failing_since": instant_text(endpoint.failing_since),
            "succeeded_at": instant_text(endpoint.succeeded_at),
            "previous_secret_until": instant_text(endpoint.previous_secret_until),
            "version": endpoint.version,
            "created_at": instant_text(endpoint.created_at),
            "updated_at": instant_text(endpoint.updated_at),
            "links": self.get_links(endpoint),
        }


class WebhookWithSecretSerializer(WebhookSerializer):
    """An address with the secret that its messages are signed with."""

    secret = serializers.CharField(read_only=True, help_text="whsec_…: it is shown here and never again.")

    def to_representation(self, endpoint: WebhookEndpoint) -> dict[str, Any]:
        context: dict[str, Any] = self.context  # type: ignore[assignment]
        return {**super().to_representation(endpoint), "secret": context["secret"]}


class RedeliverSerializer(RefusesUnknownFields):
    """Which to send again: one, or what was sent between two instants."""

    delivery = serializers.UUIDField(required=False, allow_null=True, help_text="The id of one delivery.")
    locals()["from"] = DueAtField(
        required=False, allow_null=True, help_text="What was made at or after this instant; without an offset, yours."
    )
    to = DueAtField(required=False, allow_null=True, help_text="… and before this one; now when it is left out.")

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in asked.items() if value is not None}
        if ("delivery" in given) == ("from" in given) or ("delivery" in given and "to" in given):
            raise serializers.ValidationError('Give {"delivery": id}, or {"from": instant, "to": instant}.')
        return given


class RedeliveredSerializer(serializers.Serializer[Any]):
    """What is sent again."""

    deliveries = serializers.ListField(child=serializers.UUIDField(), help_text="The ids of the new deliveries.")
    is_all = serializers.BooleanField(help_text="False: there are more; ask again from where the last one was made.")
