"""`manage.py healthcheck --role R`: listed with the other commands; `manage.py` runs it without starting Django."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.events.management.manners import PlatformCommand
from apps.ops import probe


class Command(PlatformCommand):
    help = probe.HELP
    exits = {0: "it does its work", 1: "it does not, and one line says why"}
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        probe.add_arguments(parser)

    def handle(self, *args: Any, role: str, **options: Any) -> None:
        if why := probe.failure(role):
            raise CommandError(why)
