"""The audit trail in the admin: for looking, for everybody; nobody adds, changes or deletes.

`asked` is what a page is asked for, `trail` finds it, `rows` and `differences` tell it, `causes` and `proof` are a
record's tree and its place in the chain, `exports` writes what is filtered, `records` has the pages.
"""

from apps.audit.admin.records import AuditRecordAdmin

__all__ = ["AuditRecordAdmin"]
