"""Metrics: every name is documented and no other is told; they count exactly what happened; who may read them."""

import base64
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.db import connection, transaction
from django.test import Client
from django_celery_beat.models import PeriodicTask
from prometheus_client.parser import text_string_to_metric_families

from apps.audit import checkpoint_writer
from apps.audit.verification import periodic
from apps.dev import ports
from apps.events import handling, metrics, reconcile, schedules
from apps.events.errors import PoisonEvent, Transient
from apps.events.models import Event
from apps.events.subscriptions import group_named
from apps.notifications import metrics as notification_metrics
from apps.notifications.services import watermarks
from apps.ops import exposition, health, scraping
from apps.recurrence.services import repair
from apps.tasks.events import TaskEvent
from apps.tasks.models import Task
from apps.tasks.services import complete_task
from tests.events.conftest import new_group
from tests.events.effects import effect, effects_table
from tests.support.factories import NOW, append, event, life_of_one_subject, person, record_of, task_of
from tests.support.notified import heard_of, planned, sent
from tests.support.notified import told as told_of
from tests.support.pump import Pump, fresh_pump

__all__ = ["effect", "effects_table", "new_group"]

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "the-token-of-the-scraper"
# PromQL's own, among the names of an alarm.
QUANTILE = "histogram_quantile"
Labels = dict[str, str]


@pytest.fixture
def pump() -> Iterator[Pump]:
    with fresh_pump() as pump:
        yield pump


@pytest.fixture(autouse=True)
def asked_anew(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    health.forget()


def scraped() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of the web by its name and labels."""
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return samples(answer.content.decode())


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(name: str, **labels: str) -> float:
    return scraped().get((name, tuple(sorted(labels.items()))), 0.0)


class Growth:
    """By how much a sample has grown since."""

    def __init__(self, name: str, **labels: str) -> None:
        self.name, self.labels = name, labels
        self.before = value(name, **labels)

    def __call__(self) -> float:
        return value(self.name, **self.labels) - self.before


# --- Names ----------------------------------------------------------------------------------------------


def documented() -> dict[str, list[str]]:
    """The table of docs/metrics.md: the labels of each name."""
    table = (project.BASE_DIR / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)(?:\{([\w,]+)\})?` \|", table, re.MULTILINE)
    return {name: sorted(labels.split(",")) if labels else [] for name, labels in rows}


def told() -> dict[str, list[str]]:
    """The names and labels that a scrape told; a histogram is one name."""
    found: dict[str, list[str]] = {}
    for name, labels in scraped():
        base = re.sub(r"(?<=seconds)_(bucket|sum|count)$", "", name)
        found[base] = sorted({*found.get(base, []), *(label for label, _ in labels if label != "le")})
    return found


def test_every_documented_name_is_told_after_a_flow_and_no_other(pump, new_group, effect, place_for_checkpoints):
    chores = new_group("chores")

    @chores.on(TaskEvent.CREATED)
    def refuse(_one):
        raise PoisonEvent("never")

    task_of(person())
    pump.run()
    pump.redeliver_everything()
    handling.handle(chores, life_of_one_subject(1))
    told_of(person("grace"), about_at=NOW)
    planned(heard_of(person("edsger")), at=NOW)
    watermarks.note(watermarks.REMINDERS)
    metrics.count_unreadable("audit", 1)
    metrics.count_failed("audit")
    notification_metrics.count_attempt("email", "delivered", seconds=0.1)
    notification_metrics.count_delivery("email", "delivered")
    notification_metrics.left_out.labels("digests").inc()
    reconcile.run(group_named("audit"), broker=pump.broker)
    periodic.run(now=datetime.now(UTC))
    checkpoint_writer.run(now=datetime.now(UTC))
    schedules.synchronise()
    for role in project.ROLES:
        beaten(role)
    scraped()  # a request that is answered before the one that tells of it
    health.forget()

    assert told() == documented()


def alarms() -> list[list[tuple[str, str]]]:
    """The table of docs/operations.md: of each alarm the metrics that it asks for, each with its label."""
    table = (project.BASE_DIR / "docs" / "operations.md").read_text().partition("\n## Alarms\n")[2]
    rows = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    asked = [re.findall(r"([a-z]+(?:_[a-z0-9]+)+)(?:\{([a-z]+)=)?", row) for row in rows]
    return [[(name.removesuffix("_bucket"), label) for name, label in row if name != QUANTILE] for row in asked]


def test_every_alarm_asks_for_a_metric_that_is_told() -> None:
    known = documented()
    asked = {metric for alarm in alarms() for metric in alarm}

    assert [len(alarm) for alarm in alarms()] == [1] * 14 + [2] + [1] * 9
    assert [name for name, _ in asked if name not in known] == []
    assert [(name, label) for name, label in asked if label and label not in known[name]] == []


def test_the_checkpoint_and_the_sweeps_are_told(pump, settings, place_for_checkpoints):
    schedules.synchronise()
    PeriodicTask.objects.filter(name="Reconcile audit").update(last_run_at=datetime.now(UTC) - timedelta(seconds=90))
    task_of(person())
    pump.run()
    before = scraped()
    checkpoint_writer.run(now=datetime.now(UTC) - timedelta(seconds=30))
    settings.AUDIT_SIGNING_KEY = ""
    with pytest.raises(checkpoint_writer.NotWritten):
        checkpoint_writer.run(now=datetime.now(UTC) - timedelta(seconds=20))
    health.forget()
    found = scraped()

    assert ("audit_checkpoint_number", ()) not in before
    assert before["audit_unsigned_age_seconds", ()] > 0
    assert (found["audit_checkpoint_number", ()], found["audit_checkpoint_writable", ()]) == (1, 0)
    assert found["audit_checkpoint_age_seconds", ()] == pytest.approx(30, abs=8)
    assert found["audit_checkpoint_tried_age_seconds", ()] == pytest.approx(20, abs=8)
    assert found["audit_unsigned_age_seconds", ()] == 0
    assert found["sweep_age_seconds", (("schedule", "Reconcile audit"),)] == pytest.approx(90, abs=8)
    assert {dict(labels)["schedule"] for name, labels in found if name == "sweep_age_seconds"} == set(
        schedules.declared()
    )


@pytest.fixture
def place_for_checkpoints(tmp_path: Path, settings: Any) -> None:
    settings.AUDIT_SIGNING_KEY = base64.b64encode(bytes(32)).decode()
    settings.AUDIT_CHECKPOINTS_URL = tmp_path.as_uri()


def beaten(role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_heartbeat (role, instance, started_at, beat_at, release)"
            " VALUES (%s, 'a:1', now(), clock_timestamp(), '')",
            [role],
        )


# --- Counting -------------------------------------------------------------------------------------------


def test_handled_events_are_counted_once_by_their_type_and_repeated_ones_apart(pump):
    created = Growth("events_handled_total", group="audit", type="task.created.v1")
    updated = Growth("events_handled_total", group="audit", type="task.updated.v1")
    repeated = Growth("events_repeated_total", group="audit")
    relayed = Growth("relay_records_total")
    observed = Growth("event_commit_to_handled_seconds_count", group="audit")
    append(*life_of_one_subject(3))

    pump.run()
    assert (created(), updated(), repeated(), relayed(), observed()) == (1, 2, 0, 3, 3)

    pump.redeliver_everything()
    assert (created(), updated(), repeated(), relayed(), observed()) == (1, 2, 3, 3, 3)


def test_the_time_from_an_event_to_its_handling_is_observed():
    below = Growth("event_commit_to_handled_seconds_bucket", group="audit", le="2.5")
    above = Growth("event_commit_to_handled_seconds_bucket", group="audit", le="5.0")
    total = Growth("event_commit_to_handled_seconds_sum", group="audit")

    metrics.count_handled("audit", [event()], now=NOW + timedelta(seconds=3))

    assert (below(), above()) == (0, 1)
    assert total() == pytest.approx(3)


def test_an_event_of_the_future_takes_no_negative_time():
    total = Growth("event_commit_to_handled_seconds_sum", group="audit")

    metrics.count_handled("audit", [event()], now=NOW - timedelta(seconds=3))

    assert total() == 0


def test_a_type_that_nobody_declared_is_one_label_for_all():
    unknown = Growth("events_handled_total", group="audit", type="unknown")

    metrics.count_handled("audit", [event(type=f"of.tomorrow.v{number}") for number in range(3)])

    assert unknown() == 3
    assert not [labels for _, labels in scraped() if ("type", "of.tomorrow.v1") in labels]


def test_an_event_that_fails_for_good_counts_as_failed_and_parked_and_those_behind_it_as_parked(new_group):
    chores = new_group("chores")

    @chores.on(TaskEvent.CREATED, TaskEvent.UPDATED)
    def refuse(_one):
        raise PoisonEvent("never")

    failed, parked = Growth("events_failed_total", group="chores"), Growth("events_parked_total", group="chores")
    created = Growth("events_handled_total", group="chores", type="task.created.v1")
    updated = Growth("events_handled_total", group="chores", type="task.updated.v1")
    first, second = life_of_one_subject(2)

    handling.handle(chores, [first])
    assert (failed(), parked()) == (1, 1)

    handling.handle(chores, [second])
    assert (failed(), parked()) == (1, 2)
    assert (created(), updated()) == (0, 0)


def test_a_failure_that_may_heal_counts_as_failed_only(new_group):
    chores = new_group("chores")

    @chores.on(TaskEvent.CREATED)
    def wait(_one):
        raise Transient("later")

    failed, parked = Growth("events_failed_total", group="chores"), Growth("events_parked_total", group="chores")

    with pytest.raises(Transient):
        handling.handle(chores, [event()])

    assert (failed(), parked()) == (1, 0)


def test_a_record_that_is_no_event_is_counted(pump):
    from apps.events.consumer import GroupConsumer

    unreadable = Growth("events_unreadable_total", group="audit")
    good = record_of(event())
    bad = type(good)(good.topic, 0, 1, b"k", b"{not json", good.headers)

    GroupConsumer(group_named("audit"), broker=pump.broker).handle_records([bad])

    assert unreadable() == 1


def test_the_state_is_told_as_it_is(pump, settings):
    append(*life_of_one_subject(2))
    assert (value("outbox_depth"), value("consumer_group_lag_records", group="audit")) == (2, 0)

    pump.relay_once()
    health.forget()

    assert (value("outbox_depth"), value("outbox_oldest_age_seconds")) == (0, 0)
    assert value("consumer_group_lag_records", group="audit") == 2
    assert value("dead_letters_parked", group="audit") == 0
    assert value("pipeline_state_read", part="postgresql") == 1
    assert Event.objects.count() == 2


def test_what_happens_to_reminders_and_what_people_are_told_is_counted_once_it_is_committed():
    scheduled = Growth("reminders_total", event="scheduled")
    reminders, digests = Growth("notifications_total", kind="reminder"), Growth("notifications_total", kind="digest")
    below, above = (Growth("reminder_lateness_seconds_bucket", le=le) for le in ("30.0", "60.0"))
    ada = person()
    now = datetime.now(UTC)

    with transaction.atomic():
        planned(heard_of(ada), at=now)
        told_of(ada, about_at=now - timedelta(seconds=40), created_at=now)
        told_of(ada, kind="digest", about_at=now - timedelta(seconds=40))
        assert (scheduled(), reminders(), digests(), above()) == (0, 0, 0, 0)

    assert (scheduled(), reminders(), digests()) == (1, 1, 1)
    assert (below(), above()) == (0, 1)


def test_a_next_occurrence_is_counted_once_and_one_that_a_sweep_had_to_make_apart(pump):
    made, repaired = Growth("recurrence_made_total"), Growth("recurrence_repaired_total")
    ada = person()
    task = task_of(ada, due_on=NOW.date(), recurrence="daily")
    pump.run()
    complete_task(task_id=task.pk, actor=ada, now=NOW)
    pump.run()
    pump.redeliver_everything()
    assert (made(), repaired()) == (1, 0)

    following = Task.objects.get(series_id=task.series_id, status="pending")
    complete_task(task_id=following.pk, actor=ada, now=NOW)
    assert repair(series_id=task.series_id, task_id=following.pk, completed_at=NOW, now=NOW)
    pump.run()

    assert (made(), repaired()) == (2, 1)


def test_what_is_rolled_back_is_not_counted():
    scheduled, reminders = Growth("reminders_total", event="scheduled"), Growth("notifications_total", kind="reminder")
    ada = person()

    with transaction.atomic():
        planned(heard_of(ada), at=NOW)
        told_of(ada)
        transaction.set_rollback(True)

    assert (scheduled(), reminders()) == (0, 0)


def test_an_attempt_is_counted_by_its_transport_and_how_it_ended():
    retried = Growth("delivery_attempts_total", transport="email", outcome="retry")
    took = Growth("delivery_attempt_seconds_sum", transport="email")

    notification_metrics.count_attempt("email", "retry", seconds=1.5)

    assert (retried(), took()) == (1, pytest.approx(1.5))


def test_reminders_that_wait_and_deliveries_by_their_state_are_told():
    now, ada, gone = datetime.now(UTC), person("ada"), person("gone", is_active=False)
    planned(heard_of(ada), at=now + timedelta(hours=1))
    planned(heard_of(ada), at=now - timedelta(seconds=60))
    planned(heard_of(ada), at=now - timedelta(hours=1), status="delivered")
    planned(heard_of(gone), at=now - timedelta(hours=1))
    told_once = told_of(ada)
    sent(told_once)
    sent(told_once, status="failed")
    sent(told_once, status="held")
    sent(told_once, status="sending", lease_until=now)
    sent(told_once, status="waiting", transport="in_app", send_at=now - timedelta(days=1))
    sent(told_once, status="waiting", transport="webhook", send_at=now - timedelta(seconds=90))
    sent(told_once, status="collecting", transport="webhook", send_at=now + timedelta(seconds=90))
    watermarks.note(watermarks.REMINDERS)
    health.forget()

    found = scraped()

    assert (found["reminders_waiting", ()], found["reminders_due", ()]) == (3, 1)
    assert found["reminders_oldest_due_seconds", ()] == pytest.approx(60, abs=20)
    assert found["notifications_sweep_age_seconds", ()] == pytest.approx(0, abs=20)
    deliveries = {dict(labels)["status"]: number for (name, labels), number in found.items() if name == "deliveries"}
    assert deliveries == {"waiting": 3, "sending": 1, "held": 1, "failed": 1}
    assert found["deliveries_oldest_due_seconds", ()] == pytest.approx(90, abs=20)


def test_what_cannot_be_read_is_said_and_the_rest_is_told(pump, monkeypatch):
    monkeypatch.setattr(pump.broker, "lag", lambda *_, **__: 1 / 0)
    found = scraped()

    assert found["pipeline_state_read", (("part", "kafka"),)] == 0
    assert found["pipeline_state_read", (("part", "postgresql"),)] == 1
    assert found["outbox_depth", ()] == 0
    assert [name for name, _ in found if name == "consumer_group_lag_records"] == []


def test_a_storm_of_scrapes_reads_the_state_once(pump, monkeypatch):
    reads = []
    read = pump.broker.lag
    monkeypatch.setattr(pump.broker, "lag", lambda *words, **named: reads.append(1) or read(*words, **named))

    with ThreadPoolExecutor(8) as scrapers:
        answers = list(scrapers.map(lambda _: exposition.exposition(with_state=True), range(200)))

    assert len(answers) == 200
    assert 1 <= len(reads) <= 3


# --- Requests -------------------------------------------------------------------------------------------


def test_a_request_is_counted_by_the_name_of_its_route_and_its_status():
    live = Growth("http_requests_total", method="GET", route="health-live", status="200")
    refused = Growth("http_requests_total", method="POST", route="health-live", status="405")
    took = Growth("http_request_duration_seconds_count", route="health-live")

    Client().get("/health/live/")
    Client().get("/health/live")
    Client().post("/health/live/")

    assert (live(), refused(), took()) == (2, 1, 3)


def test_what_callers_write_makes_no_label():
    nowhere = Growth("http_requests_total", method="GET", route="unmatched", status="404")
    odd = Growth("http_requests_total", method="other", route="health-live", status="405")
    names = {labels for _, labels in scraped()}

    for number in range(5):
        Client().get(f"/nothing/{number}/")
    Client().generic("BREW", "/health/live/")

    assert (nowhere(), odd()) == (5, 1)
    new = {labels for _, labels in scraped()} - names
    assert not [labels for labels in new if "nothing" in str(labels) or "BREW" in str(labels)]


def test_things_of_one_kind_are_one_route():
    owner = person()
    client = Client()
    client.force_login(owner)
    read = Growth("http_requests_total", method="GET", route="task-detail", status="200")

    for task in (task_of(owner), task_of(owner)):
        client.get(f"/api/v1/tasks/{task.pk}/")

    assert read() == 2


# --- Who may read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer", f"Bearer é{TOKEN}"]
)
def test_without_the_token_nothing_is_told(header: str):
    answer = Client().get("/metrics", headers={"Authorization": header})

    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert b"outbox" not in answer.content


def test_without_a_token_set_an_empty_one_opens_nothing(settings):
    settings.METRICS_TOKEN = ""

    assert [
        Client().get("/metrics", headers={"Authorization": each}).status_code for each in ("Bearer ", "Bearer")
    ] == [
        401,
        401,
    ]


def test_staff_read_by_session_and_by_token_of_the_api():
    boss = person(is_staff=True)
    client = Client()
    client.force_login(boss)
    access = Client().post(
        "/api/v1/auth/token/",
        {"username": boss.username, "password": "a-good-password"},
        content_type="application/json",
    )

    assert client.get("/metrics/").status_code == 200
    by_token = Client().get("/metrics", headers={"Authorization": f"Bearer {access.json()['access']}"})
    assert by_token.status_code == 200
    assert by_token["Content-Type"].startswith("text/plain; version=0.0.4")


def test_people_who_are_no_staff_are_refused():
    client = Client()
    client.force_login(person())

    answer = client.get("/metrics")

    assert (answer.status_code, answer.content) == (403, b"Metrics are for staff.\n")


# --- The server of the other roles ----------------------------------------------------------------------


@pytest.fixture
def served(settings) -> Iterator[str]:
    settings.METRICS_PORT = ports.free_port()
    scraping.serve("relay")
    server = scraping._serving[0]
    yield f"http://127.0.0.1:{settings.METRICS_PORT}"
    scraping._serving.clear()
    server.shutdown()
    server.server_close()


def asked(url: str, *, token: str = "") -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


def test_a_role_answers_on_its_port_who_has_the_token(served):
    status, text = asked(f"{served}/metrics", token=TOKEN)

    assert status == 200
    assert ("relay_leader", ()) in samples(text)
    assert "outbox_depth" not in text
    assert asked(f"{served}/metrics", token="wrong")[0] == 401
    assert asked(f"{served}/metrics")[0] == 401
    assert asked(f"{served}/", token=TOKEN)[0] == 404


def test_a_role_without_a_token_set_answers_nobody(served, settings):
    settings.METRICS_TOKEN = ""

    assert asked(f"{served}/metrics")[0] == 401


@pytest.mark.parametrize(("role", "port"), [("web", "free"), ("relay", 0)])
def test_the_web_and_who_has_no_port_open_none(settings, role, port):
    settings.METRICS_PORT = ports.free_port() if port == "free" else port

    scraping.serve(role)

    assert scraping._serving == []


def test_a_taken_port_is_said_and_stops_nobody(settings, served, monkeypatch):
    from structlog.testing import capture_logs

    monkeypatch.setattr(scraping, "_serving", [])
    with capture_logs() as lines:
        scraping.serve("beat")

    assert [line["event"] for line in lines] == ["metrics_not_served"]


# --- Several processes ----------------------------------------------------------------------------------

COUNTING = """
import sys
import django
django.setup()
from apps.events import metrics
metrics.events_handled.labels("audit", "task.created.v1").inc(int(sys.argv[1]))
metrics.commit_to_handled.labels("audit").observe(0.02)
metrics.relay_leader.set(1)
print("counted", flush=True)
sys.stdin.read()
"""


class Counting:
    """A process of the role that has counted and goes on living."""

    def __init__(self, folder: Path, number: int) -> None:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "todo_project.settings.base",
            "METRICS_DIR": str(folder),
            "ROLE": "relay",
        }
        command = [sys.executable, "-c", COUNTING, str(number)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, env=environment, cwd=project.BASE_DIR, stdin=pipe, stdout=pipe, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "counted\n"

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.communicate()


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Counting]]:
    running = [Counting(tmp_path, 3), Counting(tmp_path, 4)]
    monkeypatch.setattr(metrics, "FOLDER", tmp_path / "relay")
    yield running
    for each in running:
        each.end()


def summed() -> tuple[float, float, float]:
    found = samples(exposition.exposition(with_state=False).decode())
    return (
        found["events_handled_total", (("group", "audit"), ("type", "task.created.v1"))],
        found["event_commit_to_handled_seconds_count", (("group", "audit"),)],
        found.get(("relay_leader", ()), 0.0),
    )


def test_the_figures_of_all_processes_of_a_role_are_summed_and_outlive_them(two, tmp_path):
    assert summed() == (7, 2, 2)

    two[0].end()
    assert [summed(), summed()] == [(7, 2, 1), (7, 2, 1)]
    gone = two[0].process.pid
    assert [file.name for file in (tmp_path / "relay").iterdir() if f"_{gone}.db" in file.name] == []

    two[1].end()
    assert summed() == (7, 2, 0)


def test_each_living_process_of_a_role_tells_how_it_does(two):
    found = samples(exposition.exposition(with_state=False).decode())

    pids = {dict(labels)["pid"] for name, labels in found if name == "process_resident_memory_bytes"}
    assert pids == {str(each.process.pid) for each in two} | {str(os.getpid())}
