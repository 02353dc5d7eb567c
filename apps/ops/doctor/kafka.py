"""Kafka: whether it answers, and whether its topics keep what we give them."""

from collections.abc import Iterator

from django.conf import settings

from apps.events import event_types
from apps.events.brokers import get_broker
from apps.events.brokers.base import TopicState
from apps.events.errors import BrokerFailed
from apps.events.subscriptions import groups
from apps.ops.doctor.examination import Verdict, warning, well, worst_of, wrong
from apps.ops.pipeline import Status, conditions_of_lags

TIMEOUT_SECONDS = 3
_DAY_SECONDS = 24 * 3600
# An event, its headers and its key, uncompressed as brokers may count it.
_LARGEST_RECORD_BYTES = 2 * settings.EVENT_MAX_BYTES


def cluster() -> Verdict:
    place = settings.KAFKA["bootstrap.servers"] if settings.EVENT_BROKER == "kafka" else "in memory"
    try:
        state = get_broker().state(timeout=TIMEOUT_SECONDS)
    except BrokerFailed as reason:
        return wrong(
            f"{place}: {reason}",
            fix="Start it (`make run` on a laptop), or correct KAFKA_BOOTSTRAP_SERVERS and what it signs in with.",
        )
    kind = "" if state.keeps_records else " (embedded: in memory, the log makes good what it loses)"
    return well(f"{place}, cluster {state.cluster_id}{kind}")


def topics() -> Verdict:
    wanted = event_types.topics()
    there = get_broker().topic_states(timeout=TIMEOUT_SECONDS)
    missing = [topic for topic in wanted if topic not in there]
    if missing:
        return wrong(f"not there: {', '.join(missing)}", fix="Run `manage.py create_topics`.")
    known = [there[topic] for topic in wanted]
    told = ", ".join(f"{topic.name} ({topic.partitions} partitions)" for topic in known)
    silent = "" if any(topic.least_in_sync for topic in known) else "; it does not tell of replicas and retention"
    keeps = get_broker().state(timeout=TIMEOUT_SECONDS).keeps_records
    problems = [problem for topic in known for problem in problems_of(topic, is_kept=keeps)]
    return worst_of(problems, otherwise=told + silent)


def problems_of(topic: TopicState, *, is_kept: bool) -> Iterator[Verdict]:
    """What of a topic could lose or repeat events; of the embedded log, which is in memory, nothing is asked."""
    if not is_kept:
        return
    if topic.partitions != settings.KAFKA_PARTITIONS:
        yield warning(
            f"{topic.name} has {topic.partitions} partitions, KAFKA_PARTITIONS says {settings.KAFKA_PARTITIONS}",
            fix="Let KAFKA_PARTITIONS say what there is: more partitions later would break the order of keys.",
        )
    if topic.largest_record_bytes is not None and topic.largest_record_bytes < _LARGEST_RECORD_BYTES:
        yield wrong(
            f"{topic.name} refuses records of more than {topic.largest_record_bytes:,} bytes; events may be larger",
            fix=f"Set max.message.bytes={_LARGEST_RECORD_BYTES} or more.",
        )
    yield from _copies(topic)
    yield from _retention(topic)


def _copies(topic: TopicState) -> Iterator[Verdict]:
    name, replicas, in_sync = topic.name, topic.replicas, topic.least_in_sync
    if replicas is None:
        return
    if replicas < settings.KAFKA_REPLICATION_FACTOR:
        yield wrong(
            f"{name} stands on {replicas} brokers, not {settings.KAFKA_REPLICATION_FACTOR}",
            fix="Add replicas (kafka-reassign-partitions), or correct KAFKA_REPLICATION_FACTOR.",
        )
    if topic.unclean_election and replicas > 1:
        yield warning(
            f"{name} may lose what was acknowledged when its brokers go one after another",
            fix="Set unclean.leader.election.enable=false.",
        )
    if in_sync is None:
        return
    if in_sync > replicas:
        yield wrong(
            f"{name} wants {in_sync} in sync and has {replicas} replicas: nothing can be written",
            fix=f"Set min.insync.replicas to {max(1, replicas - 1)}.",
        )
    elif replicas > 2 and in_sync < 2:
        yield warning(f"{name} acknowledges by one broker", fix="Set min.insync.replicas=2.")
    elif in_sync == replicas > 1:
        yield warning(
            f"{name} takes nothing while one of its {replicas} brokers is away",
            fix=f"Set min.insync.replicas={replicas - 1}.",
        )


def _retention(topic: TopicState) -> Iterator[Verdict]:
    if topic.compacted:
        yield wrong(
            f"{topic.name} is compacted: of each key only the last event stays", fix="Set cleanup.policy=delete."
        )
    if topic.retention_bytes is not None and topic.retention_bytes >= 0:
        yield warning(
            f"{topic.name} keeps no more than {topic.retention_bytes:,} bytes a partition, however young they are",
            fix="Set retention.bytes=-1.",
        )
    kept = topic.retention_seconds
    if kept is None:
        return
    longest = settings.HANDLED_EVENT_RETENTION_DAYS * _DAY_SECONDS
    fix = f"Set retention.ms={settings.KAFKA_RETENTION_DAYS * _DAY_SECONDS * 1000}."
    if kept < 0 or kept >= longest:
        words = "for ever" if kept < 0 else f"{kept / _DAY_SECONDS:.0f} days"
        yield wrong(f"{topic.name} keeps {words}, longer than what is handled is remembered", fix=fix)
    elif kept < settings.KAFKA_RETENTION_DAYS * _DAY_SECONDS:
        yield warning(f"{topic.name} keeps {kept / _DAY_SECONDS:.1f} days only", fix=fix)


def lag() -> Verdict:
    found = {group.name: get_broker().lag(group.name, group.topics(), timeout=TIMEOUT_SECONDS) for group in groups()}
    conditions = conditions_of_lags(found)
    late = [
        warning(f"{name} is {count:,} records behind", fix=f"See that worker-{name} runs: `manage.py status --watch`.")
        for name, count in found.items()
        if conditions[f"lag_{name}"].status is not Status.OK
    ]
    return worst_of(late, otherwise=", ".join(f"{name} {count:,}" for name, count in found.items()))
