"""Reads of the audit trail. Who may see what is decided here alone."""

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.audit.models import AuditRecord


def records_visible_to(user: User) -> QuerySet[AuditRecord]:
    """Staff see the whole trail; others see what happened to what is theirs."""
    records = AuditRecord.objects.defer("raw_key", "raw_value")
    return records if user.is_staff else records.filter(owner_id=user.id)
