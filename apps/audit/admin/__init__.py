"""The audit trail in the admin: for looking, for everybody; nobody adds, changes or deletes.

`asked` is what a page is asked for, `trail` finds it, `rows` and `differences` tell it, `causes` and `proof` are a
record's tree and its place in the chain, `exports` writes what is filtered, `records` has the pages; `verifications`
those of what was found.
"""

from apps.audit.admin.records import AuditRecordAdmin
from apps.audit.admin.verifications import AuditVerificationAdmin

__all__ = ["AuditRecordAdmin", "AuditVerificationAdmin"]
