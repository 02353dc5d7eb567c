from django.apps import AppConfig


class RecurrenceConfig(AppConfig):
    name = "apps.recurrence"

    def ready(self) -> None:
        from apps.events import schedules
        from apps.events.schedules import Schedule
        from apps.recurrence import publishers, subscribers  # noqa: F401  the first connects signals to events

        queue = subscribers.group.name
        schedules.declare("Make occurrences whose time has come", Schedule("recurrence.make_due", queue, 30, {}))
        schedules.declare("Repair series without a next occurrence", Schedule("recurrence.repair", queue, 120, {}))
