"""Whoever has a link of a mail acts as its owner: no page of staff has one, nor what is kept beside the mail."""

import json
import re
import smtplib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from apps.audit.models import AuditRecord
from apps.events.models import Event
from apps.notifications.mail import letters, links, mailing
from apps.notifications.mail.links import without_tokens
from apps.notifications.models import Delivery
from apps.notifications.services import links as following
from apps.notifications.transports.base import Refused
from apps.tasks import services
from tests.notifications.rest.made import attempt, delivery, notification, reminder
from tests.support.factories import person
from tests.support.pump import fresh_pump

pytestmark = pytest.mark.django_db

LONDON = ZoneInfo("Europe/London")
_LINK = re.compile(r"/links/([^/\s\"]+)")


@pytest.fixture
def boss(client):
    client.force_login(person("boss", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def mail():
    """One that was refused by a server that gives back what it was sent."""
    ada, now = person("ada"), datetime.now(UTC)
    task = services.create_task(owner=ada, actor=ada, now=now, title="Water the plants", due_at=now)
    told = notification(ada, now=now, task_id=task.pk, reminder_id=reminder(ada, task_id=task.pk, now=now).pk)
    made = delivery(told, now=now, status="failed", attempts=1)
    content = letters.compose(made, zone=LONDON, items=[told], now=now)
    back = f"550 spam: {content['text']}"
    Delivery.objects.filter(pk=made.pk).update(content=content, error=back)
    attempt(made, outcome="refused", error=back, request={"headers": content["headers"]}, response={"answer": back})
    made.refresh_from_db()
    return made


def tokens_of(mail):
    return sorted({token for part in ("text", "html") for token in _LINK.findall(mail.content[part])})


def pages_of_staff(mail):
    told = mail.notifications.get()
    return [
        *[reverse(f"admin:notifications_{one._meta.model_name}_change", args=[one.pk]) for one in (mail, told)],
        reverse("admin:notifications_reminder_change", args=[told.reminder_id]),
        reverse("admin:tasks_task_change", args=[told.task_id]),
        *[reverse(f"admin:notifications_{name}_changelist") for name in ("delivery", "notification", "reminder")],
        reverse("admin:audit_auditrecord_changelist"),
        reverse("admin:events_event_changelist"),
        *[reverse("admin:audit_auditrecord_change", args=[one.pk]) for one in AuditRecord.objects.all()],
        *[reverse("admin:events_event_change", args=[one.pk]) for one in Event.objects.all()],
    ]


def test_no_page_of_staff_has_a_token_of_a_link(boss, mail):
    with fresh_pump() as pump:
        pump.run()
    tokens = tokens_of(mail)

    answers = {address: boss.get(address) for address in pages_of_staff(mail)}

    assert len(tokens) == 5
    assert {answer.status_code for answer in answers.values()} == {200}
    shown = {address: answer.content.decode() for address, answer in answers.items()}
    assert [(address, token) for address, text in shown.items() for token in tokens if token in text] == []
    assert "/links/[hidden]/" in shown[reverse("admin:notifications_delivery_change", args=[mail.pk])]


def test_a_page_that_hides_nothing_would_be_noticed(boss, mail, monkeypatch):
    monkeypatch.setattr("apps.notifications.admin.shown.without_tokens", lambda value: value)

    shown = boss.get(reverse("admin:notifications_delivery_change", args=[mail.pk])).content.decode()

    assert [token for token in tokens_of(mail) if token in shown] == tokens_of(mail)


def test_neither_events_nor_the_trail_keep_the_token_of_a_link_that_was_followed(mail):
    followed = [links.read(token, now=datetime.now(UTC)) for token in tokens_of(mail)]

    outcomes = [following.use(one, now=datetime.now(UTC)).outcome.name for one in followed]
    with fresh_pump() as pump:
        pump.run()

    kept = json.dumps([*Event.objects.values(), *AuditRecord.objects.values()], default=str)
    assert "DONE" in outcomes
    assert AuditRecord.objects.exists()
    assert [token for token in tokens_of(mail) if token in kept] == []


def test_a_mail_is_shown_as_it_is_read_with_its_html_behind_a_click(boss, mail):
    shown = boss.get(reverse("admin:notifications_delivery_change", args=[mail.pk])).content.decode()

    assert '<pre class="letter" dir="auto">' in shown
    assert "<summary>HTML</summary>" in shown
    assert f"<strong>{mail.content['subject']}</strong>" in shown


def test_its_owner_is_not_shown_mails_as_deliveries_of_an_endpoint(client, mail):
    client.force_login(mail.owner)

    answer = client.get(f"/api/v1/webhooks/{mail.pk}/deliveries/{mail.pk}/", headers={"accept": "application/json"})

    assert answer.status_code == 404


def test_what_a_server_gives_back_is_kept_without_the_links_in_it(mail, settings, monkeypatch):
    def refuse(server, message):
        raise smtplib.SMTPDataError(550, message.body.encode())

    monkeypatch.setattr(mailing._Server, "hand_over", refuse)
    settings.EMAIL_HOST = "mail.example"
    message = mailing.message(mail.content, to="ada@example.org", key=mail.pk)

    with pytest.raises(Refused) as refusal:
        mailing.hand_over(message, key=mail.pk, seconds=1)

    told = json.dumps([str(refusal.value), refusal.value.request, refusal.value.response])
    assert "/links/[hidden]" in told
    assert [token for token in tokens_of(mail) if token in told] == []


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("https://todo.example/links/YWJj.x-_y/", "https://todo.example/links/[hidden]/"),
        ("<a href='/links/YWJj'>x</a> /links/Z", "<a href='/links/[hidden]'>x</a> /links/[hidden]"),
        (
            {"headers": {"List-Unsubscribe": "<http://a/links/b.c/>"}},
            {"headers": {"List-Unsubscribe": "<http://a/links/[hidden]/>"}},
        ),
        (["/links/a/", 7, None, True], ["/links/[hidden]/", 7, None, True]),
        ("See our links/ page", "See our links/ page"),
    ],
)
def test_tokens_are_hidden_wherever_they_stand(given, left):
    assert without_tokens(given) == left
