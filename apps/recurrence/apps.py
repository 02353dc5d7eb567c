from django.apps import AppConfig


class RecurrenceConfig(AppConfig):
    name = "apps.recurrence"

    def ready(self) -> None:
        from apps.events import schedules
        from apps.events.schedules import Schedule

        # The first two connect signals: to what is counted, and to events.
        from apps.recurrence import metrics, publishers, subscribers  # noqa: F401

        queue = subscribers.group.name
        schedules.declare("Make occurrences whose time has come", Schedule("recurrence.make_due", queue, 30, {}))
        schedules.declare("Repair series without a next occurrence", Schedule("recurrence.repair", queue, 120, {}))
