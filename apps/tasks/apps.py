from django.apps import AppConfig
from django.conf import settings


class TasksConfig(AppConfig):
    name = "apps.tasks"

    def ready(self) -> None:
        from apps.events import schedules
        from apps.tasks import publishers  # noqa: F401  connects signals to events

        sweep = schedules.Schedule("tasks.purge", settings.CELERY_TASK_DEFAULT_QUEUE, 600, {})
        schedules.declare("Purge deleted tasks and old answers", sweep)
