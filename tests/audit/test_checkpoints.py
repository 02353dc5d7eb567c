"""Signed checkpoints: what is kept, what is refused, and that the refusal names what is wrong."""

import base64
import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from threading import Barrier

import obstore
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import transaction
from structlog.testing import capture_logs

from apps.audit import checkpoint_form, checkpoints, jobs
from apps.audit.checkpoints import Checkpoint, CheckpointRefused, CheckpointsAway, Head, HeadsWentBack
from apps.audit.checks import checkpoints_can_be_signed
from apps.audit.models import AuditRecord
from apps.audit.subscribers import group
from apps.events import handling, schedules
from apps.events.envelope import Envelope
from tests.support.append_only import guards_off
from tests.support.factories import event, life_of_one_subject

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
    path = tmp_path / "of the trail, für immer"
    path.mkdir()
    settings.AUDIT_CHECKPOINTS_URL = path.as_uri()
    settings.AUDIT_SIGNING_KEY = KEY
    settings.AUDIT_VERIFYING_KEYS = []
    return path


@pytest.fixture
def three(folder: Path) -> list[Checkpoint]:
    """Three checkpoints of two chains, a minute apart."""
    for number in (1, 2, 3):
        checkpoints.write({0: head(number * 10), 7: head(number)}, now=NOW + timedelta(minutes=number))
    return list(checkpoints.since(0))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def change(path: Path, **fields: object) -> None:
    """Write a document anew with other fields, its form kept and its signature as it was."""
    path.write_bytes(checkpoint_form.canonical({**json.loads(path.read_bytes()), **fields}))


def sign_again(path: Path, *, key: str = KEY, **fields: object) -> None:
    """What somebody who has a key can make of a document."""
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(key))
    told = {**json.loads(path.read_bytes()), **fields}
    told["key"] = hashlib.sha256(private.public_key().public_bytes_raw()).hexdigest()[:16]
    del told["signature"]
    told["signature"] = base64.b64encode(private.sign(checkpoint_form.canonical(told))).decode()
    path.write_bytes(checkpoint_form.canonical(told))


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
    """Heads of before another writer's checkpoint would look like a cut trail."""
    given: list[Checkpoint | None] = []

    def heads(newest: Checkpoint | None) -> dict[int, Head]:
        given.append(newest)
        return {0: head(40), 7: head(4)}

    checkpoints.write(heads, now=NOW)

    assert given == [three[2]]


def test_two_writers_at_once_take_different_numbers(folder):
    together = Barrier(6)

    def write(_: int) -> Checkpoint | None:
        together.wait()
        return checkpoints.write(lambda newest: {0: head(newest.number + 1 if newest else 1)}, now=NOW)

    with ThreadPoolExecutor(6) as writers:
        written = list(writers.map(write, range(6)))

    assert sorted(each.number for each in written if each) == [1, 2, 3, 4, 5, 6]
    assert [each.number for each in checkpoints.since(0)] == [1, 2, 3, 4, 5, 6]


def test_a_store_that_did_not_refuse_a_taken_number_would_lose_a_checkpoint(folder, monkeypatch):
    """Negative control: it is the store that keeps two writers from one number."""
    put = obstore.put

    def put_over(store, path, file, *, mode, **options):
        return put(store, path, file, mode="overwrite", **options)

    monkeypatch.setattr(obstore, "put", put_over)
    first = checkpoints.write({0: head(1)}, now=NOW)
    monkeypatch.setattr(checkpoints, "newest", lambda: None)
    checkpoints.write({0: head(2)}, now=NOW)

    assert files(folder) == [FIRST]
    assert [each.heads for each in checkpoints.since(0)] != [first.heads]


def test_a_writer_that_comes_second_reads_again_and_takes_the_next(folder, monkeypatch):
    first = checkpoints.write({0: head(1)}, now=NOW)
    newest = checkpoints.newest
    seen = iter([None])
    monkeypatch.setattr(checkpoints, "newest", lambda: next(seen, first))

    second = checkpoints.write({0: head(2)}, now=NOW)

    assert (second.number, second.previous) == (2, first.digest)
    assert newest() == second


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


# --- The trail itself ---------------------------------------------------------------------------------


def record(*events: Envelope) -> None:
    handling.handle(group, list(events))


def heads_of_the_trail() -> dict[int, Head]:
    return {
        row["chain"]: Head(row["sequence"], bytes(row["hash"]))
        for row in AuditRecord.objects.order_by("sequence").values("chain", "sequence", "hash")
    }


@pytest.mark.django_db(transaction=True)
def test_the_trails_own_heads_are_signed_and_what_comes_later_too(folder):
    life = life_of_one_subject(5)
    record(*life[:3])

    first = checkpoints.take(now=NOW)
    first_heads = heads_of_the_trail()
    record(*life[3:])
    second = checkpoints.take(now=NOW)

    assert (first.heads, second.heads) == (first_heads, heads_of_the_trail())
    assert sum(head.sequence for head in second.heads.values()) == 5
    assert checkpoints.take(now=NOW) is None


@pytest.mark.django_db(transaction=True)
def test_heads_that_may_never_be_are_not_signed(folder):
    with transaction.atomic():
        record(event())
        with pytest.raises(RuntimeError, match="durable"):
            checkpoints.take(now=NOW)

    assert files(folder) == []


@pytest.mark.django_db(transaction=True)
def test_a_trail_that_was_cut_is_not_signed_again(folder):
    record(*life_of_one_subject(3))
    checkpoints.take(now=NOW)

    with guards_off():
        AuditRecord.objects.filter(sequence=3).delete()
    with pytest.raises(HeadsWentBack, match="ends at 2, was signed up to 3"):
        checkpoints.take(now=NOW)

    assert files(folder) == [FIRST]


@pytest.mark.django_db(transaction=True)
def test_a_trail_that_was_rewritten_and_went_on_is_not_signed_again(folder):
    """The head alone would not tell: it has moved on, as it should."""
    life = life_of_one_subject(4)
    record(*life[:3])
    checkpoints.take(now=NOW)

    with guards_off():
        AuditRecord.objects.filter(sequence=3).update(hash=bytes(32))
    record(life[3])
    with pytest.raises(HeadsWentBack, match="record 3 has another hash than was signed"):
        checkpoints.take(now=NOW)

    assert files(folder) == [FIRST]


@pytest.mark.django_db(transaction=True)
def test_the_job_writes_at_its_beat_and_nothing_when_nothing_moved(folder):
    record(event())

    jobs.write_checkpoint()
    jobs.write_checkpoint()

    assert files(folder) == [FIRST]
    assert checkpoints.newest().heads == heads_of_the_trail()


def test_the_job_beats_every_minute_in_the_queue_of_its_group():
    assert schedules.declared()["Sign a checkpoint of the audit trail"] == schedules.Schedule(
        "audit.write_checkpoint", "audit", 60, {}
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("harm", "event_name", "words"),
    [
        (lambda folder, settings: shutil.rmtree(folder), "checkpoints_away", "there is no such folder"),
        (lambda folder, settings: setattr(settings, "AUDIT_SIGNING_KEY", ""), "checkpoint_not_written", "is not set"),
        (lambda folder, settings: change(folder / FIRST, heads={}), "checkpoint_not_written", FIRST),
    ],
    ids=["the store is away", "no key", "a forged checkpoint"],
)
def test_the_job_tells_what_is_wrong_disturbs_nothing_and_goes_on_when_it_heals(
    folder, settings, harm, event_name, words
):
    record(event())
    jobs.write_checkpoint()
    was = (folder / FIRST).read_bytes()
    harm(folder, settings)
    record(event())

    with capture_logs() as logs:
        jobs.write_checkpoint()

    assert [(line["event"], line["log_level"]) for line in logs] == [(event_name, "error")]
    assert words in logs[0]["reason"]
    assert AuditRecord.objects.count() == 2
    settings.AUDIT_SIGNING_KEY = KEY
    (folder / "000000000").mkdir(parents=True, exist_ok=True)
    (folder / FIRST).write_bytes(was)
    jobs.write_checkpoint()
    assert files(folder) == [FIRST, SECOND]


# --- The command and the deploy checks ----------------------------------------------------------------


def run(*words: str) -> str:
    out = StringIO()
    call_command("checkpoint_audit", *words, stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_the_command_writes_and_says_so(folder):
    record(*life_of_one_subject(2))

    assert run("--dry-run") == f"Would write checkpoint {FIRST}: 2 records in 1 chains.\n"
    assert files(folder) == []
    assert run() == f"Wrote checkpoint {FIRST}: 2 records in 1 chains.\n"
    assert files(folder) == [FIRST]
    assert run() == "Nothing moved since the newest checkpoint.\n"


@pytest.mark.django_db(transaction=True)
def test_the_command_prints_one_json_document(folder):
    record(event())

    told = json.loads(run("--json"))

    ((chain, head_),) = heads_of_the_trail().items()
    assert told["checkpoint"].pop("taken_at").endswith("+00:00")
    assert told == {
        "written": True,
        "dry_run": False,
        "trouble": "",
        "refused": "",
        "checkpoint": {
            "number": 1,
            "name": FIRST,
            "heads": {str(chain): {"sequence": 1, "hash": head_.hash.hex()}},
            "previous": "0" * 64,
            "key": checkpoints.newest().key_id,
            "sha256": hashlib.sha256((folder / FIRST).read_bytes()).hexdigest(),
        },
    }
    assert json.loads(run("--json")) == {
        "written": False,
        "dry_run": False,
        "trouble": "",
        "refused": "",
        "checkpoint": None,
    }


@pytest.mark.django_db(transaction=True)
def test_the_command_exits_with_1_for_a_trail_that_went_back(folder):
    record(event())
    checkpoints.take(now=NOW)
    with guards_off():
        AuditRecord.objects.all().delete()

    with pytest.raises(CommandError, match="was signed up to 1") as refused:
        run()

    assert refused.value.returncode == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("place", "key", "trouble", "words"),
    [
        ("file:///nowhere/at/all", KEY, "store away", "there is no such folder"),
        ("file:///tmp", "", "no key", "AUDIT_SIGNING_KEY is not set"),
    ],
)
def test_without_a_key_or_a_store_the_command_exits_with_3_and_tells_which_it_was(settings, place, key, trouble, words):
    settings.AUDIT_CHECKPOINTS_URL, settings.AUDIT_SIGNING_KEY = place, key
    out = StringIO()

    with pytest.raises(CommandError, match=f"^{trouble.capitalize()}: .*{words}") as refused:
        call_command("checkpoint_audit", "--json", stdout=out)

    told = json.loads(out.getvalue())
    assert refused.value.returncode == 3
    assert told["error"] == told["refused"]
    assert (told["written"], told["trouble"], told["checkpoint"]) == (False, trouble, None)
    assert words in told["refused"]


def test_the_public_key_is_told_for_those_who_only_verify_and_for_a_rotation(folder):
    assert run("--public-key") == f"{public(KEY)}\n"
    assert json.loads(run("--public-key", "--json"))["public_key"] == public(KEY)
    assert files(folder) == []


def test_without_a_key_there_is_no_public_key(settings):
    settings.AUDIT_SIGNING_KEY = ""

    with pytest.raises(CommandError, match="No key: AUDIT_SIGNING_KEY is not set") as refused:
        run("--public-key")

    assert refused.value.returncode == 3


def test_a_server_with_a_key_and_a_place_passes(folder):
    assert checkpoints_can_be_signed(None) == []


def test_a_server_without_a_key_or_a_place_is_told_the_fix(settings):
    settings.AUDIT_SIGNING_KEY, settings.AUDIT_CHECKPOINTS_URL = "", ""

    told = [(error.id, error.msg) for error in checkpoints_can_be_signed(None)]

    assert told == [
        ("audit.E001", "AUDIT_SIGNING_KEY is not set: `openssl rand -base64 32` makes one."),
        ("audit.E002", "AUDIT_CHECKPOINTS_URL is not set: the trail has no checkpoint outside the database."),
    ]


def test_a_verifying_key_that_is_none_is_told_before_it_is_needed(folder, settings):
    settings.AUDIT_VERIFYING_KEYS = ["short"]

    (error,) = checkpoints_can_be_signed(None)

    assert error.msg.startswith("AUDIT_VERIFYING_KEYS must be 32 bytes in base64")
