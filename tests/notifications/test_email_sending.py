"""Handing mails over: to a real mail server that behaves well or badly, or into the folder."""

import email
import socket
import stat
import threading
from email import policy
from email.header import decode_header, make_header

import pytest
import structlog
from aiosmtpd.smtp import AuthResult

from apps.accounts.mail import kept_for
from apps.accounts.models import User
from apps.notifications.transports import transport_named
from apps.notifications.transports.base import Destination, Refused, TryAgain, Unreachable
from tests.notifications.mails import composed, delivery, notification, uuid
from tests.support.sinks import smtp_sink
from tests.support.smtp_receiver import AtAnyPort

KEY = uuid("key")
TO = "ada@example.org"


@pytest.fixture
def transport():
    return transport_named("email")


@pytest.fixture
def server(tmp_path, settings):
    """A mail server in a process of its own."""
    with smtp_sink(tmp_path) as sink:
        use(settings, sink.port)
        yield sink


def use(settings, port):
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", port, False


@pytest.fixture
def answering(settings):
    """Starts a mail server on a thread, whose handling has the hooks given; ends it after the test."""
    running = []

    def start(handling, **options):
        controller = AtAnyPort(handling, **options)
        controller.start()
        running.append(controller)
        use(settings, controller.port)

    yield start
    for controller in running:
        controller.stop()


def parsed(given):
    return email.message_from_string(given.body, policy=policy.default)


def lines(text):
    return text.strip().splitlines()


def send(transport, content=None, *, to=TO, key=KEY, attempt=1):
    return transport.send(content or composed(), to=to, key=key, attempt=attempt)


# --- A server that is well ------------------------------------------------------------------------------


def test_a_mail_arrives_with_text_and_html_and_what_the_server_said_is_kept(server, transport):
    content = composed()

    receipt = send(transport, content)

    (given,) = server.given()
    mail = parsed(given)
    assert (given.key, given.place) == (str(KEY), TO)
    assert mail["Subject"] == "Buy milk"
    assert mail["To"] == TO
    assert mail["Message-ID"] == f"<{KEY}@127.0.0.1>"
    assert mail["X-Delivery-ID"] == str(KEY)
    assert mail["Date"] == "Sun, 22 Nov 2026 09:00:00 +0000"
    assert mail.get_content_type() == "multipart/alternative"
    assert lines(mail.get_body(("plain",)).get_content()) == lines(content["text"])
    assert lines(mail.get_body(("html",)).get_content()) == lines(content["html"])
    assert receipt.response == {"code": 250, "answer": "OK"}
    assert receipt.request == {
        "to": TO,
        "subject": "Buy milk",
        "message_id": f"<{KEY}@127.0.0.1>",
        "server": f"127.0.0.1:{server.port}",
    }


def test_every_attempt_carries_the_same_key_and_says_the_same(server, transport):
    content = composed()
    server.mode = "fails:1"

    with pytest.raises(TryAgain):
        send(transport, content)
    send(transport, content, attempt=2)

    first, second = map(parsed, server.given())
    assert first["Message-ID"] == second["Message-ID"] == f"<{KEY}@127.0.0.1>"
    assert first.items()[1:] == second.items()[1:]  # the first names where the parts part
    assert [part.get_payload() for part in first.iter_parts()] == [part.get_payload() for part in second.iter_parts()]


def test_titles_in_any_script_arrive_as_they_were_written(server, transport):
    title = "Grüße an Zoë 👩‍👩‍👧 اشتر"

    send(transport, composed(notification(title)))

    (given,) = server.given()
    mail = parsed(given)
    assert mail["Subject"].strip() == title
    assert title in mail.get_body(("plain",)).get_content()
    assert given.body.isascii()
    assert max(map(len, given.body.partition("\r\n\r\n")[2].splitlines())) <= 78


# --- Servers that are not -------------------------------------------------------------------------------


class Refusing:
    """Refuses at one step of the conversation."""

    def __init__(self, step, answer):
        self.taken = []
        setattr(self, f"handle_{step}", self._refuse)
        self._answer = answer

    async def _refuse(self, *_):
        return self._answer

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        self.taken.append(envelope)
        return "250 OK"


@pytest.mark.parametrize(
    ("step", "answer", "outcome", "told"),
    [
        ("RCPT", "550 5.1.1 no such person", Refused, "does not take mail for this address: 550 5.1.1 no such person"),
        ("RCPT", "450 4.2.1 mailbox busy", TryAgain, "does not take mail for this address: 450 4.2.1 mailbox busy"),
        ("RCPT", "452 4.5.3 too many", TryAgain, "does not take mail for this address: 452 4.5.3 too many"),
        ("DATA", "554 5.7.1 unwanted", Refused, "does not take this mail: 554 5.7.1 unwanted"),
        ("DATA", "451 4.3.0 try later", TryAgain, "does not take this mail: 451 4.3.0 try later"),
        ("MAIL", "550 5.7.1 not you", TryAgain, "look at EMAIL_FROM: 550 5.7.1 not you"),
        ("MAIL", "552 5.3.4 too large", Refused, "552 5.3.4 too large"),
    ],
)
def test_what_a_server_refuses_is_told_in_its_words_and_nothing_is_sent(
    answering, transport, step, answer, outcome, told
):
    handling = Refusing(step, answer)
    answering(handling)

    with pytest.raises(outcome) as refused:
        send(transport)

    assert told in refused.value.reason
    assert type(refused.value) is outcome
    assert refused.value.request["to"] == TO
    assert handling.taken == []


def test_a_server_that_drops_the_connection_in_the_middle_is_tried_again(server, transport):
    server.mode = "dies"

    with pytest.raises(TryAgain, match="is not to be reached, or went away"):
        send(transport)


def test_nobody_at_the_address_of_the_server_is_tried_again(settings, transport):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        use(settings, taken.getsockname()[1])

        with pytest.raises(TryAgain, match="is not to be reached"):
            send(transport)


def test_a_server_that_serves_nobody_now_is_tried_again(settings, transport):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        use(settings, listening.getsockname()[1])
        thread = threading.Thread(target=turn_away, args=[listening], daemon=True)
        thread.start()

        with pytest.raises(TryAgain, match=r"does not serve us now: 421 4\.3\.2 closing"):
            send(transport)
        thread.join(30)


def turn_away(listening):
    connection, _ = listening.accept()
    with connection:
        connection.sendall(b"421 4.3.2 closing\r\n")


def test_a_server_that_never_answers_is_left_after_the_seconds_there_are(settings, transport, monkeypatch):
    monkeypatch.setattr(transport, "seconds", 0.5, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use(settings, silent.getsockname()[1])

        with pytest.raises(TryAgain, match="timed out"):
            send(transport)


def test_a_server_that_is_slow_at_every_step_is_left_when_the_time_of_all_steps_is_over(
    settings, transport, monkeypatch
):
    """Each answer comes in time; all of them would take longer than an attempt may."""
    monkeypatch.setattr(transport, "seconds", 3.0, raising=False)
    asked = []

    def serve(listening):
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as heard:
            connection.sendall(b"220 hello\r\n")
            for line in heard:
                asked.append(line)
                if over.wait(1.4):
                    return
                connection.sendall(b"250 OK\r\n")

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        use(settings, listening.getsockname()[1])
        thread = threading.Thread(target=serve, args=[listening], daemon=True)
        thread.start()

        with pytest.raises(TryAgain):
            send(transport)
        over.set()
        thread.join(30)

    assert b"data\r\n" not in asked


class Slow:
    def __init__(self):
        self.taken = []

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        self.taken.append(envelope)
        return "250 2.0.0 queued as 4711"

    async def handle_QUIT(self, server, _session):  # noqa: N802
        server.transport.abort()
        return "221 Bye"


def test_what_was_taken_stays_sent_when_the_server_leaves_without_a_word(answering, transport):
    handling = Slow()
    answering(handling)

    receipt = send(transport)

    assert receipt.response == {"code": 250, "answer": "2.0.0 queued as 4711"}
    assert len(handling.taken) == 1


def test_a_wrong_password_is_told_without_it_and_tried_again(answering, settings, transport):
    handling = Slow()
    answering(
        handling,
        auth_require_tls=False,
        authenticator=lambda *_: AuthResult(success=False, handled=False),
    )
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "todo", "the-secret"

    with pytest.raises(TryAgain, match="does not let us in; look at EMAIL_HOST_USER") as refused:
        send(transport)

    assert "the-secret" not in repr((refused.value.reason, refused.value.request, refused.value.response))
    assert refused.value.response["code"] == 535
    assert handling.taken == []


def test_a_password_that_a_server_repeats_is_not_kept(answering, settings, transport):
    handling = Refusing("RCPT", "550 the-secret is no way to come in")
    answering(handling)
    settings.EMAIL_HOST_PASSWORD = "the-secret"

    with pytest.raises(Refused) as refused:
        send(transport)

    assert refused.value.response == {"code": 550, "answer": "… is no way to come in"}


def test_a_server_without_tls_is_given_nothing_where_tls_is_asked_for(answering, settings, transport):
    handling = Slow()
    answering(handling)
    settings.EMAIL_USE_TLS = True

    with pytest.raises(TryAgain, match="look at EMAIL_USE_TLS"):
        send(transport)

    assert handling.taken == []


# --- The folder -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, settings):
    settings.EMAIL_HOST = ""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    return tmp_path / "mail"


def test_without_a_server_a_mail_is_a_file_in_the_folder_named_in_the_log(folder, transport):
    with structlog.testing.capture_logs() as lines:
        receipt = send(transport)

    place = folder / f"20261122-090000-{KEY}.eml"
    mail = email.message_from_bytes(place.read_bytes(), policy=policy.default)
    assert mail["Message-ID"] == f"<{KEY}@127.0.0.1>"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [line["file"] for line in lines if line["event"] == "mail_written"] == [str(place)]
    assert receipt.response == {
        "answer": f"There is no mail server: it was written to {place}.",
        "file": str(place),
    }


def test_a_title_that_looks_encoded_is_read_as_it_was_written(folder, transport):
    title = "=?utf-8?q?=0aBcc:evil?= Grüße"

    receipt = send(transport, composed(notification(title)))

    (place,) = folder.iterdir()
    mail = email.message_from_bytes(place.read_bytes())
    assert "=?utf-8?q?=0aBcc:evil?=" not in mail["Subject"]
    assert str(make_header(decode_header(mail["Subject"]))) == title
    assert mail["Bcc"] is None
    assert receipt.request["subject"] == title


@pytest.mark.parametrize("title", ["=?x", "a =? b " + "é" * 90, "=?utf-8?b?QQ==?= =?utf-8?b?QQ==?="])
def test_whatever_looks_encoded_comes_back_in_full(folder, transport, title):
    send(transport, composed(notification(title)))

    (place,) = folder.iterdir()
    subject = email.message_from_bytes(place.read_bytes())["Subject"]
    assert str(make_header(decode_header(subject))) == title


def test_who_is_erased_takes_their_file_along(folder, transport):
    send(transport)
    send(transport, to="ben@example.org", key=uuid("another"))

    assert [place.name for place in kept_for(TO)] == [f"20261122-090000-{KEY}.eml"]


def test_a_second_attempt_leaves_one_file(folder, transport):
    send(transport)
    before = (folder / f"20261122-090000-{KEY}.eml").read_bytes()

    send(transport, attempt=2)

    (place,) = folder.iterdir()
    assert place.read_bytes() == before


def test_what_a_writer_left_behind_who_died_is_written_anew(folder, transport):
    folder.mkdir(mode=0o700)
    (folder / f"20261122-090000-{KEY}.partial").write_bytes(b"Subject: hal")

    send(transport)

    (place,) = folder.iterdir()
    assert place.name == f"20261122-090000-{KEY}.eml"
    assert place.read_bytes().count(b"Subject:") == 1
    assert b"Subject: Buy milk" in place.read_bytes()


def test_a_folder_that_cannot_be_written_is_no_mail_sent(folder, transport):
    folder.write_text("a file stands in its place")

    with pytest.raises(FileExistsError):
        send(transport)


# --- Where to -------------------------------------------------------------------------------------------


def test_people_without_an_address_are_reached_nowhere(transport):
    ada, ben, eve = (
        User(username=name, email=address)
        for name, address in [("ada", TO), ("ben", ""), ("eve", "eve@example.org\nBcc: all@example.org")]
    )

    assert transport.destinations([ada, ben, eve]) == {ada.pk: [Destination()]}


def test_the_address_is_the_one_there_is_when_it_is_sent(transport):
    owner = User(username="ada", email=TO)
    content = transport.compose(delivery(), owner=owner, items=[notification()], now=notification().about_at)
    owner.email = "new@example.org"

    assert TO not in str(content)
    assert transport.reach(delivery(), owner=owner) == "new@example.org"


@pytest.mark.parametrize("address", ["", "nobody", "eve@example.org\nBcc: all@example.org"])
def test_no_address_is_unreachable_and_says_what_to_do(transport, address):
    with pytest.raises(Unreachable, match="Give it one, and mails come from then on"):
        transport.reach(delivery(), owner=User(username="ada", email=address))
