"""Rings jobs of the notifications group as often as it is told: `python -m tests.faults.ringer JOB:SECONDS…`."""

import os
import sys


def main(words: list[str]) -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings.base")
    django.setup()
    from todo_project.celery import app

    for word in words:
        job, _, seconds = word.partition(":")
        app.send_task(f"notifications.{job}", queue="notifications", countdown=float(seconds), ignore_result=True)


if __name__ == "__main__":
    main(sys.argv[1:])
