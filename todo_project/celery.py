"""The Celery application: `celery -A todo_project worker --consume audit -Q audit`."""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings.base")

app = Celery("todo_project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(related_name="jobs")


@app.on_after_finalize.connect
def consume_kafka_in_workers(sender: Celery, **_: object) -> None:
    """Give `celery worker` its `--consume` option and the step behind it."""
    from apps.events.worker import install

    install(sender, groups=settings.CONSUMER_GROUPS)
