"""Celery work of the event core: sweeps, each harmless to run twice or late.

They ride in the queue of a consumer group, so that a group's worker looks after its own group.
"""

from celery import shared_task

from apps.events import erasure, reconcile, retention
from apps.events.brokers import get_broker
from apps.events.missing import Laps
from apps.events.subscriptions import group_named

# A process that runs jobs goes on where its last one came to.
_LAPS = Laps()


@shared_task(name="events.reconcile_group")
def reconcile_group(group: str) -> None:
    reconcile.run(group_named(group), broker=get_broker(), laps=_LAPS)


@shared_task(name="events.prune_log")
def prune_log() -> None:
    retention.prune_handled_events()
    retention.prune_events()


@shared_task(name="events.erase_again")
def erase_again() -> None:
    """What was still under way when a person was erased is emptied once every group has been given it."""
    erasure.erase_unfinished()
