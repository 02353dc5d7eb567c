"""Reads of the event core for health, status, admin and commands. Changes nothing."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import Count
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.events import liveness, schedules
from apps.events.leadership import RELAY_LOCK
from apps.events.models import DeadLetter, GroupProgress


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """Committed events that Kafka has not acknowledged.

    `depth` and `oldest_age_seconds` are of those on their way; `held` cannot go, or stand behind one that cannot. A
    `depth` beyond `COUNTED` is told by the positions between the first and the last: rather too high than too low.
    """

    depth: int
    oldest_age_seconds: float
    held: int = 0


# Counting all of what a day without Kafka leaves would take seconds, every few seconds.
COUNTED = 10_000
_OUTBOX = """
SELECT counted.rows, coalesce(extract(epoch FROM clock_timestamp() - (
           SELECT recorded_at FROM events_event WHERE position = counted.first)), 0),
       (SELECT count(*) FROM events_outboxentry WHERE held_at IS NOT NULL),
       CASE WHEN counted.rows > %(counted)s THEN (SELECT max(event_id) FROM events_outboxentry) - counted.first + 1 END
FROM (SELECT count(*) AS rows, min(event_id) AS first FROM (
    SELECT event_id FROM events_outboxentry WHERE held_at IS NULL ORDER BY event_id LIMIT %(counted)s + 1
) few) counted
"""


def outbox_status() -> OutboxStatus:
    with connection.cursor() as cursor:
        cursor.execute(_OUTBOX, {"counted": COUNTED})
        counted, age, held, estimated = cursor.fetchone()
    return OutboxStatus(depth=estimated or counted, oldest_age_seconds=max(0.0, float(age)), held=held)


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """`checked_at` is when the reconcile last looked, `repaired` what it had to heal: 0 when all is well."""

    group: str
    checked_at: datetime | None
    repaired: int
    caught_up: int
    parked: int


def group_progress() -> list[GroupStatus]:
    parked = parked_by_group()
    return [
        GroupStatus(row.group, row.checked_at, row.repaired, row.caught_up, parked.get(row.group, 0))
        for row in GroupProgress.objects.order_by("group")
    ]


def parked_by_group() -> dict[str, int]:
    parked = DeadLetter.objects.filter(status=DeadLetter.Status.PARKED).order_by("group")
    return dict(parked.values_list("group").annotate(count=Count("pk")))


def parked_count() -> int:
    return DeadLetter.objects.filter(status=DeadLetter.Status.PARKED).count()


@dataclass(frozen=True, slots=True)
class ProcessLife:
    """One process of a role. `age_seconds` since its loop last came round; `lives` while that is within the limit."""

    role: str
    instance: str
    started_at: datetime
    beat_at: datetime
    release: str
    age_seconds: float
    lives: bool


@dataclass(frozen=True, slots=True)
class RoleLife:
    """A role of the settings: how many of its processes live, and the age of the youngest beat.

    `youngest_age_seconds` is `None` when no process of it has beaten within a day.
    """

    role: str
    processes: int
    youngest_age_seconds: float | None
    limit_seconds: float

    @property
    def lives(self) -> bool:
        return self.processes > 0


def process_lives() -> list[ProcessLife]:
    """Every process that has beaten within a day, of whatever role, the youngest beat of each role first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT role, instance, started_at, beat_at, release,"
            " greatest(0, extract(epoch FROM clock_timestamp() - beat_at))::double precision"
            " FROM events_heartbeat WHERE beat_at > clock_timestamp() - interval '1 day'"
            " ORDER BY role, beat_at DESC, instance"
        )
        rows = cursor.fetchall()
    return [
        ProcessLife(role, instance, started_at, beat_at, release, age, age <= liveness.limit_seconds(role))
        for role, instance, started_at, beat_at, release, age in rows
    ]


def role_lives() -> list[RoleLife]:
    """Every role of `settings.ROLES`, in that order."""
    processes = process_lives()
    return [_role_life(role, [each for each in processes if each.role == role]) for role in settings.ROLES]


def _role_life(role: str, processes: list[ProcessLife]) -> RoleLife:
    return RoleLife(
        role=role,
        processes=sum(each.lives for each in processes),
        youngest_age_seconds=min((each.age_seconds for each in processes), default=None),
        limit_seconds=liveness.limit_seconds(role),
    )


@dataclass(frozen=True, slots=True)
class RecentHandling:
    """What a group handled in the last minute; the ways from commit to its handling, of a sample, in seconds.

    Both ends are the database's clock: the beginning of the change's transaction and of the group's.
    """

    group: str
    handled: int
    median_seconds: float | None
    p99_seconds: float | None


# The inbox is never counted whole: its index by time leads to the pages of the last minute.
_HANDLED = """
SELECT "group", count(*) FROM events_handledevent WHERE handled_at > now() - interval '1 minute' GROUP BY 1 ORDER BY 1
"""
_WAYS = """
SELECT "group",
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds)
FROM (
    SELECT h."group", extract(epoch FROM h.handled_at - e.recorded_at)::float8 AS seconds
    FROM (
        SELECT "group", event_id, handled_at FROM events_handledevent
        WHERE handled_at > now() - interval '1 minute' LIMIT %s
    ) h JOIN events_event e ON e.event_id = h.event_id
) s GROUP BY 1
"""
_SAMPLE_OF_A_GROUP = 500


def recently_handled() -> dict[str, RecentHandling]:
    """By group; without those that handled nothing within a minute."""
    with connection.cursor() as cursor:
        cursor.execute(_HANDLED)
        handled = dict(cursor.fetchall())
        cursor.execute(_WAYS, [_SAMPLE_OF_A_GROUP * max(1, len(handled))])
        ways = {group: (median, p99) for group, median, p99 in cursor.fetchall()}
    return {group: RecentHandling(group, count, *ways.get(group, (None, None))) for group, count in handled.items()}


@dataclass(frozen=True, slots=True)
class RelayLeader:
    """The session that holds the relay's lock: where it is connected from, and since when."""

    address: str
    since: datetime


def relay_leader() -> RelayLeader | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(host(a.client_addr), 'local'), a.backend_start"
            " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
            " WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::bigint << 32) + l.objid::bigint = %s"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [RELAY_LOCK],
        )
        row = cursor.fetchone()
    return RelayLeader(*row) if row else None


@dataclass(frozen=True, slots=True)
class Sweep:
    """A declared schedule as its row has it, where people may have changed it.

    `age_seconds` is since it last rang, `None` when it never did; `silent_seconds` the same, or since its row was
    changed. Both are nothing without a row (`is_there`).
    """

    name: str
    every_seconds: int
    age_seconds: float | None
    silent_seconds: float = 0.0
    enabled: bool = True
    is_there: bool = True


def sweeps() -> list[Sweep]:
    """Every declared schedule, in the order of declaration."""
    declared = schedules.declared()
    rows = {row.name: row for row in PeriodicTask.objects.filter(name__in=declared).select_related("interval")}
    now = timezone.now()
    return [_sweep(name, each.every_seconds, rows.get(name), now) for name, each in declared.items()]


def _sweep(name: str, every_seconds: int, row: PeriodicTask | None, now: datetime) -> Sweep:
    if row is None:
        return Sweep(name, every_seconds, None, enabled=False, is_there=False)
    interval: IntervalSchedule | None = row.interval
    return Sweep(
        name,
        round(interval.schedule.run_every.total_seconds()) if interval else every_seconds,
        age_seconds=max(0.0, (now - row.last_run_at).total_seconds()) if row.last_run_at else None,
        silent_seconds=max(0.0, (now - (row.last_run_at or row.date_changed)).total_seconds()),
        enabled=row.enabled,
    )
