"""Health tells the truth about each dependency, quickly, and its details to staff only."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from apps.events.brokers import get_broker
from apps.events.models import DeadLetter, Event, GroupProgress, OutboxEntry
from tests.support.factories import append, event, person

# The askers have connections of their own and see only what is committed.
pytestmark = pytest.mark.django_db(transaction=True)

CLOSED_PORT = 1


@pytest.fixture
def reconciled() -> None:
    GroupProgress.objects.create(group="audit", checked_at=timezone.now())


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
        "checks": {
            "dead_letters": {"status": "ok"},
            "group_audit": {"status": "ok"},
            "kafka": {"status": "ok"},
            "outbox": {"status": "ok"},
            "postgresql": {"status": "ok"},
            "redis_jobs": {"status": "ok"},
            "redis_sockets": {"status": "ok"},
        },
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
    assert statuses(response.json()["checks"]) == {
        "dead_letters": "ok",
        "group_audit": "ok",
        "kafka": "down",
        "outbox": "ok",
        "postgresql": "ok",
        "redis_jobs": "down",
        "redis_sockets": "down",
    }


@pytest.mark.usefixtures("postgresql_away")
def test_postgresql_away_is_down() -> None:
    response = Client().get("/health/")

    assert response.status_code == 503
    assert response.json()["status"] == "down"
    assert statuses(response.json()["checks"])["postgresql"] == "down"
    assert statuses(response.json()["checks"])["redis_jobs"] == "ok"


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
