"""Puts the declared schedules into celery beat's tables."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.events import schedules


class Command(BaseCommand):
    help = "Create missing beat schedules, update untouched ones, keep those changed in the admin. Repeatable; exit 0."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, done in schedules.synchronise().items():
            self.stdout.write(f"{name}: {done}")
