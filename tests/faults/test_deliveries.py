"""F14 and F20: a receiver that fails, hangs, or takes what it is given and says nothing, and a delivery that kills who
sends it: one key and one content in every attempt, each counted, an end to all of it, and nobody else waits.
"""

import base64
import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from apps.accounts.models import User
from apps.notifications.models import Delivery, DeliveryAttempt
from apps.notifications.sending.fairness import Room
from apps.notifications.services import claiming, push, sending, webhooks
from apps.notifications.services.claiming import Claimed
from apps.notifications.transports import transport_named
from apps.notifications.transports.base import Transport
from tests.faults import checker, platform, reminders
from tests.faults.evidence import Evidence
from tests.faults.pipeline import Pipeline, wait_until
from tests.faults.platform import ring_every
from tests.faults.reminders import PATIENCE_SECONDS, SWEEP_SECONDS, all_told, ask, in_seconds, planned, somebody
from tests.faults.verdict import Verdict
from tests.support.receiving import Given
from tests.support.reminding import Clock, claim, standing_clock, try_once
from tests.support.sinks import HOST, Sink, http_sink

NOON = datetime(2027, 5, 3, 12, 0, tzinfo=UTC)
WORKER = f"worker-{reminders.GROUP}"
SOON_SECONDS = 12
# Of receivers that answer in time; who hangs takes as long as the transport waits.
BOUND_SECONDS = 90


class Receivers:
    """A mail server and an HTTP server, and how roles reach them."""

    def __init__(self, folder: Path, ended: ExitStack) -> None:
        self.mail, environment = ended.enter_context(reminders.mailbox(folder))
        self.http = ended.enter_context(http_sink(folder))
        self.environment = {
            **environment,
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "WEBHOOK_PORTS": f"80,443,{self.http.port}",
        }

    def given(self) -> list[Given]:
        return [*self.mail.given(), *self.http.given()]


@pytest.fixture
def receivers(tmp_path: Path, settings: pytest.FixtureRequest) -> Iterator[Receivers]:
    with ExitStack() as ended:
        made = Receivers(tmp_path, ended)
        settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]  # type: ignore[attr-defined]
        settings.WEBHOOK_PORTS = [80, 443, made.http.port]  # type: ignore[attr-defined]
        yield made


def _by_mail(owner: User, receivers: Receivers) -> Sink:
    assert owner.email
    return receivers.mail


def _by_webhook(owner: User, receivers: Receivers) -> Sink:
    webhooks.create(owner=owner, url=f"{receivers.http.url}/hook", now=datetime.now(UTC))
    return receivers.http


def _by_push(owner: User, receivers: Receivers) -> Sink:
    # Any point on the curve and any secret: nobody has to read it.
    point = base64.urlsafe_b64decode(push.public_key() + "==")
    keys = {"p256dh": _text(point), "auth": _text(os.urandom(16))}
    push.subscribe(owner=owner, endpoint=f"{receivers.http.url}/push", now=datetime.now(UTC), **keys)
    return receivers.http


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


WAYS = {"email": _by_mail, "webhook": _by_webhook, "push": _by_push}


def _judge(evidence: Evidence, pipeline: Pipeline, journal: Path, given: list[Given]) -> None:
    wait_until(checker.quiet, "all is quiet", seconds=PATIENCE_SECONDS)
    wait_until(lambda: checker.lag(pipeline.broker) == 0, "all is read", seconds=PATIENCE_SECONDS)
    evidence.judge(journal, pipeline.broker)
    verdict = Verdict()
    reminders.judge(verdict, given)
    evidence.count_more(verdict)
    verdict.hold()
    times = DeliveryAttempt.objects.count()
    evidence.notes.append(f"{Delivery.objects.count()} deliveries, {times} attempts, received {len(given)} times")


def _attempted(way: str, times: int) -> bool:
    return DeliveryAttempt.objects.filter(delivery__transport=way, number__gte=times).exists()


@pytest.mark.fault("F20", "a receiver fails, then is well again", bound=BOUND_SECONDS)
@pytest.mark.parametrize(
    ("way", "mode"),
    [
        ("email", "dies"),
        ("email", "status:451"),
        ("email", "hang"),
        ("webhook", "status:500"),
        ("webhook", "dies"),
        ("webhook", "hang"),
        ("push", "status:503"),
        ("push", "dies"),
    ],
)
def test_what_a_receiver_fails_is_tried_again_with_the_same_key(
    pipeline: Pipeline, receivers: Receivers, journal: Path, evidence: Evidence, way: str, mode: str
) -> None:
    ring_every(SWEEP_SECONDS)
    reminders.start(pipeline, receivers.environment)
    owner = somebody()
    sink = WAYS[way](owner, receivers)
    sink.mode = mode
    ask(owner, journal, count=2, at=in_seconds(SOON_SECONDS))
    planned(2)
    wait_until(partial(_attempted, way, 2), "it was tried twice", seconds=PATIENCE_SECONDS)

    sink.mode = "ok"
    all_told(2)
    evidence.recovered(reminders.all_sent())

    _judge(evidence, pipeline, journal, receivers.given())
    keys = {str(pk) for pk in Delivery.objects.filter(transport=way).values_list("pk", flat=True)}
    given = {key: times for key, times in sink.times_by_key().items() if key in keys}
    taken = {key: times for key, times in sink.accepted_by_key().items() if key in keys}
    assert given.keys() == taken.keys() == keys
    assert set(taken.values()) == {1}
    assert max(given.values()) >= 2


@pytest.mark.short
@pytest.mark.control("F20", "each attempt has a key of its own")
def test_another_key_at_each_attempt_is_seen_by_the_checker(
    transactional_db: None,
    receivers: Receivers,
    evidence: Evidence,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: pytest.FixtureRequest,
) -> None:
    for name, value in (("HOST", HOST), ("PORT", receivers.mail.port), ("USE_TLS", False)):
        setattr(settings, f"EMAIL_{name}", value)
    monkeypatch.setattr(Claimed, "key", property(lambda _: uuid4()))
    with standing_clock(NOON) as clock:
        reminders.a_mail_is_due(clock, tmp_path / "journal")
        for mode in ("status:451", "ok"):
            receivers.mail.mode = mode
            sending.finish([try_once(one) for one in claim("email")])
            clock.advance(hours=2)
        verdict = Verdict()
        reminders.judge(verdict, receivers.mail.given(), clock="occurred_at")

    evidence.count(verdict)
    assert [one.answered for one in receivers.mail.given()] == [451, 250]
    assert [each.partition(": ")[2] for each in verdict.findings] == [
        "given, and no delivery's",
        "given 1 times in 0 attempts",
    ] * 2


@pytest.mark.short
@pytest.mark.control("F14", "an attempt is counted by who ends it, and not by who begins it")
def test_what_is_not_counted_when_it_begins_kills_for_ever(
    transactional_db: None, evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = claiming._begun

    def begun_without_counting(rows: list[Delivery], transport: Transport) -> list[Delivery]:
        begun(rows, transport)
        Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(attempts=0)
        return rows

    monkeypatch.setattr(type(transport_named("email")), "most_attempts", 3)
    monkeypatch.setattr(claiming, "_begun", begun_without_counting)
    with standing_clock(NOON) as clock:
        reminders.a_mail_is_due(clock, tmp_path / "journal")
        for _ in range(5):
            _die_of_all_that_is_due(clock)
        verdict = Verdict()
        reminders.judge(verdict, clock="occurred_at")
        monkeypatch.setattr(claiming, "_begun", begun)
        for _ in range(5):
            _die_of_all_that_is_due(clock)

    evidence.count(verdict)
    assert [each.partition(": ")[2] for each in verdict.lost] == ["still waiting"]
    assert Delivery.objects.get().status == "failed"


def _die_of_all_that_is_due(clock: Clock) -> None:
    claim("email")
    sending.claim(transport=transport_named("email"), room=Room(all=1, risky=1, person=1), deadly=True)
    clock.advance(hours=2)
    sending.bury(transport_named("email"))
    clock.advance(hours=12)


@pytest.mark.timeout(420)
@pytest.mark.fault("F14", "a mail kills whoever sends it, each time; others have mails too", bound=None)
def test_a_delivery_that_always_kills_its_sender_comes_to_an_end_and_holds_up_nobody(
    pipeline: Pipeline, receivers: Receivers, journal: Path, evidence: Evidence
) -> None:
    ring_every(SWEEP_SECONDS)
    for role in ("relay", "worker-audit", "beat"):
        pipeline.start(role, **receivers.environment)
    pipeline.run(WORKER, platform.without("surviving", WORKER), role=WORKER, **receivers.environment)
    reminders.at_work()
    ada, grace = somebody("ada"), somebody("grace")
    ask(ada, journal, count=1, at=in_seconds(SOON_SECONDS), title="deadly")
    for ahead in range(4):
        ask(grace, journal, count=1, at=in_seconds(SOON_SECONDS + 3 * ahead), title=f"Harmless {ahead}")
    planned(5)

    deadly = Delivery.objects.filter(owner=ada, transport="email")
    wait_until(lambda: deadly.filter(status="failed").exists(), "the deadly one has failed", seconds=240)
    reminders.all_sent()

    _judge(evidence, pipeline, journal, receivers.given())
    made = DeliveryAttempt.objects.filter(delivery__in=deadly).order_by("number")
    assert [one.outcome for one in made] == ["died"] * 3
    sent = Delivery.objects.filter(owner=grace, transport="email")
    assert {one.status for one in sent} == {"delivered"}
    assert not [one for one in receivers.mail.given() if "deadly" in one.headers["subject"]]


@pytest.mark.fault("F20", "a receiver of one person hangs; another's are served", bound=None)
def test_who_hangs_holds_up_nobody_else(
    pipeline: Pipeline, receivers: Receivers, tmp_path: Path, journal: Path, evidence: Evidence
) -> None:
    ring_every(SWEEP_SECONDS)
    reminders.start(pipeline, receivers.environment)
    ada, grace = somebody("ada"), somebody("grace")
    _by_webhook(ada, receivers).mode = "hang"
    ask(ada, journal, count=3, at=in_seconds(SOON_SECONDS), title="Hanging")
    ask(grace, journal, count=3, at=in_seconds(SOON_SECONDS + 2), title="Flowing")
    planned(6)
    all_told(6)

    flowing = Delivery.objects.filter(owner=grace)
    took = wait_until(partial(_all_delivered, flowing), "the others are sent", seconds=PATIENCE_SECONDS)
    evidence.notes.append(f"the others after {took:.1f} s")
    assert not Delivery.objects.filter(owner=ada, transport="webhook", status="delivered").exists()
    receivers.http.mode = "ok"
    reminders.all_sent()

    _judge(evidence, pipeline, journal, receivers.given())


def _all_delivered(rows: object) -> bool:
    statuses = list(rows.values_list("status", flat=True))  # type: ignore[attr-defined]
    return bool(statuses) and set(statuses) == {"delivered"}
