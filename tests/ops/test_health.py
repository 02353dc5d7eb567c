"""Health tells the truth about each dependency, quickly, and its details to staff only."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any, cast
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.audit.models import AuditVerification, CheckpointNote
from apps.audit.subscribers import group
from apps.events import handling, schedules
from apps.events.brokers import current_broker, get_broker
from apps.events.brokers.kafka import KafkaBroker
from apps.events.models import DeadLetter, Event, GroupProgress, OutboxEntry
from apps.notifications.services import watermarks
from apps.ops import asking
from apps.ops import health as health_checks
from tests.audit.tampering import sql
from tests.support.factories import append, event, person

# The askers have connections of their own and see only what is committed.
pytestmark = pytest.mark.django_db(transaction=True)

CLOSED_PORT = 1


WELL = {
    "audit_checkpoint": "ok",
    "audit_trail": "ok",
    "dead_letters": "ok",
    "deliveries": "ok",
    "group_audit": "ok",
    "group_notifications": "ok",
    "group_recurrence": "ok",
    "kafka": "ok",
    "lag_audit": "ok",
    "lag_notifications": "ok",
    "lag_recurrence": "ok",
    "outbox": "ok",
    "postgresql": "ok",
    "redis_jobs": "ok",
    "redis_sockets": "ok",
    "reminders": "ok",
    "role_beat": "ok",
    "role_relay": "ok",
    "role_web": "ok",
    "role_worker-audit": "ok",
    "role_worker-notifications": "ok",
    "role_worker-recurrence": "ok",
    "role_ws": "ok",
    # A schedule of which nobody is told here would be one that nobody watches.
    **{f"sweep_{name.lower().replace(' ', '_')}": "ok" for name in schedules.declared()},
}


@pytest.fixture(autouse=True)
def asked_anew() -> None:
    health_checks.forget()


def beaten(role: str, *, seconds_ago: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_heartbeat (role, instance, started_at, beat_at, release) VALUES"
            " (%s, 'a:1', now(), clock_timestamp() - make_interval(secs => %s::double precision), '')"
            " ON CONFLICT (role, instance) DO UPDATE SET beat_at = EXCLUDED.beat_at",
            [role, seconds_ago],
        )


def verified(*, sound: bool, whole: bool, seconds_ago: float) -> None:
    at = timezone.now() - timedelta(seconds=seconds_ago)
    AuditVerification.objects.create(
        started_at=at, finished_at=at, whole=whole, records=1, sound=sound, findings=[] if sound else [{}]
    )


def signed(*, seconds_ago: float, trouble: str = "", because: str = "") -> None:
    at = timezone.now() - timedelta(seconds=seconds_ago)
    CheckpointNote.objects.update_or_create(
        pk=1, defaults={"tried_at": at, "number": 7, "taken_at": at, "trouble": trouble, "because": because}
    )


@pytest.fixture
def reconciled(settings: Any) -> None:
    """The roles live, beat rings, the groups' workers have reconciled, the trail was verified and is signed."""
    schedules.synchronise()
    signed(seconds_ago=1)
    watermarks.note(watermarks.REMINDERS)
    for name in settings.CONSUMER_GROUPS:
        GroupProgress.objects.create(group=name, checked_at=timezone.now())
    verified(sound=True, whole=True, seconds_ago=1)
    for role in settings.ROLES:
        beaten(role, seconds_ago=1)


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(person(is_staff=True))
    return client


@pytest.fixture
def broker_chosen_anew() -> Iterator[None]:
    get_broker.cache_clear()
    yield
    get_broker.cache_clear()


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield listening.getsockname()[1]


class SilentPort:
    """Accepts connections, counts them and never answers."""

    def __init__(self) -> None:
        self.callers = 0
        self._held: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listening.getsockname()[1]
        self._thread = Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._held.append(self._listening.accept()[0])
                self.callers += 1

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)
        for each in self._held:
            each.close()


@pytest.fixture
def silent() -> Iterator[SilentPort]:
    port = SilentPort()
    yield port
    port.close()


@pytest.fixture
def postgresql_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """New connections fail; the test's own stays open."""
    connection.ensure_connection()
    monkeypatch.setitem(connections.settings["default"], "PORT", str(CLOSED_PORT))


def statuses(checks: dict[str, Any]) -> dict[str, str]:
    return {name: check["status"] for name, check in checks.items()}


@pytest.mark.usefixtures("reconciled")
def test_all_is_well() -> None:
    response = Client().get("/health/")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "checks": {name: {"status": status} for name, status in WELL.items()},
    }


@pytest.mark.usefixtures("reconciled")
def test_staff_see_the_figures(staff: Client) -> None:
    append(event())
    checks = staff.get("/health/").json()["checks"]

    assert checks["outbox"]["depth"] == 1
    assert 0 <= checks["outbox"]["oldest_age_seconds"] < 60
    assert checks["dead_letters"] == {"status": "ok", "parked": 0}
    assert checks["group_audit"]["repaired"] == 0
    assert checks["group_audit"]["reconciled_seconds_ago"] < 60


@pytest.mark.usefixtures("reconciled")
def test_a_person_who_is_no_staff_sees_words_only() -> None:
    client = Client()
    client.force_login(person())

    assert client.get("/health/").json()["checks"]["outbox"] == {"status": "ok"}


@pytest.mark.usefixtures("reconciled")
def test_redis_away_degrades_and_names_no_host_to_strangers(settings: Any, staff: Client) -> None:
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{CLOSED_PORT}/0"

    response = Client().get("/health/")

    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["checks"]["redis_jobs"] == {"status": "down"}
    assert statuses(response.json()["checks"])["redis_sockets"] == "ok"
    assert "127.0.0.1" not in response.content.decode()
    health_checks.forget()
    assert "127.0.0.1:1" in staff.get("/health/").json()["checks"]["redis_jobs"]["reason"]


@pytest.mark.usefixtures("reconciled", "broker_chosen_anew")
def test_kafka_away_degrades(settings: Any) -> None:
    settings.EVENT_BROKER = "kafka"
    settings.KAFKA = {"bootstrap.servers": f"127.0.0.1:{CLOSED_PORT}", "security.protocol": "PLAINTEXT"}

    response = Client().get("/health/")

    assert response.status_code == 200
    assert statuses(response.json()["checks"])["kafka"] == "down"


@pytest.mark.usefixtures("reconciled", "broker_chosen_anew")
def test_an_answer_comes_within_the_deadline_when_redis_and_kafka_are_black_holes(
    settings: Any, black_hole: int
) -> None:
    settings.EVENT_BROKER = "kafka"
    settings.KAFKA = {"bootstrap.servers": f"127.0.0.1:{black_hole}", "security.protocol": "PLAINTEXT"}
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{black_hole}/0"
    settings.CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": [settings.CELERY_BROKER_URL]}}}
    started_at = time.monotonic()

    response = Client().get("/health/")

    assert time.monotonic() - started_at < 3.8
    assert response.status_code == 200
    down = {"kafka": "down", "redis_jobs": "down", "redis_sockets": "down"}
    unknown = {"lag_audit": "unknown", "lag_notifications": "unknown", "lag_recurrence": "unknown"}
    assert statuses(response.json()["checks"]) == WELL | down | unknown


@pytest.mark.usefixtures("reconciled", "broker_chosen_anew")
def test_what_hangs_is_asked_once_however_many_want_to_know(settings: Any, silent: "SilentPort") -> None:
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{silent.port}/0"
    first = Client().get("/health/")
    started_at = time.monotonic()

    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: Client().get("/health/"), range(400)))

    assert time.monotonic() - started_at < 10
    assert {statuses(answer.json()["checks"])["redis_jobs"] for answer in [first, *answers]} == {"down"}
    # At first, and again every two seconds.
    assert 1 <= silent.callers <= 6


@pytest.mark.usefixtures("reconciled")
def test_an_answer_serves_for_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client().get("/health/").json()["status"] == "ok"
    DeadLetter.objects.create(group="audit", event_id=uuid4(), topic="t", key="k", reason="no good", envelope={})
    assert Client().get("/health/").json()["status"] == "ok"

    time.sleep(asking.FRESH_SECONDS)

    assert statuses(Client().get("/health/").json()["checks"])["dead_letters"] == "degraded"


@pytest.mark.usefixtures("reconciled")
@pytest.mark.parametrize(
    ("role", "limit"),
    [
        *(("web", 30), ("ws", 30), ("relay", 30), ("beat", 30)),
        *(("worker-audit", 60), ("worker-notifications", 60), ("worker-recurrence", 60)),
    ],
)
def test_a_role_whose_loop_hangs_degrades_beyond_its_limit(staff: Client, role: str, limit: int) -> None:
    beaten(role, seconds_ago=limit - 2)
    assert statuses(staff.get("/health/").json()["checks"]) == WELL

    beaten(role, seconds_ago=limit + 1)
    health_checks.forget()
    found = staff.get("/health/").json()

    assert found["status"] == "degraded"
    assert statuses(found["checks"]) == WELL | {f"role_{role}": "degraded"}
    assert found["checks"][f"role_{role}"]["processes"] == 0
    assert found["checks"][f"role_{role}"]["beat_seconds_ago"] == pytest.approx(limit + 1, abs=1)


def test_a_role_that_never_beat_degrades(staff: Client) -> None:
    assert staff.get("/health/").json()["checks"]["role_relay"] == {
        "status": "degraded",
        "processes": 0,
        "reason": "no process of it has beaten within a day",
    }


@pytest.mark.usefixtures("reconciled")
def test_a_group_that_is_far_behind_degrades(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = get_broker()
    monkeypatch.setattr(broker, "lag", lambda *_, **__: 10_001)

    assert staff.get("/health/").json()["checks"]["lag_audit"] == {"status": "degraded", "records": 10_001}


@pytest.mark.parametrize(
    ("run", "status"),
    [
        ({"sound": True, "whole": False, "seconds_ago": 299}, "ok"),
        ({"sound": True, "whole": False, "seconds_ago": 301}, "degraded"),
        ({"sound": True, "whole": True, "seconds_ago": 86_401}, "degraded"),
        ({"sound": False, "whole": False, "seconds_ago": 1}, "degraded"),
    ],
)
def test_the_trail_is_well_when_it_was_found_sound_just_now(staff: Client, run: Any, status: str) -> None:
    verified(**run)

    found = staff.get("/health/").json()["checks"]["audit_trail"]

    assert (found["status"], found["sound"]) == (status, run["sound"])


def test_a_trail_that_was_never_verified_degrades(staff: Client) -> None:
    assert staff.get("/health/").json()["checks"]["audit_trail"] == {
        "status": "degraded",
        "reason": "it has not been verified yet",
    }


@pytest.mark.parametrize(
    ("note", "status"),
    [
        ({"seconds_ago": 899}, "ok"),
        ({"seconds_ago": 901}, "degraded"),
        ({"seconds_ago": 1, "trouble": "store away", "because": "s3://trail: 503"}, "degraded"),
    ],
)
def test_the_checkpoint_is_well_while_its_writer_comes_round_and_may_write(
    staff: Client, note: Any, status: str
) -> None:
    signed(**note)

    found = staff.get("/health/").json()["checks"]["audit_checkpoint"]

    assert (found["status"], found["number"]) == (status, 7)
    assert found.get("reason") == ("store away: s3://trail: 503" if "trouble" in note else None)


@pytest.mark.parametrize(("seconds", "status"), [(890, "ok"), (910, "degraded")])
def test_a_record_that_no_checkpoint_signs_degrades_after_a_quarter_of_an_hour(
    staff: Client, seconds: int, status: str
) -> None:
    """However long ago the newest was: while nothing happens, nothing is signed."""
    signed(seconds_ago=1)
    handling.handle(group, [event()])
    at = timezone.now() - timedelta(seconds=seconds)
    sql("UPDATE audit_auditrecord SET recorded_at = %s", [at])

    found = staff.get("/health/").json()["checks"]["audit_checkpoint"]

    assert found["status"] == status
    assert found["unsigned_for_seconds"] == pytest.approx(seconds, abs=8)


def test_a_checkpoint_writer_that_never_came_round_degrades(staff: Client) -> None:
    assert staff.get("/health/").json()["checks"]["audit_checkpoint"] == {
        "status": "degraded",
        "reason": "no round of its writer has been noted yet",
    }


def rung(name: str, *, seconds_ago: float) -> None:
    at = timezone.now() - timedelta(seconds=seconds_ago)
    PeriodicTask.objects.filter(name=name).update(last_run_at=at)


@pytest.mark.usefixtures("reconciled")
@pytest.mark.parametrize(
    ("name", "limit"), [("Reconcile audit", 180), ("Verify the audit trail", 180), ("Prune the event log", 2700)]
)
def test_a_sweep_degrades_beyond_three_periods(staff: Client, name: str, limit: int) -> None:
    key = f"sweep_{name.lower().replace(' ', '_')}"
    rung(name, seconds_ago=limit - 8)
    assert statuses(staff.get("/health/").json()["checks"]) == WELL

    rung(name, seconds_ago=limit + 1)
    health_checks.forget()

    assert statuses(staff.get("/health/").json()["checks"]) == WELL | {key: "degraded"}


@pytest.mark.usefixtures("reconciled")
def test_a_sweep_has_the_pace_that_somebody_gave_it_and_none_when_switched_off(staff: Client) -> None:
    slower = IntervalSchedule.objects.create(every=10, period=IntervalSchedule.MINUTES)
    PeriodicTask.objects.filter(name="Reconcile audit").update(interval=slower)
    PeriodicTask.objects.filter(name="Finish erasures").update(enabled=False)
    rung("Reconcile audit", seconds_ago=1700)
    rung("Finish erasures", seconds_ago=1700)

    assert statuses(staff.get("/health/").json()["checks"]) == WELL


@pytest.mark.usefixtures("reconciled")
def test_a_schedule_that_is_not_there_degrades(staff: Client) -> None:
    PeriodicTask.objects.filter(name="Finish erasures").delete()

    assert staff.get("/health/").json()["checks"]["sweep_finish_erasures"] == {
        "status": "degraded",
        "reason": "its schedule is not there",
    }


@pytest.mark.usefixtures("reconciled")
def test_a_schedule_that_never_rang_degrades_like_one_that_fell_silent(staff: Client) -> None:
    made = timezone.now() - timedelta(seconds=181)
    PeriodicTask.objects.filter(name="Finish erasures").update(last_run_at=None, date_changed=made)

    found = staff.get("/health/").json()["checks"]["sweep_finish_erasures"]

    assert (found["status"], found["rang_seconds_ago"]) == ("degraded", None)


def test_an_embedded_kafka_is_asked_at_its_address_of_now(settings: Any, tmp_path: Path) -> None:
    address = tmp_path / "address"
    settings.EVENT_BROKER = "kafka"
    settings.KAFKA_ADDRESS_FILE = str(address)

    addresses = []
    for port in (1, 2):
        address.write_text(f"127.0.0.1:{port}\n")
        addresses.append(cast(KafkaBroker, current_broker()).connection["bootstrap.servers"])

    assert addresses == ["127.0.0.1:1", "127.0.0.1:2"]


@pytest.mark.usefixtures("postgresql_away")
def test_postgresql_away_is_down() -> None:
    response = Client().get("/health/")

    assert response.status_code == 503
    assert response.json()["status"] == "down"
    lags = {"lag_audit": "ok", "lag_notifications": "ok", "lag_recurrence": "ok"}
    own = lags | {"kafka": "ok", "redis_jobs": "ok", "redis_sockets": "ok", "postgresql": "down"}
    assert response.json()["checks"] == {name: {"status": own.get(name, "unknown")} for name in WELL}


@pytest.mark.usefixtures("postgresql_away")
def test_a_process_is_alive_but_not_ready_without_postgresql() -> None:
    assert Client().get("/health/live/").status_code == 200
    assert Client().get("/health/ready/").status_code == 503


def test_a_process_is_ready_without_redis_and_kafka(settings: Any) -> None:
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{CLOSED_PORT}/0"

    assert Client().get("/health/ready/").json() == {"status": "ok"}


def test_a_parked_event_degrades(staff: Client, reconciled: None) -> None:
    DeadLetter.objects.create(
        group="audit", event_id=uuid4(), topic="task-events", key="k", reason="no good", envelope={}
    )

    checks = staff.get("/health/").json()["checks"]

    assert checks["dead_letters"] == {"status": "degraded", "parked": 1}
    assert checks["group_audit"]["parked"] == 1


def test_an_outbox_that_grows_old_degrades(reconciled: None) -> None:
    (row,) = append(event())
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_event DISABLE TRIGGER USER")
        cursor.execute("UPDATE events_event SET recorded_at = now() - interval '31 s'")
        cursor.execute("ALTER TABLE events_event ENABLE TRIGGER USER")

    assert statuses(Client().get("/health/").json()["checks"])["outbox"] == "degraded"
    assert (Event.objects.get(), OutboxEntry.objects.count()) == (row, 1)


def test_a_group_that_stopped_reconciling_degrades() -> None:
    GroupProgress.objects.create(group="audit", checked_at=timezone.now() - timedelta(seconds=181))

    assert statuses(Client().get("/health/").json()["checks"])["group_audit"] == "degraded"


def test_a_group_that_never_reconciled_degrades() -> None:
    assert statuses(Client().get("/health/").json()["checks"])["group_audit"] == "degraded"
