from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "apps.audit"

    def ready(self) -> None:
        from apps.audit import subscribers
        from apps.events import schedules
        from apps.events.schedules import Schedule

        queue = subscribers.group.name
        schedules.declare("Verify the audit trail", Schedule("audit.verify_trail", queue, 60, {}))
        schedules.declare("Erase late audit contents", Schedule("audit.erase_late_contents", queue, 60, {}))
