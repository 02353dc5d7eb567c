"""The audit trail in the admin: for looking, for everybody; nobody adds, changes or deletes.

`requested` and `asked` are what a page is asked for, `trail` finds it, `rows` and `differences` tell it, `details` is
all about one record, with its tree of `causes` and its `proof`; `exports` writes what is filtered, `downloads` hands it
out; `records` has the pages, `verifications` those of what was found.
"""

from apps.audit.admin.records import AuditRecordAdmin
from apps.audit.admin.verifications import AuditVerificationAdmin

__all__ = ["AuditRecordAdmin", "AuditVerificationAdmin"]
