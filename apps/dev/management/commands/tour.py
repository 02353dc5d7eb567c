"""Drives one task through its life, and one that repeats to its next, and prints each hop as it happens."""

import statistics
import sys
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone
from rich.console import Console

from apps.calendar.zones import local_date, zone
from apps.dev.people import ADA
from apps.dev.rest_client import RequestFailed, RestClient
from apps.dev.tour import STEPS, Hop, HopFailed, Step, Tour
from apps.dev.tour_of_reminders import AHEAD, ReminderTour
from apps.dev.tour_of_reminders import steps as steps_of_reminder
from apps.dev.tour_of_series import SeriesTour
from apps.dev.tour_of_series import steps as steps_of_series
from apps.events.brokers import get_broker
from apps.events.errors import BrokerFailed
from apps.events.management.manners import PlatformCommand, could_not_look
from apps.notifications.events import REMINDERS_TOPIC
from apps.recurrence.events import TOPIC as SERIES_TOPIC
from apps.tasks.events import TOPIC, UPDATES_TOPIC

_TOPICS = [TOPIC, UPDATES_TOPIC, SERIES_TOPIC, REMINDERS_TOPIC]


class Command(PlatformCommand):
    help = (
        "Follow one task from REST to its audit record, one that repeats to its next occurrence, and a reminder a few "
        "seconds ahead to the inbox and the mail, hop by hop with latencies. "
        "`make tour` does it in a stack of its own."
    )
    exits = {0: "every hop was seen", 1: "a hop failed", 3: "the platform does not run"}

    def handle(self, *args: Any, **options: Any) -> None:
        # Colours for a person; for a pipe the same lines plain.
        self.console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        client = RestClient(settings.PUBLIC_URL, csrf_cookie=settings.CSRF_COOKIE_NAME)
        try:
            if not client.sign_in(username=ADA.username, password=ADA.password):
                raise CommandError(f"Could not sign in as {ADA.username}: run manage.py seed on an empty database.")
            tail = get_broker().tail(_TOPICS, from_beginning=False)
            # The first answer means that the end of the topics is known: nothing after it is missed.
            next(tail)
            tour = Tour(client, tail=tail)
            tour.wait_until_quiet()
            slowest = [self._show(step, tour) for step in STEPS]
            self._print("[bold]look back[/bold]  what the audit trail tells of the task", tour.history())
            repeating = SeriesTour(client, tail=tail)
            today = local_date(timezone.now(), zone(ADA.time_zone))
            slowest += [self._show(step, repeating) for step in steps_of_series(today)]
            self._print("[bold]repeat[/bold]  what follows in the series", repeating.follow(due=today))
            reminded = ReminderTour(client, tail=tail)
            at = timezone.now().replace(microsecond=0) + AHEAD
            ask, complete = steps_of_reminder(at)
            slowest.append(self._show(ask, reminded))
            self._print(f"[bold]tell[/bold]  what is due at {at:%H:%M:%S} UTC", reminded.follow(at=at))
            slowest.append(self._show(complete, reminded))
            self._print("[bold]prove[/bold]  that the trail is whole", tour.prove())
        except HopFailed as reason:
            raise CommandError(f"The tour ended early. {reason}") from reason
        except (RequestFailed, BrokerFailed) as reason:
            raise could_not_look(f"The tour ended early. {reason}") from reason
        self.console.print(
            f"\n{len(slowest)} changes, each from its answer to its audit record: "
            f"median {statistics.median(slowest):.0f} ms, slowest {max(slowest):.0f} ms."
        )

    def _show(self, step: Step, tour: Tour) -> float:
        """Milliseconds from the answer to the last hop."""
        return self._print(f"[bold]{step.name}[/bold]  {step.method} {step.path}", tour.take(step))

    def _print(self, heading: str, hops: Iterator[Hop]) -> float:
        """Milliseconds of the last hop."""
        self.console.print(f"\n{heading}")
        milliseconds = 0.0
        for hop in hops:
            milliseconds = hop.milliseconds
            took = f"{milliseconds:>7.1f} ms" if milliseconds else " " * 10
            self.console.print(f"  {hop.name:<7} {took}  [dim]{hop.seen}[/dim]")
        return milliseconds
