"""Records that are no event and huge: bounded in the trail, provable, and never in the way of those behind them."""

import base64
import hashlib
import json
import time

import pytest
from django.db import connection

from apps.audit import garbage
from apps.audit.models import AuditRecord
from apps.audit.subscribers import group
from apps.events import handling
from apps.events.brokers.base import Record

MIB = 1024 * 1024


def record(offset=0, *, key=b"k", value=b"x", headers=()):
    return Record("task-events", 1, offset, key, value, list(headers))


def test_what_fits_is_kept_whole_and_says_nothing_of_more():
    headers = [("x", b"\xff" * (16 * 1024 - 9))]

    kept = garbage.kept(record(value=bytes(MIB), headers=headers), reason="no type")

    assert sorted(kept) == ["because", "headers", "key", "value"]
    assert kept["headers"] == [["x", "\\xff" * (16 * 1024 - 9)]]
    assert base64.b64decode(kept["value"]) == bytes(MIB)


def test_of_what_is_larger_the_first_is_kept_and_the_whole_can_be_proved():
    value, headers = bytes(3 * MIB), [("one", b"1"), ("x", b"\xff" * MIB), ("last", b"2")]

    kept = garbage.kept(record(key=bytes(MIB + 1), value=value, headers=headers), reason="no type")

    whole = b"".join(len(part).to_bytes(4, "big") + part for part in (b"one", b"1", b"x", b"\xff" * MIB, b"last", b"2"))
    assert base64.b64decode(kept["value"]) == bytes(MIB)
    assert [name for name, _ in kept["headers"]] == ["one", "x"]
    assert kept["headers"][1][1] == "\\xff" * (16 * 1024 - 12 - 9)
    assert kept["left_out"] == {
        "headers": {"bytes": len(whole) - 16 * 1024, "sha256_of_all": hashlib.sha256(whole).hexdigest()},
        "key": {"bytes": 1, "sha256_of_all": hashlib.sha256(bytes(MIB + 1)).hexdigest()},
        "value": {"bytes": 2 * MIB, "sha256_of_all": hashlib.sha256(value).hexdigest()},
    }


@pytest.mark.parametrize(
    "headers",
    [[("x", b"\xff" * MIB)], [("x" * MIB, b"")], [("", b"")] * 200_000, [("\0" * MIB, b"\0" * MIB)]],
    ids=["a long value", "a long name", "many empty", "nothing but NUL"],
)
def test_headers_take_little_room_whatever_they_are(headers):
    kept = garbage.kept(record(headers=headers), reason="\udc80" * MIB)

    assert len(json.dumps(kept)) < 400_000
    assert kept["left_out"]["headers"]["bytes"] > 0


def record_of_a_flood(offset):
    return record(offset, headers=[("x", b"\xff" * 990_000)]), "no type"


def test_many_empty_headers_count_too():
    empty = record(headers=[("", b"")] * 300_000)

    pieces = list(handling._pieces([handling._unreadable(empty, "no type")] * 3))

    assert [len(piece) for piece in pieces] == [1, 1, 1]


def slowly(moment, function):
    def called(*arguments, **named):
        time.sleep(moment)
        return function(*arguments, **named)

    return called


@pytest.fixture
def impatient_database():
    """It ends a transaction that takes half a second."""
    with connection.cursor() as cursor:
        cursor.execute("SET transaction_timeout = '500ms'")
    yield
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_flood_of_huge_records_is_kept_in_transactions_of_a_moment(impatient_database, monkeypatch):
    monkeypatch.setattr(garbage, "kept", slowly(0.03, garbage.kept))

    handling.record_unreadable(group, [record_of_a_flood(offset) for offset in range(40)])

    offsets = AuditRecord.objects.order_by("record_offset").values_list("record_offset", flat=True)
    assert list(offsets) == list(range(40))


@pytest.mark.django_db(transaction=True)
def test_a_flood_in_one_transaction_is_never_kept(impatient_database, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(garbage, "kept", slowly(0.03, garbage.kept))
    monkeypatch.setattr(handling, "UNREADABLE_BYTES_AT_ONCE", 10**9)

    with pytest.raises(handling.Transient):
        handling.record_unreadable(group, [record_of_a_flood(offset) for offset in range(40)])

    assert AuditRecord.objects.count() == 0
