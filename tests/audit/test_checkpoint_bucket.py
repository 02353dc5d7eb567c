"""Checkpoints in a bucket: the client's own requests against a small S3 of the test's, on loopback.

What the test's S3 knows is what the checkpoints need: PUT that refuses to replace, GET, and lists by folder in pages.
"""

import base64
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from apps.audit import checkpoints
from apps.audit.chain import Head
from apps.audit.checkpoints import CheckpointRefused, CheckpointsAway

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PAGE = 2
FIRST, SECOND, THIRD = (f"of/the trail/000000000/00000000000{number}.json" for number in (1, 2, 3))


class S3(BaseHTTPRequestHandler):
    """One bucket, `trail`; path-style addresses."""

    protocol_version = "HTTP/1.1"
    bucket: ClassVar["Bucket"]

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.bucket.note(self)
        with self.bucket.lock:
            refused = self.headers.get("If-None-Match") == "*" and self.key in self.bucket.objects
            if not refused:
                self.bucket.objects[self.key] = content
        self.answer(412 if refused else 200, b"", ETag='"x"')

    def do_GET(self) -> None:
        self.bucket.note(self)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if "list-type" in asked:
            self.answer(200, self.listed(asked))
        elif self.key in self.bucket.objects:
            self.answer(200, self.bucket.objects[self.key], ETag='"x"')
        else:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def listed(self, asked: dict[str, str]) -> bytes:
        prefix, start = asked.get("prefix", ""), asked.get("continuation-token", "")
        found: dict[str, str] = {}
        for key in sorted(self.bucket.objects):
            folder, slash, _ = key.removeprefix(prefix).partition("/")
            if key.startswith(prefix):
                place = prefix + folder + slash
                what = "CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes" if slash else CONTENTS
                found[place] = "<" + what.format(escape(place)) + ">"
        left = [place for place in found if place > start]
        more = len(left) > PAGE
        rest = f"<NextContinuationToken>{escape(left[PAGE - 1])}</NextContinuationToken>" if more else ""
        words = "".join(found[place] for place in left[:PAGE])
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        return f"<ListBucketResult><Name>trail</Name>{truncated}{rest}{words}</ListBucketResult>".encode()

    @property
    def key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/trail/")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        status = self.bucket.status or status
        self.send_response(status)
        for name, value in {**headers, "Last-Modified": "Sat, 21 Nov 2026 09:00:00 GMT"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The test's output is the tests'."""


CONTENTS = (
    "Contents><Key>{}</Key><LastModified>2026-11-21T09:00:00.000Z</LastModified>"
    '<ETag>"x"</ETag><Size>1</Size></Contents'
)


@dataclass
class Bucket:
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str | None, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    status: int = 0

    def note(self, request: BaseHTTPRequestHandler) -> None:
        headers = request.headers
        self.requests.append((request.command, headers.get("If-None-Match"), headers.get("Authorization", "")))


@pytest.fixture
def bucket(settings) -> Iterator[Bucket]:
    kept = Bucket()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("S3OfTheTest", (S3,), {"bucket": kept}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    settings.AUDIT_CHECKPOINTS_URL = "s3://trail/of/the%20trail"
    settings.AUDIT_CHECKPOINTS_OPTIONS = {
        "endpoint": f"http://127.0.0.1:{server.server_port}",
        "region": "fra1",
        "access_key_id": "an-access-key",
        "secret_access_key": "a-secret",
    }
    settings.AUDIT_SIGNING_KEY = base64.b64encode(bytes(range(32))).decode()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


def head(sequence: int) -> Head:
    return Head(sequence, bytes([sequence]) * 32)


def write(*sequences: int) -> list[checkpoints.Checkpoint | None]:
    return [checkpoints.write({0: head(sequence)}, now=NOW) for sequence in sequences]


def test_checkpoints_are_objects_of_the_bucket_and_come_back_verified(bucket):
    written = write(1, 2, 3)

    assert sorted(bucket.objects) == [FIRST, SECOND, THIRD]
    assert checkpoints.newest() == written[2]
    assert list(checkpoints.since(0)) == written
    assert list(checkpoints.since(2)) == written[2:]


def test_an_object_is_put_only_if_it_is_absent_and_with_the_key_of_the_environment(bucket):
    write(1)

    ((_, if_none_match, authorization),) = [request for request in bucket.requests if request[0] == "PUT"]
    assert if_none_match == "*"
    assert "Credential=an-access-key/" in authorization
    assert "/fra1/s3/aws4_request" in authorization
    assert "a-secret" not in authorization


def test_a_number_that_another_has_taken_is_left_and_the_next_taken(bucket, monkeypatch):
    (first,) = write(1)
    was = bucket.objects[FIRST]
    seen = iter([None])
    monkeypatch.setattr(checkpoints, "newest", lambda: next(seen, first))

    (second,) = write(2)

    assert bucket.objects[FIRST] == was
    assert (second.number, second.previous) == (2, first.digest)


def test_more_folders_and_objects_than_a_page_are_all_seen(bucket, monkeypatch):
    monkeypatch.setattr("apps.audit.checkpoint_store.PER_FOLDER", 4)

    written = write(*range(1, 15))

    assert checkpoints.newest().number == 14
    assert list(checkpoints.since(0)) == written


def test_an_object_that_was_removed_from_the_bucket_is_named(bucket):
    write(1, 2, 3)
    del bucket.objects[SECOND]

    with pytest.raises(CheckpointRefused, match=r"000000000002\.json: it is missing"):
        list(checkpoints.since(0))


def test_an_object_that_was_changed_in_the_bucket_is_named(bucket):
    write(1, 2)
    bucket.objects[SECOND] = bucket.objects[SECOND].replace(b'"sequence":2', b'"sequence":9')

    with pytest.raises(CheckpointRefused, match="its signature is not over what it says"):
        checkpoints.newest()


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_bucket_that_refuses_is_away_and_not_empty(bucket, status):
    """An empty one would begin at number 1."""
    write(1)
    bucket.status = status
    was = dict(bucket.objects)

    with pytest.raises(CheckpointsAway, match=r"s3://trail/of/the%20trail: "):
        write(2)

    assert bucket.objects == was
    bucket.status = 0
    assert [each.number for each in write(2)] == [2]


def test_a_bucket_that_nobody_serves_is_away_within_seconds(settings):
    settings.AUDIT_SIGNING_KEY = base64.b64encode(bytes(32)).decode()
    settings.AUDIT_CHECKPOINTS_URL = "s3://trail/x"
    settings.AUDIT_CHECKPOINTS_OPTIONS = {
        "endpoint": "http://127.0.0.1:9",
        "region": "x",
        "access_key_id": "x",
        "secret_access_key": "x",
    }

    with pytest.raises(CheckpointsAway, match="s3://trail/x: "):
        checkpoints.newest()
