"""What the processes count as they work, for `/metrics`. docs/metrics.md has the table of all names.

Counters and histograms only grow; each process counts for itself, in memory, or in files of `METRICS_DIR` where the
processes of a role are summed. What is state (the outbox, a lag) is not here: it is read when somebody asks.
Invariant: labels are bounded: groups, declared event types, routes; never an id or anything a caller chose.
"""

import os
from collections import Counter as Tally
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from django.conf import settings

FOLDER: Path | None = None
if settings.METRICS_DIR and settings.ROLE in settings.ROLES:
    # Where prometheus-client keeps the figures of several processes; it looks once, when it is imported.
    FOLDER = Path(settings.METRICS_DIR, settings.ROLE)
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(FOLDER)

import prometheus_client  # noqa: E402 - after the folder is named

from apps.events import event_types  # noqa: E402
from apps.events.envelope import Envelope  # noqa: E402

UNKNOWN_TYPE = "unknown"
REGISTRY = prometheus_client.CollectorRegistry()
# When a counter began is the process's start, and a name more for each.
prometheus_client.disable_created_metrics()
# By these the other rooms declare what they count themselves.
counter = partial(prometheus_client.Counter, registry=REGISTRY)
histogram = partial(prometheus_client.Histogram, registry=REGISTRY)

events_handled = counter("events_handled_total", "Events applied to a group, each once.", ["group", "type"])
events_failed = counter("events_failed_total", "Attempts of a group at a batch that were rolled back.", ["group"])
events_repeated = counter("events_repeated_total", "Events that came to a group and changed nothing.", ["group"])
events_parked = counter("events_parked_total", "Events a group gave up on, or set behind such a one.", ["group"])
events_unreadable = counter("events_unreadable_total", "Records a group met that are no event of ours.", ["group"])
commit_to_handled = histogram(
    "event_commit_to_handled_seconds",
    "From the instant an event tells, just before the commit of its change, to the commit of the group.",
    ["group"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
relay_records = counter("relay_records_total", "Records that Kafka acknowledged.")
relay_refused = counter("relay_refused_total", "Records that Kafka refused; each is tried again.")
relay_leader = prometheus_client.Gauge(
    "relay_leader", "1 while this process is the active relay.", multiprocess_mode="livesum", registry=REGISTRY
)
http_requests = counter(
    "http_requests_total", "Requests answered, by the name of their route.", ["method", "route", "status"]
)
http_seconds = histogram(
    "http_request_duration_seconds",
    "From the request to its answer, or to the beginning of one that is streamed.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


def count_handled(group: str, events: Sequence[Envelope], *, now: datetime | None = None) -> None:
    """Events that a group has just applied and committed."""
    now = now or datetime.now(UTC)
    seconds = commit_to_handled.labels(group)
    for event in events:
        seconds.observe(max(0.0, (now - event.occurred_at).total_seconds()))
    for event_type, number in Tally(event.type for event in events).items():
        events_handled.labels(group, event_type if event_types.find(event_type) else UNKNOWN_TYPE).inc(number)


def count_set_aside(group: str, *, repeated: int = 0, parked: int = 0) -> None:
    """Events of a batch that a group did not apply."""
    if repeated:
        events_repeated.labels(group).inc(repeated)
    if parked:
        events_parked.labels(group).inc(parked)


def count_failed(group: str) -> None:
    events_failed.labels(group).inc()


def count_unreadable(group: str, records: int) -> None:
    events_unreadable.labels(group).inc(records)


def count_relayed(*, acknowledged: int, refused: int) -> None:
    relay_records.inc(acknowledged)
    relay_refused.inc(refused)
