"""How audit records look over REST: read-only."""

from rest_framework import serializers

from apps.audit.models import AuditRecord


class AuditRecordSerializer(serializers.ModelSerializer[AuditRecord]):
    """One fact: who did what to which thing, when, and where it stood in Kafka."""

    url = serializers.HyperlinkedIdentityField(view_name="audit-detail")

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
            "unreadable_because",
        ]
        read_only_fields = fields
