"""Signed checkpoints: what is kept, what is refused, and that the refusal names what is wrong."""

import base64
import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.exceptions import ImproperlyConfigured

from apps.audit import checkpoints
from apps.audit.checkpoints import Checkpoint, CheckpointRefused, CheckpointsAway, Head, HeadsWentBack

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(range(32, 64))).decode()
FIRST, SECOND, THIRD = (f"000000000/00000000000{number}.json" for number in (1, 2, 3))


def head(sequence: int, *, rewritten: str = "") -> Head:
    return Head(sequence, hashlib.sha256(f"{sequence}{rewritten}".encode()).digest())


def public(key: str) -> str:
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(key))
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


@pytest.fixture
def folder(tmp_path: Path, settings) -> Path:
    path = tmp_path / "checkpoints"
    path.mkdir()
    settings.AUDIT_CHECKPOINTS_URL = f"file://{path}"
    settings.AUDIT_SIGNING_KEY = KEY
    settings.AUDIT_VERIFYING_KEYS = []
    return path


@pytest.fixture
def three(folder: Path) -> list[Checkpoint]:
    """Three checkpoints of two chains, a minute apart."""
    return [
        checkpoints.write({0: head(number * 10), 7: head(number)}, now=NOW + timedelta(minutes=number))
        for number in (1, 2, 3)
    ]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def change(path: Path, **fields: object) -> None:
    """Write a document anew with other fields, its form kept and its signature as it was."""
    path.write_bytes(checkpoints.canonical({**json.loads(path.read_bytes()), **fields}))


def sign_again(path: Path, *, key: str = KEY, **fields: object) -> None:
    """What somebody who has a key can make of a document."""
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(key))
    told = {**json.loads(path.read_bytes()), **fields}
    told["key"] = hashlib.sha256(private.public_key().public_bytes_raw()).hexdigest()[:16]
    del told["signature"]
    told["signature"] = base64.b64encode(private.sign(checkpoints.canonical(told))).decode()
    path.write_bytes(checkpoints.canonical(told))


def test_a_checkpoint_is_one_object_with_the_heads_and_a_signature_anybody_can_check(folder):
    written = checkpoints.write({3: head(5), 0: head(2)}, now=NOW)

    content = (folder / FIRST).read_bytes()
    told = json.loads(content)
    signature = base64.b64decode(told.pop("signature"))
    public_key = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
    public_key.verify(signature, json.dumps(told, sort_keys=True, separators=(",", ":")).encode())
    assert told == {
        "format": 1,
        "number": 1,
        "source": "/todo",
        "taken_at": "2026-11-21T09:00:00.000000+00:00",
        "heads": {
            "0": {"sequence": 2, "hash": hashlib.sha256(b"2").hexdigest()},
            "3": {"sequence": 5, "hash": hashlib.sha256(b"5").hexdigest()},
        },
        "previous": "0" * 64,
        "key": hashlib.sha256(public_key.public_bytes_raw()).hexdigest()[:16],
    }
    assert (written.number, written.taken_at, written.heads) == (1, NOW, {0: head(2), 3: head(5)})
    assert (written.digest, written.name) == (hashlib.sha256(content).hexdigest(), FIRST)
    assert files(folder) == [FIRST]


def test_each_checkpoint_is_linked_to_the_one_before(three):
    assert [each.number for each in three] == [1, 2, 3]
    assert [each.previous for each in three] == ["0" * 64, three[0].digest, three[1].digest]
    assert checkpoints.newest() == three[2]
    assert list(checkpoints.since(0)) == three
    assert list(checkpoints.since(2)) == [three[2]]
    assert list(checkpoints.since(3)) == []


def test_nothing_is_written_when_nothing_moved(three, folder):
    assert checkpoints.write({0: head(30), 7: head(3)}, now=NOW) is None

    assert len(files(folder)) == 3


def test_a_trail_without_records_has_no_checkpoint(folder):
    assert checkpoints.write({}, now=NOW) is None
    assert checkpoints.newest() is None
    assert list(checkpoints.since(0)) == []
    assert files(folder) == []


def test_trying_keeps_nothing(folder):
    tried = checkpoints.write({0: head(1)}, now=NOW, dry_run=True)

    assert (tried.number, tried.heads) == (1, {0: head(1)})
    assert files(folder) == []


@pytest.mark.parametrize(
    ("heads", "chains"),
    [
        ({0: head(29), 7: head(3)}, {0: "ends at 29, was signed up to 30"}),
        ({7: head(3)}, {0: "ends at 0, was signed up to 30"}),
        ({0: head(30, rewritten="x"), 7: head(3)}, {0: "record 30 has another hash than was signed"}),
        ({0: head(31), 7: head(2)}, {7: "ends at 2, was signed up to 3"}),
        ({}, {0: "ends at 0, was signed up to 30", 7: "ends at 0, was signed up to 3"}),
    ],
    ids=["cut", "chain gone", "rewritten", "one grew while another was cut", "all gone"],
)
def test_heads_that_went_back_are_refused_and_nothing_is_signed(three, folder, heads, chains):
    with pytest.raises(HeadsWentBack) as refused:
        checkpoints.write(heads, now=NOW)

    assert (refused.value.chains, refused.value.checkpoint) == (chains, three[2])
    assert len(files(folder)) == 3


def test_the_heads_are_asked_for_after_the_newest_has_been_read(three):
    """Another writer that comes between reading the heads and comparing them does not look like a cut trail."""
    asked = []

    def grown() -> dict[int, Head]:
        asked.append(checkpoints.newest().number)
        return {0: head(40), 7: head(4)}

    assert checkpoints.write(grown, now=NOW).number == 4
    assert asked == [3]


def test_two_writers_at_once_take_different_numbers(folder):
    together = Barrier(6)

    def write(worker: int) -> Checkpoint:
        together.wait()
        return checkpoints.write(lambda: {0: head((checkpoints.newest() or NOTHING).number + 1)}, now=NOW)

    with ThreadPoolExecutor(6) as writers:
        written = list(writers.map(write, range(6)))

    numbers = sorted(each.number for each in written if each)
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert [each.number for each in checkpoints.since(0)] == numbers


NOTHING = Checkpoint(0, NOW, {}, "", "", "", "")


# --- What somebody did to the objects -----------------------------------------------------------------


def assert_refused(number: int, reason: str) -> None:
    with pytest.raises(CheckpointRefused) as refused:
        list(checkpoints.since(0))
    assert (refused.value.name, refused.value.reason) == (f"000000000/{number:012d}.json", reason)


def test_a_changed_object_is_named(three, folder):
    change(folder / SECOND, heads={"0": {"sequence": 21, "hash": "0" * 64}})

    assert_refused(2, "its signature is not over what it says.")


@pytest.mark.parametrize("field", ["taken_at", "source", "previous", "number", "format"])
def test_every_field_is_signed(three, folder, field):
    change(folder / SECOND, **{field: "2" * 64})

    assert_refused(2, "its signature is not over what it says.")


def test_a_removed_object_is_named(three, folder):
    (folder / SECOND).unlink()

    assert_refused(2, "it is missing.")


def test_a_removed_first_object_is_named(three, folder):
    (folder / FIRST).unlink()

    assert_refused(1, "it is missing.")


def test_a_cut_tail_is_named_by_who_has_seen_it(three, folder):
    (folder / THIRD).unlink()

    with pytest.raises(CheckpointRefused, match=f"Checkpoint {THIRD}: it is missing."):
        list(checkpoints.since(3))


def test_swapped_objects_are_named(three, folder):
    first, second = (folder / FIRST).read_bytes(), (folder / SECOND).read_bytes()
    (folder / FIRST).write_bytes(second)
    (folder / SECOND).write_bytes(first)

    assert_refused(1, "it is number 2, under another's name.")


def test_a_renamed_object_is_named(three, folder):
    (folder / THIRD).rename(folder / "000000000/000000000004.json")

    with pytest.raises(CheckpointRefused, match=r"000000000004\.json: it is number 3, under another's name\."):
        checkpoints.newest()
    assert_refused(3, "it is missing.")


def test_a_renumbered_object_is_named(three, folder):
    (folder / SECOND).unlink()
    (folder / THIRD).rename(folder / SECOND)
    change(folder / SECOND, number=2)

    assert_refused(2, "its signature is not over what it says.")


def test_a_forged_key_is_named(three, folder):
    sign_again(folder / THIRD, key=OTHER_KEY, heads={})
    forged = json.loads((folder / THIRD).read_bytes())["key"]

    reason = f"it is signed with the unknown key {forged}. If it was ours, name it in AUDIT_VERIFYING_KEYS."
    assert_refused(3, reason)
    with pytest.raises(CheckpointRefused, match=forged):
        checkpoints.newest()


def test_a_key_under_the_name_of_ours_does_not_sign(three, folder):
    ours = json.loads((folder / THIRD).read_bytes())["key"]
    sign_again(folder / THIRD, key=OTHER_KEY)
    change(folder / THIRD, key=ours)

    assert_refused(3, "its signature is not over what it says.")


def test_with_the_key_the_past_cannot_be_signed_anew_without_all_that_follows(three, folder):
    """Who has the key and the store rewrites everything after: what verified before has seen the digests."""
    rewritten = {"sequence": 20, "hash": head(20, rewritten="x").hash.hex()}
    sign_again(folder / SECOND, heads={"0": rewritten, "7": {"sequence": 2, "hash": head(2).hash.hex()}})

    assert_refused(3, f"previous is not the digest of {SECOND}.")


def test_a_signed_checkpoint_that_takes_back_an_earlier_one_is_named(three, folder):
    sign_again(folder / THIRD, heads={"0": {"sequence": 20, "hash": head(20).hash.hex()}})

    assert_refused(3, f"chain 7 went back since {SECOND}: ends at 0, was signed up to 2.")


def test_a_checkpoint_of_another_installation_is_named(three, settings):
    settings.EVENT_SOURCE = "/elsewhere"

    assert_refused(1, "it is of another installation, '/todo'.")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not JSON."),
        (b"\xff\xfe{", "it is not JSON."),
        (b"[" * 100_000, "it is not JSON."),
        (b'{"format":"\\ud800"}', "it does not have the form of a checkpoint."),
        (b"[]", "it does not have the form of a checkpoint."),
        (b'{"number":1}', "it does not have the form of a checkpoint."),
    ],
    ids=["empty", "not UTF-8", "deep", "a lone surrogate", "a list", "fields missing"],
)
def test_what_is_no_checkpoint_is_named(three, folder, content, reason):
    (folder / SECOND).write_bytes(content)

    assert_refused(2, reason)


@pytest.mark.parametrize(
    "other",
    [
        lambda content: content + b"\n",
        lambda content: content.replace(b",", b", "),
        lambda content: content.replace(b'{"format":1', b'{"format":1,"format":1'),
        lambda content: content.replace(b"/todo", b"\\u002ftodo"),
    ],
    ids=["a line end", "spaces", "a field twice", "another spelling"],
)
def test_the_same_words_in_another_form_are_refused(three, folder, other):
    """Otherwise one checkpoint had many digests, and a link would not say which."""
    (folder / SECOND).write_bytes(other((folder / SECOND).read_bytes()))

    assert_refused(2, "it does not have the form of a checkpoint.")


@pytest.mark.parametrize(
    "fields",
    [
        {"heads": []},
        {"heads": {"00": {"sequence": 1, "hash": "0" * 64}}},
        {"heads": {"0": {"sequence": True, "hash": "0" * 64}}},
        {"heads": {"0": {"sequence": -1, "hash": "0" * 64}}},
        {"heads": {"0": {"sequence": 1, "hash": "0" * 63}}},
        {"heads": {"0": {"sequence": 1}}},
        {"taken_at": "2026-11-21T09:00:00"},
        {"taken_at": "yesterday"},
        {"previous": "x"},
        {"previous": 5},
    ],
    ids=str,
)
def test_what_is_signed_but_makes_no_sense_is_named(three, folder, fields):
    sign_again(folder / FIRST, **fields)

    assert_refused(1, "it does not have the form of a checkpoint.")


def test_a_newer_format_is_named(three, folder):
    sign_again(folder / FIRST, format=2)

    assert_refused(1, "its format is 2; this release reads 1.")


def test_nothing_is_written_after_a_checkpoint_that_is_refused(three, folder):
    change(folder / THIRD, heads={})

    with pytest.raises(CheckpointRefused, match=THIRD):
        checkpoints.write({0: head(99), 7: head(99)}, now=NOW)

    assert len(files(folder)) == 3


def test_files_that_are_not_ours_are_passed_by(three, folder):
    (folder / "000000000" / "notes.txt").write_text("kept by the operator")
    (folder / "999999999").mkdir()
    (folder / "lost+found").mkdir()
    (folder / "000000001").mkdir()
    (folder / "000000001" / "000000000009.json").write_text("of another folder")

    assert checkpoints.newest() == three[2]
    assert list(checkpoints.since(0)) == three


def test_after_a_thousand_the_next_stands_in_the_next_folder(folder, monkeypatch):
    monkeypatch.setattr("apps.audit.checkpoint_store.PER_FOLDER", 4)

    written = [checkpoints.write({0: head(number)}, now=NOW) for number in range(1, 11)]

    assert files(folder)[2:5] == [
        "000000000/000000000003.json",
        "000000001/000000000004.json",
        "000000001/000000000005.json",
    ]
    assert list(checkpoints.since(0)) == written
    assert list(checkpoints.since(6)) == written[6:]


# --- Keys ---------------------------------------------------------------------------------------------


def test_after_a_rotation_what_the_earlier_key_signed_is_still_believed(three, settings):
    settings.AUDIT_SIGNING_KEY = OTHER_KEY
    settings.AUDIT_VERIFYING_KEYS = [public(KEY)]

    fourth = checkpoints.write({0: head(40), 7: head(4)}, now=NOW)

    assert list(checkpoints.since(0)) == [*three, fourth]
    assert fourth.key_id != three[2].key_id


def test_without_the_earlier_key_named_a_rotation_is_refused(three, folder, settings):
    """Negative control: the list of keys is what makes it believed."""
    settings.AUDIT_SIGNING_KEY = OTHER_KEY

    with pytest.raises(CheckpointRefused, match="name it in AUDIT_VERIFYING_KEYS"):
        checkpoints.write({0: head(40), 7: head(4)}, now=NOW)

    assert len(files(folder)) == 3


def test_the_public_key_is_enough_to_verify(three, settings):
    settings.AUDIT_SIGNING_KEY = ""
    settings.AUDIT_VERIFYING_KEYS = [public(KEY)]

    assert list(checkpoints.since(0)) == three
    with pytest.raises(ImproperlyConfigured, match="AUDIT_SIGNING_KEY is not set"):
        checkpoints.write({0: head(40), 7: head(4)}, now=NOW)


@pytest.mark.parametrize("text", ["short", "!!!", base64.b64encode(bytes(31)).decode(), KEY[:-1]])
def test_a_key_that_is_none_is_refused_and_not_shown(folder, settings, text):
    settings.AUDIT_SIGNING_KEY = text

    with pytest.raises(ImproperlyConfigured, match="AUDIT_SIGNING_KEY must be 32 bytes in base64") as refused:
        checkpoints.write({0: head(1)}, now=NOW)

    assert text not in str(refused.value)
    assert files(folder) == []


# --- A store that is away -----------------------------------------------------------------------------


def test_a_folder_that_is_gone_is_away_and_not_empty(three, folder):
    """A volume that is not mounted must not begin at number 1."""
    shutil.rmtree(folder)

    with pytest.raises(CheckpointsAway, match="there is no such folder"):
        checkpoints.write({0: head(40), 7: head(4)}, now=NOW)

    assert not folder.exists()


def test_a_store_that_is_not_named_is_away(settings):
    settings.AUDIT_CHECKPOINTS_URL = ""

    with pytest.raises(CheckpointsAway, match="AUDIT_CHECKPOINTS_URL is not set"):
        checkpoints.newest()


@pytest.mark.parametrize("url", ["nonsense", "ftp://somewhere/else", "s3://"])
def test_an_address_that_leads_nowhere_is_away(settings, url):
    settings.AUDIT_CHECKPOINTS_URL = url

    with pytest.raises(CheckpointsAway, match=url):
        checkpoints.newest()
