"""How deliveries and their attempts look over REST."""

from typing import Any

from rest_framework import serializers

from apps.calendar.zones import instant_text
from apps.notifications.models import Delivery, DeliveryAttempt
from apps.notifications.selectors import shown_deliveries
from apps.tasks.serializers.things import Represented


class AttemptSerializer(serializers.Serializer[Any]):
    """One try."""

    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.ChoiceField(choices=DeliveryAttempt.Outcome.choices)
    error = serializers.CharField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True, help_text="How long it took.")
    request = serializers.JSONField(help_text="What was sent, without secrets.")
    response = serializers.JSONField(help_text="What was answered, its beginning.")


class DeliverySerializer(Represented):
    """A message to one of your endpoints."""

    id = serializers.UUIDField(read_only=True, help_text="The idempotency key of every attempt.")
    url = serializers.URLField(read_only=True)
    kind = serializers.ChoiceField(choices=Delivery.Kinds.choices, read_only=True)
    status = serializers.ChoiceField(choices=Delivery.Status.choices, read_only=True)
    attempts = serializers.IntegerField(read_only=True, help_text="How many there were.")
    send_at = serializers.DateTimeField(read_only=True, help_text="Not before then; the next attempt.")
    error = serializers.CharField(read_only=True, allow_null=True, help_text="What the last attempt met.")
    because = serializers.CharField(read_only=True, allow_null=True)
    redelivery_of = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="The delivery that this one sends again."
    )
    created_at = serializers.DateTimeField(read_only=True)
    finished_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def to_representation(self, one: Delivery) -> dict[str, Any]:
        return {
            "id": str(one.pk),
            "url": f"{self.base_address()}webhooks/{one.destination}/deliveries/{one.pk}/",
            "kind": str(one.kind),
            "status": str(one.status),
            "attempts": one.attempts,
            "send_at": instant_text(one.send_at),
            "error": one.error or None,
            "because": one.because or None,
            "redelivery_of": str(one.redelivery_of_id) if one.redelivery_of_id else None,
            "created_at": instant_text(one.created_at),
            "finished_at": instant_text(one.finished_at),
        }


class DeliveryDetailSerializer(DeliverySerializer):
    """A message to one of your endpoints, with its content and every attempt."""

    notifications = serializers.ListField(
        child=serializers.UUIDField(), read_only=True, help_text="What it tells of, at most 100."
    )
    content = serializers.JSONField(read_only=True, allow_null=True, help_text="What is sent; null until it first is.")
    tries = AttemptSerializer(read_only=True, many=True, help_text="Every attempt, the first first.")

    def to_representation(self, one: Delivery) -> dict[str, Any]:
        items = one.items.order_by("notification_id").values_list("notification_id", flat=True)
        return {
            **super().to_representation(one),
            "notifications": [str(pk) for pk in items[:100]],
            "content": one.content,
            "tries": [tried(each) for each in shown_deliveries.attempts_of(one)],
        }


def tried(attempt: DeliveryAttempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at": instant_text(attempt.started_at),
        "finished_at": instant_text(attempt.finished_at),
        "outcome": str(attempt.outcome),
        "error": attempt.error or None,
        "seconds": attempt.seconds,
        "request": attempt.request,
        "response": attempt.response,
    }
