"""The audit trail over REST: read-only."""

from uuid import UUID

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets

from apps.accounts.models import User
from apps.audit import selectors
from apps.audit.models import AuditRecord
from apps.audit.serializers import AuditRecordSerializer


class AuditRecordFilter(filters.FilterSet):
    task = filters.UUIDFilter(method="of_task", label="Task", help_text="Records of this task.")
    type = filters.CharFilter(help_text="Records of this event type, such as task.created.v1.")
    actor = filters.UUIDFilter(field_name="actor_id", help_text="What this person did.")

    class Meta:
        model = AuditRecord
        fields: list[str] = []

    def of_task(self, records: QuerySet[AuditRecord], name: str, value: UUID) -> QuerySet[AuditRecord]:
        return records.filter(subject_type="task", subject_id=value)


@extend_schema_view(
    list=extend_schema(summary="The audit trail, newest first"),
    retrieve=extend_schema(summary="One audit record"),
)
class AuditRecordViewSet(viewsets.ReadOnlyModelViewSet[AuditRecord]):
    """What happened to what is yours, newest first. Staff see the whole trail."""

    serializer_class = AuditRecordSerializer
    filterset_class = AuditRecordFilter
    lookup_value_regex = "[0-9]{1,18}"
    queryset = AuditRecord.objects.none()

    def get_queryset(self) -> QuerySet[AuditRecord]:
        user = self.request.user
        return selectors.records_visible_to(user) if isinstance(user, User) else AuditRecord.objects.none()
