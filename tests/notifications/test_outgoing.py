"""One POST to a stranger's server: what it calls, what it believes, when it gives up and what it keeps."""

import http.client
import socket
import time

import pytest

from apps.notifications.calls import outgoing
from apps.notifications.calls.outgoing import Unanswered
from apps.notifications.calls.targets import NotAllowed
from tests.notifications.raw_receivers import answering, certified, receiving

pytestmark = pytest.mark.timeout(120)
# A machine may have much else to do; what would never end takes far longer than this.
PATIENCE = 20


@pytest.fixture(autouse=True)
def loopback_allowed(settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    settings.WEBHOOK_PORTS = [443]


def post(url, *, seconds=10.0, body=b'{"a":1}'):
    return outgoing.post(url, headers={"content-type": "application/json"}, body=body, seconds=seconds)


def resolving(monkeypatch, *answers):
    """Let the resolver answer with these addresses, one after the other and the last for ever; its questions."""
    asked = []
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if host == "hooks.example.test":
            asked.append(host)
            host = answers[min(len(asked), len(answers)) - 1]
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


class TestAnswers:
    def test_what_is_sent_arrives_as_it_is_and_the_answer_is_told(self):
        with receiving(answering("201 Created", "Content-Type: text/plain", "Set-Cookie: a=b")) as receiver:
            answer = post(f"{receiver.url}?a=b")

        head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
        assert head.split(b"\r\n")[0] == b"POST /hook?a=b HTTP/1.1"
        assert f"host: 127.0.0.1:{receiver.port}".encode() in head.lower().split(b"\r\n")
        assert b"content-type: application/json" in head.lower().split(b"\r\n")
        assert body == b'{"a":1}'
        assert (answer.status, answer.body, answer.truncated, answer.address) == (201, "taken", False, "127.0.0.1")
        assert answer.headers == {"content-type": "text/plain", "content-length": "5"}

    @pytest.mark.parametrize("status", [204, 302, 400, 410, 500, 503])
    def test_every_status_is_an_answer(self, status):
        with receiving(answering(f"{status} So", body=b"")) as receiver:
            assert post(receiver.url).status == status

    def test_a_redirect_is_not_followed(self):
        with (
            receiving(answering()) as elsewhere,
            receiving(answering("307 Go", f"Location: {elsewhere.url}")) as receiver,
        ):
            answer = post(receiver.url)

        assert (answer.status, answer.headers["location"]) == (307, elsewhere.url)
        assert elsewhere.connections == 0

    @pytest.mark.parametrize(
        ("text", "seconds"), [("120", 120.0), ("0", 0.0), ("-5", None), ("soon", None), ("99999999999999", 999999999.0)]
    )
    def test_when_to_come_again_is_read_in_seconds(self, text, seconds):
        with receiving(answering("503 Busy", f"Retry-After: {text}")) as receiver:
            assert post(receiver.url).retry_after == seconds

    def test_when_to_come_again_is_read_as_a_date(self):
        with receiving(answering("429 Busy", "Retry-After: Wed, 01 Jan 2200 00:00:00 GMT")) as receiver:
            assert post(receiver.url).retry_after > 1_000_000

    def test_a_date_that_is_past_is_now(self):
        with receiving(answering("429 Busy", "Retry-After: Wed, 01 Jan 2020 00:00:00 GMT")) as receiver:
            assert post(receiver.url).retry_after == 0

    def test_a_huge_answer_is_read_in_part_and_kept_in_a_smaller_one(self):
        sent = []

        def flood(connection, _request):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(10_000):
                connection.sendall(b"x" * 65536)
                sent.append(65536)

        with receiving(flood) as receiver:
            answer = post(receiver.url)

        assert (answer.status, answer.truncated, len(answer.body)) == (200, True, outgoing.MAX_KEPT_CHARACTERS)
        assert sum(sent) < 100_000_000

    def test_endless_headers_are_no_answer(self):
        def flood(connection, _request):
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            for number in range(100_000):
                connection.sendall(f"x-{number}: {'y' * 1000}\r\n".encode())

        with receiving(flood) as receiver, pytest.raises(Unanswered, match="did not answer by HTTP"):
            post(receiver.url)

    def test_what_postgresql_cannot_keep_is_replaced(self):
        with receiving(answering("200 OK", body=b"a\x00b\xff")) as receiver:
            assert post(receiver.url).body == "a\ufffdb\ufffd"


class TestNoAnswer:
    def test_a_receiver_that_says_nothing_is_given_up_in_time(self):
        with receiving(lambda *_: receiver.over.wait(60)) as receiver:
            began = time.monotonic()
            with pytest.raises(Unanswered, match=r"127\.0\.0\.1 did not answer within 0\.5 s") as told:
                post(receiver.url, seconds=0.5)
            took = time.monotonic() - began
            receiver.over.set()

        assert 0.4 < took < PATIENCE
        assert told.value.sent

    def test_a_head_that_comes_byte_by_byte_is_given_up_in_time(self):
        def drip(connection, _request):
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 600:
                connection.sendall(bytes([byte]))
                receiver.over.wait(0.1)

        with receiving(drip) as receiver:
            began = time.monotonic()
            with pytest.raises(Unanswered, match="did not answer within 1 s"):
                post(receiver.url, seconds=1)
            took = time.monotonic() - began
            receiver.over.set()

        assert took < PATIENCE

    def test_without_a_clock_over_the_whole_a_drip_is_listened_to_for_long(self):
        """The control: a time limit of each step, as HTTP clients have it, does not end it."""

        def drip(connection, _request):
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 40:
                connection.sendall(bytes([byte]))
                time.sleep(0.1)

        with receiving(drip) as receiver:
            began = time.monotonic()
            client = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=1)
            client.request("POST", "/hook", body=b"{}")
            response = client.getresponse()
            response.close()
            client.close()

        assert time.monotonic() - began > 3

    def test_a_body_that_comes_byte_by_byte_does_not_hold_up_what_is_said_already(self, monkeypatch):
        monkeypatch.setattr(outgoing, "BODY_SECONDS", 0.3)

        def drip(connection, _request):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n")
            for _ in range(600):
                connection.sendall(b"y")
                receiver.over.wait(0.1)

        with receiving(drip) as receiver:
            began = time.monotonic()
            answer = post(receiver.url, seconds=50)
            took = time.monotonic() - began
            receiver.over.set()

        assert (answer.status, answer.truncated) == (200, True)
        assert took < PATIENCE

    def test_a_receiver_that_takes_it_and_goes_may_have_it(self):
        with receiving(lambda *_: None) as receiver, pytest.raises(Unanswered, match="without an answer") as told:
            post(receiver.url)

        assert told.value.sent
        assert len(receiver.requests) == 1

    def test_what_speaks_no_http_is_no_answer(self):
        with (
            receiving(lambda connection, _: connection.sendall(b"220 mail.example.org ESMTP\r\n")) as receiver,
            pytest.raises(Unanswered, match="did not answer by HTTP"),
        ):
            post(receiver.url)

    def test_nobody_there_is_told_as_not_sent(self):
        with receiving(answering()) as receiver:
            url = receiver.url

        with pytest.raises(Unanswered, match="Connection refused") as told:
            post(url)
        assert not told.value.sent

    def test_who_never_reads_is_given_up_in_time(self):
        with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf:
            began = time.monotonic()
            with pytest.raises(Unanswered, match="within 1 s"):
                post(f"http://127.0.0.1:{deaf.getsockname()[1]}/", body=b"x" * 50_000_000, seconds=1)

        assert time.monotonic() - began < PATIENCE

    def test_a_name_that_is_not_found_is_told(self, monkeypatch):
        def getaddrinfo(*_args, **_kwargs):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

        with pytest.raises(Unanswered, match=r"hooks\.example\.test was not found: Name or service") as told:
            post("https://hooks.example.test/")
        assert not told.value.sent

    def test_a_resolver_that_hangs_is_given_up_in_time(self, monkeypatch):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: time.sleep(5))
        began = time.monotonic()

        with pytest.raises(Unanswered, match=r"within 0\.2 s"):
            post("https://hooks.example.test/", seconds=0.2)
        assert time.monotonic() - began < 4


class TestNames:
    def test_a_name_that_is_loopback_is_refused_and_nothing_is_called(self, monkeypatch, settings):
        settings.WEBHOOK_ALLOWED_NETWORKS = []
        settings.WEBHOOK_PORTS = [1, 443]
        resolving(monkeypatch, "127.0.0.1")

        with receiving(answering()) as receiver:
            settings.WEBHOOK_PORTS = [receiver.port]
            with pytest.raises(NotAllowed, match=r"hooks\.example\.test is 127\.0\.0\.1"):
                post(f"https://hooks.example.test:{receiver.port}/")

        assert receiver.connections == 0

    def test_a_resolver_that_changes_its_mind_is_asked_once(self, monkeypatch):
        asked = resolving(monkeypatch, "127.0.0.1", "127.0.0.2")
        with receiving(answering()) as allowed, receiving(answering(), host="127.0.0.2", port=allowed.port) as inside:
            answer = post(f"http://hooks.example.test:{allowed.port}/")

        assert asked == ["hooks.example.test"]
        assert answer.address == "127.0.0.1"
        assert (allowed.connections, inside.connections) == (1, 0)

    def test_without_the_pinned_address_it_would_be_called_inside(self, monkeypatch):
        """The control: whoever judges a name and then calls that name, calls what it has become."""
        resolving(monkeypatch, "127.0.0.1", "127.0.0.2")
        with receiving(answering()) as allowed, receiving(answering(), host="127.0.0.2", port=allowed.port) as inside:
            assert socket.getaddrinfo("hooks.example.test", allowed.port)[0][4][0] == "127.0.0.1"
            client = http.client.HTTPConnection("hooks.example.test", allowed.port, timeout=10)
            client.request("POST", "/", body=b"{}")
            client.getresponse().read()
            client.close()

        assert (allowed.connections, inside.connections) == (0, 1)

    def test_the_environment_names_no_proxy(self, monkeypatch):
        with receiving(answering()) as proxy, receiving(answering()) as receiver:
            for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            post(receiver.url)

        assert (receiver.connections, proxy.connections) == (1, 0)


class TestEncryption:
    def test_a_certificate_for_the_name_is_believed_at_the_pinned_address(self, monkeypatch, tmp_path):
        resolving(monkeypatch, "127.0.0.1")
        server, client = certified(tmp_path, "hooks.example.test")
        monkeypatch.setattr(outgoing, "trust", lambda: client)
        with receiving(answering()) as receiver:
            receiver.tls = server
            answer = post(f"https://hooks.example.test:{receiver.port}/")

        assert (answer.status, answer.body) == (200, "taken")
        assert f"host: hooks.example.test:{receiver.port}".encode() in receiver.requests[0].lower()

    def test_a_certificate_for_another_name_is_not_and_nothing_is_sent(self, monkeypatch, tmp_path):
        resolving(monkeypatch, "127.0.0.1")
        server, client = certified(tmp_path, "other.example.test")
        monkeypatch.setattr(outgoing, "trust", lambda: client)
        with receiving(answering()) as receiver:
            receiver.tls = server
            with pytest.raises(Unanswered, match=r"No trusted connection to hooks\.example\.test.*mismatch") as told:
                post(f"https://hooks.example.test:{receiver.port}/")

        assert not told.value.sent
        assert receiver.requests == []

    def test_a_certificate_of_nobody_we_know_is_not_and_nothing_is_sent(self, monkeypatch, tmp_path):
        resolving(monkeypatch, "127.0.0.1")
        server, _ = certified(tmp_path, "hooks.example.test")
        with receiving(answering()) as receiver:
            receiver.tls = server
            with pytest.raises(Unanswered, match="self-signed certificate") as told:
                post(f"https://hooks.example.test:{receiver.port}/")

        assert not told.value.sent
        assert receiver.requests == []

    def test_who_never_shakes_hands_is_given_up_in_time(self):
        with receiving(lambda *_: None) as receiver:
            began = time.monotonic()
            with pytest.raises(Unanswered, match="within 1 s"):
                post(f"https://127.0.0.1:{receiver.port}/", seconds=1)

        assert time.monotonic() - began < PATIENCE
