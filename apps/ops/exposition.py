"""What `/metrics` tells: what this role's processes have counted, how they do, and on the web the pipeline's state.

Invariant: however often somebody asks, the state is read every few seconds at most; what cannot be read is left out
and said so, and the rest is told. What a process counted stays in the role's sum when that process is gone, and its
files do not.
"""

import fcntl
import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from django.conf import settings
from django.utils import timezone
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from apps.events import metrics
from apps.ops import pipeline
from apps.ops.asking import Away
from apps.ops.pipeline import PipelineState

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# In the place of a process id, in the files of those that are gone.
_GONE = "0"


def exposition(*, with_state: bool) -> bytes:
    """Everything in Prometheus's text format. The state of the whole pipeline is told by one role, the web."""
    registry = CollectorRegistry()
    collectors: list[Collector] = [Counted(), Processes(), Build(), *([State()] if with_state else [])]
    for collector in collectors:
        registry.register(collector)
    return generate_latest(registry)


class Counted(Collector):
    """The counters and histograms, summed over the role's processes where they have a folder."""

    def collect(self) -> Iterable[Metric]:
        if metrics.FOLDER is None:
            return metrics.REGISTRY.collect()
        with _only_one(metrics.FOLDER):
            _take_over_from_the_dead(metrics.FOLDER)
            return list(MultiProcessCollector.merge([str(file) for file in _files(metrics.FOLDER)]))


class Processes(Collector):
    """`process_*` of each living process of the role."""

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for process in sorted(_living()):
            for metric in _figures_of(process):
                family = families.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    family.add_sample(sample.name, {"pid": str(process)}, sample.value)
        return families.values()


class Build(Collector):
    def collect(self) -> Iterable[Metric]:
        labels = {"release": settings.RELEASE, "python": platform.python_version(), "django": django.__version__}
        family = GaugeMetricFamily("build_info", "What runs here; always 1.", labels=list(labels))
        family.add_metric(list(labels.values()), 1)
        return [family]


class State(Collector):
    """What PostgreSQL and Kafka know of the pipeline, as read a few seconds ago at most."""

    def collect(self) -> Iterable[Metric]:
        for question in (pipeline.STATE, pipeline.LAGS):
            question.begin()
        found, lags = pipeline.STATE.answer(), pipeline.LAGS.answer()
        read = GaugeMetricFamily("pipeline_state_read", "1 when this part of the state could be read.", labels=["part"])
        read.add_metric(["postgresql"], not isinstance(found, Away))
        read.add_metric(["kafka"], not isinstance(lags, Away))
        yield read
        if not isinstance(found, Away):
            yield from _flow(found)
            yield from _groups(found)
            yield from _roles(found)
            yield from _audit(found)
            yield from _checkpoint(found)
            yield _sweeps(found)
            yield from _reminders(found)
        if not isinstance(lags, Away):
            yield _by("group", "consumer_group_lag_records", "Records a group has yet to handle.", lags)


# --- The files of several processes ---------------------------------------------------------------------


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*_*.db"))


def _process_of(file: Path) -> str:
    return file.stem.rpartition("_")[2]


def _take_over_from_the_dead(folder: Path) -> None:
    """Add what the dead have counted to one file, so that no sum ever shrinks; what they were goes with them."""
    for file in _files(folder):
        kind, _, process = file.stem.rpartition("_")
        if process == _GONE or _lives(int(process)):
            continue
        if not kind.startswith("gauge") and file.stat().st_size:
            total = MmapedDict(str(folder / f"{kind}_{_GONE}.db"))
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
                total.write_value(key, total.read_value(key)[0] + value, 0.0)
            total.close()
        file.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _living() -> set[int]:
    if metrics.FOLDER is None:
        return {os.getpid()}
    counted = {int(_process_of(file)) for file in _files(metrics.FOLDER)} - {int(_GONE)}
    return {os.getpid()} | {process for process in counted if _lives(process)}


def _figures_of(process: int) -> Iterable[Metric]:
    return ProcessCollector(pid=lambda: process, registry=None).collect()


# --- The state ------------------------------------------------------------------------------------------


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _by(label: str, name: str, told: str, values: dict[str, int] | dict[str, float]) -> Metric:
    family = GaugeMetricFamily(name, told, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _flow(found: PipelineState) -> Iterator[Metric]:
    yield _gauge("outbox_depth", "Events that Kafka has not acknowledged.", found.outbox.depth)
    yield _gauge("outbox_oldest_age_seconds", "Age of the oldest of them.", found.outbox.oldest_age_seconds)
    yield _gauge("outbox_held", "Events that cannot go to Kafka, or wait behind such a one.", found.outbox.held)
    parked = {group: found.parked.get(group, 0) for group in found.groups}
    yield _by("group", "dead_letters_parked", "Events that wait for somebody's decision.", parked)


def _groups(found: PipelineState) -> Iterator[Metric]:
    now = timezone.now()
    statuses = [status for status in found.groups.values() if status is not None]
    ages = {each.group: (now - each.checked_at).total_seconds() for each in statuses if each.checked_at}
    yield _by("group", "reconcile_age_seconds", "Since the reconcile last looked through a group.", ages)
    repaired = CounterMetricFamily(
        "reconcile_repaired", "Events a group had lost on the way; 0 when all is well.", labels=["group"]
    )
    for each in statuses:
        repaired.add_metric([each.group], each.repaired)
    yield repaired


def _roles(found: PipelineState) -> Iterator[Metric]:
    living = {life.role: life.processes for life in found.roles}
    ages = {life.role: life.youngest_age_seconds for life in found.roles if life.youngest_age_seconds is not None}
    yield _by("role", "role_processes", "Processes of a role whose loop has beaten within its limit.", living)
    yield _by("role", "heartbeat_age_seconds", "Since a loop of the role last came round.", ages)


def _audit(found: PipelineState) -> Iterator[Metric]:
    status = found.verification
    ages = {"incremental": status.age_seconds, "whole": status.whole_age_seconds}
    known = {kind: age for kind, age in ages.items() if age is not None}
    yield _by("kind", "audit_verification_age_seconds", "Since the audit trail was last verified.", known)
    if status.sound is not None:
        yield _gauge("audit_trail_sound", "1 when the last verification found nothing wrong.", status.sound)


def _checkpoint(found: PipelineState) -> Iterator[Metric]:
    noted = found.checkpoint
    yield _gauge("audit_unsigned_age_seconds", "Of the oldest record no checkpoint signs.", noted.unsigned_age_seconds)
    if noted.tried_age_seconds is None:
        return
    yield _gauge("audit_checkpoint_number", "Of the newest signed checkpoint.", noted.number)
    yield _gauge("audit_checkpoint_tried_age_seconds", "Since the writer's last round.", noted.tried_age_seconds)
    told = "1 when the writer's last round ended well: the store answered, and held what was signed."
    yield _gauge("audit_checkpoint_writable", told, not noted.trouble)
    if noted.age_seconds is not None:
        yield _gauge("audit_checkpoint_age_seconds", "Since the newest checkpoint was signed.", noted.age_seconds)


def _sweeps(found: PipelineState) -> Metric:
    silent = {sweep.name: sweep.silent_seconds for sweep in found.sweeps if sweep.is_there}
    return _by("schedule", "sweep_age_seconds", "Since a schedule last rang, or its row was changed.", silent)


def _reminders(found: PipelineState) -> Iterator[Metric]:
    seen, deliveries = found.reminders, found.reminders.deliveries
    yield _gauge("reminders_waiting", "Planned or snoozed; counted up to 10,001.", seen.waiting)
    yield _gauge("reminders_due", "Of those, whose time has come and that nobody triggered yet.", seen.due)
    yield _gauge("reminders_oldest_due_seconds", "Since the oldest of them was due.", seen.oldest_due_seconds)
    if seen.swept_seconds is not None:
        yield _gauge("notifications_sweep_age_seconds", "Since somebody last looked for them.", seen.swept_seconds)
    states = {name: getattr(deliveries, name) for name in ("waiting", "sending", "held", "failed")}
    yield _by("status", "deliveries", "Deliveries that are not done, and those given up.", states)
    late = deliveries.oldest_due_seconds
    yield _gauge("deliveries_oldest_due_seconds", "Since the oldest that waits could have gone out.", late)
