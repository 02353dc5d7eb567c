"""How audit records look over REST: read-only."""

from rest_framework import serializers

from apps.audit.models import AuditRecord


class AuditRecordSerializer(serializers.ModelSerializer[AuditRecord]):
    """One fact: who did what to which thing, when, and where it stood in Kafka."""

    url = serializers.HyperlinkedIdentityField(view_name="audit-detail")
    correlation_id = serializers.CharField(allow_null=True)
    data = serializers.JSONField(  # type: ignore[assignment]  # the name is the API's
        allow_null=True, help_text="`null` when its person has been erased."
    )

    class Meta:
        model = AuditRecord
        fields = [
            "id",
            "url",
            "event_id",
            "type",
            "subject_type",
            "subject_id",
            "subject_version",
            "owner_id",
            "actor_id",
            "source",
            "correlation_id",
            "causation_id",
            "occurred_at",
            "recorded_at",
            "data",
            "record_topic",
            "record_partition",
            "record_offset",
            "readable",
        ]
        read_only_fields = fields
