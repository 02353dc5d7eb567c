from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "apps.audit"

    def ready(self) -> None:
        from apps.audit import checks, subscribers  # noqa: F401  `checks` registers itself
        from apps.events import rights, schedules
        from apps.events.schedules import Schedule

        queue = subscribers.group.name
        schedules.declare("Verify the audit trail", Schedule("audit.verify_trail", queue, 60, {}))
        schedules.declare("Erase late audit contents", Schedule("audit.erase_late_contents", queue, 60, {}))
        schedules.declare("Sign a checkpoint of the audit trail", Schedule("audit.write_checkpoint", queue, 60, {}))
        # Content goes by the function that asks whether its person has been erased, and by nothing else.
        rights.restrict("audit_auditrecord", to={"SELECT", "INSERT"}, filled={"id"})
        rights.restrict("audit_auditcontent", to={"SELECT", "INSERT"})
        # What was found once is not found otherwise afterwards; old ones go.
        rights.restrict("audit_auditverification", to={"SELECT", "INSERT", "DELETE"})
