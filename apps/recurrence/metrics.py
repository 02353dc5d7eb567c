"""What is counted of series, for `/metrics`, each when its transaction was committed."""

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from apps.events import metrics
from apps.recurrence import signals

made = metrics.counter("recurrence_made_total", "Next occurrences made.")
repaired = metrics.counter("recurrence_repaired_total", "Next occurrences that were missing; 0 when all is well.")


@receiver(signals.occurrence_generated)
def count_made(**_: Any) -> None:
    transaction.on_commit(made.inc)
