"""The Celery application: `celery -A todo_project worker --consume audit -Q audit`."""

import os

from celery import Celery

from apps.events.worker import install

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings.base")

app = Celery("todo_project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(related_name="jobs")

install(app)
