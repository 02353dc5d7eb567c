"""How audit records look over REST: read-only."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.audit import chain
from apps.audit.kept import Kept
from apps.audit.models import AuditRecord
from apps.audit.telling import Told

_DATA = "What the event held; null when it is not `kept`. Of an unreadable record why, and its bytes."
_KEPT: dict[str, Any] = {
    "type": "string",
    "enum": [each.value for each in Kept],
    "description": "What is left of what it held: all of it; nothing, as its person was erased; nothing, though nobody "
    "was erased; what cannot be read. The last two are signs that somebody changed the trail.",
}


def _hex(column: Any) -> str:
    return bytes(column).hex()


class ProofSerializer(serializers.BaseSerializer[AuditRecord]):
    """What the record's hash is made of. docs/audit.md shows how anyone can compute it again."""

    def to_representation(self, record: AuditRecord) -> dict[str, Any]:
        told = record.has_content
        return {
            "format": chain.FORMAT,
            "canonical": chain.canonical_bytes(record.link).decode(),
            "hash": _hex(record.hash),
            "previous_hash": _hex(record.previous_hash),
            "commitment": _hex(record.commitment),
            "salt": _hex(record.content.salt) if told else None,
            "content": record.content.text if told else None,
        }


_HEX: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_PROOF: dict[str, Any] = {
    "type": "object",
    "description": "What proves the record: see docs/audit.md for how to compute it again.",
    "properties": {
        "format": {"type": "integer", "description": "The way the bytes are written."},
        "canonical": {"type": "string", "description": "The bytes, in UTF-8, whose SHA-256 is `hash`."},
        "hash": _HEX,
        "previous_hash": _HEX | {"description": "The hash of the record before it in its chain; of the first, zeros."},
        "commitment": _HEX | {"description": "HMAC-SHA256 of `content` with `salt`. It stays when both are erased."},
        "salt": {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"},
        "content": {"type": ["string", "null"], "description": "What people wrote, as the text that is committed to."},
    },
    "required": ["format", "canonical", "hash", "previous_hash", "commitment", "salt", "content"],
}


class AuditRecordSerializer(serializers.ModelSerializer[AuditRecord]):
    """One fact: who did what to which thing, when, and where it stands in the trail and stood in Kafka."""

    url = serializers.HyperlinkedIdentityField(view_name="audit-detail")
    sentence = serializers.SerializerMethodField(help_text="What happened, in words.")
    correlation_id = serializers.CharField(allow_null=True, help_text="Null when `data` is.")
    data = serializers.JSONField(allow_null=True, help_text=_DATA)  # type: ignore[assignment]  # the name is the API's
    erased = serializers.SerializerMethodField(help_text="Whether what it held has been erased with its person.")
    kept = serializers.SerializerMethodField()

    class Meta:
        model = AuditRecord
        fields = [
            "id",
            "url",
            "sentence",
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
            "erased",
            "kept",
            "record_topic",
            "record_partition",
            "record_offset",
            "readable",
            "chain",
            "sequence",
        ]
        read_only_fields = fields

    def get_sentence(self, record: AuditRecord) -> str:
        return str(self.context["told"][record.pk].sentence)

    def get_erased(self, record: AuditRecord) -> bool:
        return self._kept(record) is Kept.ERASED

    @extend_schema_field(_KEPT)
    def get_kept(self, record: AuditRecord) -> str:
        return self._kept(record).value

    def _kept(self, record: AuditRecord) -> Kept:
        kept: Kept = self.context["told"][record.pk].kept
        return kept


class ProvedRecordSerializer(AuditRecordSerializer):
    """One fact, with what proves it."""

    proof = serializers.SerializerMethodField()

    class Meta(AuditRecordSerializer.Meta):
        fields = [*AuditRecordSerializer.Meta.fields, "proof"]
        read_only_fields = fields

    @extend_schema_field(_PROOF)
    def get_proof(self, record: AuditRecord) -> dict[str, Any]:
        return dict(ProofSerializer(record).data)


class ChangeSerializer(serializers.Serializer[Any]):
    """A field with its value before and after."""

    field = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class HistoryEntrySerializer(serializers.Serializer[Told]):
    """One thing that happened, as a person reads it."""

    at = serializers.DateTimeField(source="record.occurred_at", allow_null=True)
    who = serializers.CharField(help_text="A username, “Somebody” who is gone, or “the platform”.")
    sentence = serializers.CharField(help_text="With days and hours of your wall clock.")
    type = serializers.CharField(source="record.type")
    changes = ChangeSerializer(many=True)
    record = serializers.HyperlinkedRelatedField[AuditRecord](view_name="audit-detail", read_only=True)
