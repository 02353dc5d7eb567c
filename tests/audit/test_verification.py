"""The trail is proved, or what was done to it is named: fault F24, and what is no fault."""

import base64
import json
from dataclasses import replace
from datetime import datetime
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.utils import timezone

from apps.audit import checkpoints, erasing, selectors, verification
from apps.audit.chain import chain_of, commitment, hash_of
from apps.audit.models import AuditContent, AuditRecord, AuditVerification
from apps.audit.subscribers import group
from apps.audit.verification import against_checkpoints, periodic
from apps.audit.verification.findings import Wrong
from apps.events import crash, erasure, handling
from apps.events.errors import Transient
from apps.events.models import Event, HandledEvent, OutboxEntry
from tests.audit.tampering import change, remove, rewrite_from, sql, swap, without
from tests.support.factories import append, erasure_of, event, life_of_one_subject, log_only

pytestmark = pytest.mark.django_db(transaction=True)

LENGTH = 12


@pytest.fixture
def store(tmp_path, settings):
    settings.AUDIT_CHECKPOINTS_URL = f"file://{tmp_path}"
    settings.AUDIT_SIGNING_KEY = base64.b64encode(bytes(range(32))).decode()
    settings.AUDIT_VERIFYING_KEYS = []
    return tmp_path


@pytest.fixture
def trail(store):
    """Records of twelve changes of one task, in one chain, logged and handled, and of forty other tasks."""
    life = life_of_one_subject(LENGTH)
    others = [event() for _ in range(40)]
    append(*life, *others)
    OutboxEntry.objects.all().delete()
    handling.handle(group, [*life, *others])
    return list(AuditRecord.objects.filter(subject_id=life[0].subject_id).order_by("sequence"))


def sign():
    return checkpoints.write(selectors.heads(), now=timezone.now())


def verify(**more):
    return verification.verify(now=timezone.now(), **more)


def alone_in_chain(trail):
    """The records of the chain of `trail`, of whichever tasks."""
    return list(AuditRecord.objects.filter(chain=trail[0].chain).order_by("sequence"))


def test_an_untouched_trail_is_sound(trail):
    sign()

    report = verify()

    assert (report.sound, report.whole, report.records, report.waiting, report.unlogged) == (True, True, 52, 0, 0)
    assert (report.checkpoint, report.unproven, report.first) == (1, "", None)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("type", "task.updated.v2"),
        ("actor_id", uuid4()),
        ("owner_id", uuid4()),
        ("occurred_at", "2020-01-01T00:00:00Z"),
        ("recorded_at", "2020-01-01T00:00:00Z"),
        ("record_offset", 4),
        ("hash", b"\0" * 32),
        ("previous_hash", b"\0" * 32),
        ("commitment", b"\0" * 32),
        ("readable", False),
    ],
)
def test_a_changed_byte_is_named_with_its_record(trail, column, value):
    change(trail[4], column, value)

    first = verify().first

    assert (first.wrong, first.record_id) == (Wrong.CHANGED, trail[4].pk)
    assert f"Record {trail[4].pk} ({trail[4].sequence} of chain {trail[4].chain}" in first.told


def test_changed_content_is_named_with_its_record(trail):
    text = trail[4].content.text.replace("Buy milk", "Buy wine")
    sql("UPDATE audit_auditcontent SET text = %s WHERE event_id = %s", [text, trail[4].event_id])

    first = verify().first

    assert (first.wrong, first.record_id) == (Wrong.CONTENT_CHANGED, trail[4].pk)


@pytest.mark.parametrize("column", ["title", "correlation_id"])
def test_content_that_would_be_found_under_another_name_is_named(trail, column):
    sql(f"UPDATE audit_auditcontent SET {column} = 'x' WHERE event_id = %s", [trail[4].event_id])

    assert (Wrong.CONTENT_CHANGED, trail[4].pk) in [(f.wrong, f.record_id) for f in verify().findings]


def test_content_that_went_without_an_erasure_is_named(trail):
    sql("DELETE FROM audit_auditcontent WHERE event_id = %s", [trail[4].event_id])

    assert [(f.wrong, f.record_id) for f in verify().findings] == [(Wrong.CONTENT_GONE, trail[4].pk)]


@pytest.mark.parametrize("at", [0, 5], ids=["the first of its chain", "in the middle"])
def test_a_removed_record_is_named_by_its_place(trail, at):
    records = alone_in_chain(trail)
    remove(records[at], records[at + 1])

    removed = [finding for finding in verify().findings if finding.wrong is Wrong.REMOVED]

    assert [(f.chain, f.sequence) for f in removed] == [(records[at].chain, records[at].sequence)]
    assert removed[0].told == f"Records {at + 1} to {at + 2} of chain {records[at].chain} are gone."


def test_a_removed_record_is_also_missed_by_the_log(trail):
    remove(trail[4])

    missing = [finding for finding in verify().findings if finding.wrong is Wrong.EVENT_MISSING]

    assert [finding.event_id for finding in missing] == [trail[4].event_id]


def test_a_cut_tail_is_named_by_the_checkpoint_even_when_the_log_was_cut_too(trail):
    sign()
    cut = alone_in_chain(trail)[-2:]
    remove(*cut)
    events = [record.event_id for record in cut]
    sql("DELETE FROM events_event WHERE event_id = ANY(%s)", [events])

    report = verify()

    assert [(f.wrong, f.chain, f.sequence) for f in report.findings] == [
        (Wrong.TAIL_CUT, cut[0].chain, cut[0].sequence)
    ]
    assert f"records {cut[0].sequence} to {cut[1].sequence} are gone" in report.first.told


def test_a_tail_cut_since_the_last_checkpoint_is_missed_by_the_log(trail):
    sign()
    later = event()
    append(later)
    OutboxEntry.objects.all().delete()
    handling.handle(group, [later])
    remove(AuditRecord.objects.get(event_id=later.id))

    assert [(f.wrong, f.event_id) for f in verify().findings] == [(Wrong.EVENT_MISSING, later.id)]


def test_without_log_and_checkpoint_a_cut_tail_cannot_be_told(trail):
    """Negative control: it is the checkpoint that tells it."""
    cut = alone_in_chain(trail)[-2:]
    remove(*cut)
    sql("DELETE FROM events_event WHERE event_id = ANY(%s)", [[record.event_id for record in cut]])

    report = verify()

    assert (report.sound, report.checkpoint, report.unproven) == (True, None, "There is no checkpoint yet.")


@pytest.mark.parametrize("distance", [1, 5], ids=["neighbours", "far apart"])
@pytest.mark.parametrize("columns", [("sequence",), ("sequence", "previous_hash")], ids="+".join)
def test_two_swapped_records_are_both_named(trail, distance, columns):
    records = alone_in_chain(trail)
    one, other = records[3], records[3 + distance]
    swap(one, other, *columns)

    swapped = [finding.record_id for finding in verify().findings if finding.wrong is Wrong.SWAPPED]

    assert sorted(swapped) == sorted([one.pk, other.pk])


def test_records_that_only_exchanged_their_ids_are_named(trail):
    records = alone_in_chain(trail)
    one, other = records[3], records[5]
    sql("UPDATE audit_auditrecord SET id = -1 WHERE event_id = %s", [one.event_id])
    sql("UPDATE audit_auditrecord SET id = %s WHERE event_id = %s", [one.pk, other.event_id])
    sql("UPDATE audit_auditrecord SET id = %s WHERE event_id = %s", [other.pk, one.event_id])

    assert {finding.wrong for finding in verify().findings} == {Wrong.SWAPPED}


def test_a_record_whose_own_hash_was_computed_anew_is_named(trail):
    records = alone_in_chain(trail)
    forged = records[4].link._replace(actor_id=uuid4())
    change(records[4], "actor_id", forged.actor_id)
    change(records[4], "hash", hash_of(forged))

    rewritten = [f.record_id for f in verify().findings if f.wrong is Wrong.REWRITTEN]

    assert rewritten == [records[4].pk]


def test_a_chain_rewritten_to_its_end_is_named_by_checkpoint_and_log(trail):
    sign()
    rewrite_from(trail[4], actor_id=uuid4())

    report = verify()

    assert {(f.wrong, f.chain) for f in report.findings} == {
        (Wrong.NOT_AS_LOGGED, trail[4].chain),
        (Wrong.REWRITTEN, trail[4].chain),
    }
    assert (report.first.wrong, report.first.record_id) == (Wrong.NOT_AS_LOGGED, trail[4].pk)


@pytest.mark.parametrize(
    ("every", "first", "told"),
    [(1, 5, "record 5 was changed"), (4, 5, "one of the records 5 to 8 was changed")],
    ids=["to the record", "to the stretch"],
)
def test_checkpoints_before_the_newest_narrow_down_where_a_chain_was_rewritten(store, every, first, told):
    for number, each in enumerate(life_of_one_subject(LENGTH), start=1):
        handling.handle(group, [each])
        if number % every == 0:
            sign()
    record = AuditRecord.objects.get(subject_version=5 if every == 1 else 6)
    rewrite_from(record, actor_id=uuid4())

    rewritten = verify().findings

    assert [(f.wrong, f.chain, f.sequence) for f in rewritten] == [(Wrong.REWRITTEN, record.chain, first)]
    assert told in rewritten[0].told


def test_a_checkpoint_signed_over_a_rewritten_chain_does_not_hide_it(store):
    """Also when the rewriting went on to be signed, an earlier checkpoint still tells of it."""
    life = life_of_one_subject(LENGTH)
    handling.handle(group, life[:6])
    sign()
    record = AuditRecord.objects.get(subject_version=5)
    rewrite_from(record, actor_id=uuid4())
    handling.handle(group, life[6:])
    sign()

    assert [(f.wrong, f.chain, f.sequence) for f in verify().findings] == [(Wrong.REWRITTEN, record.chain, 1)]


def test_without_log_and_checkpoint_a_rewritten_chain_cannot_be_told(trail):
    """Negative control: whoever owns the database can rewrite a chain, and only what is outside tells."""
    sql("DELETE FROM events_event")
    rewrite_from(trail[4], actor_id=uuid4())

    assert verify().sound


def test_an_event_that_the_trail_lacks_is_named(trail):
    lost = event()
    append(lost)
    OutboxEntry.objects.all().delete()
    HandledEvent.objects.create(group="audit", event_id=lost.id)

    assert [(f.wrong, f.event_id) for f in verify().findings] == [(Wrong.EVENT_MISSING, lost.id)]


def test_an_event_that_is_on_its_way_is_only_waited_for(trail):
    append(event())
    in_kafka = append(event())[0]
    OutboxEntry.objects.filter(event=in_kafka).delete()

    report = verify()

    assert (report.sound, report.waiting) == (True, 2)


def test_a_record_of_an_event_that_was_never_logged_is_counted(trail):
    handling.handle(group, [event()])

    report = verify()

    assert (report.sound, report.unlogged) == (True, 1)


def test_a_checkpoint_that_is_not_what_was_signed_is_named(trail, store):
    sign()
    path = next(path for path in store.rglob("*.json"))
    path.write_bytes(path.read_bytes().replace(b'"number":1', b'"number":2'))

    report = verify()

    assert [finding.wrong for finding in report.findings] == [Wrong.CHECKPOINT_REFUSED]
    assert path.name in report.first.told


def test_a_checkpoint_that_was_taken_away_is_missed(trail, store):
    sign()
    periodic.run(now=timezone.now())
    next(path for path in store.rglob("*.json")).unlink()

    run = periodic.run(now=timezone.now())

    assert [finding["told"] for finding in run.findings] == ["Checkpoint 1 was there and is gone; the newest is none."]


def test_a_store_that_is_away_is_no_finding_but_said(trail, settings):
    settings.AUDIT_CHECKPOINTS_URL = "file:///nowhere/at/all"

    report = verify()

    assert report.sound
    assert "/nowhere/at/all" in report.unproven


@pytest.mark.parametrize(("most", "sound"), [("--all-checkpoints", False), ("--json", True)])
def test_checkpoints_older_than_the_newest_are_held_on_request(store, monkeypatch, most, sound):
    monkeypatch.setattr(against_checkpoints, "MOST", 2)
    for each in life_of_one_subject(5):
        handling.handle(group, [each])
        sign()
    sorted(store.rglob("*.json"))[1].unlink()

    code, told = command("--json", most)

    assert (code, json.loads(told)["sound"]) == (0 if sound else 1, sound)


# --- A piece at a time -----------------------------------------------------------------------------------


def test_a_run_looks_at_what_is_new_and_walks_round_the_rest(trail):
    first = periodic.run(now=timezone.now())
    handling.handle(group, [event()])
    second = periodic.run(now=timezone.now())

    assert (first.records, first.sound, first.whole) == (2 * 52, True, True)
    assert (second.records, second.sound, second.whole) == (1 + 53, True, True)


def test_a_lap_that_is_not_done_goes_on_where_it_stopped(trail, monkeypatch):
    periodic.run(now=timezone.now())
    monkeypatch.setattr(periodic, "LAP_SECONDS", -1.0)
    filled = sorted(set(AuditRecord.objects.values_list("chain", flat=True)))

    runs = [periodic.run(now=timezone.now()) for _ in filled]

    assert [run.lap["chain"] for run in runs] == filled
    last = periodic.run(now=timezone.now())
    assert [run.whole for run in [*runs, last]] == [False] * len(filled) + [True]


def test_what_was_found_is_an_alarm_until_everything_was_found_sound(trail):
    periodic.run(now=timezone.now())
    kind = trail[4].type
    change(trail[4], "type", "x")

    runs = [periodic.run(now=timezone.now()) for _ in range(2)]
    status = selectors.verification_status()
    change(trail[4], "type", kind)
    after = periodic.run(now=timezone.now())
    still = selectors.verification_status()
    command()
    over = selectors.verification_status()

    assert [(run.sound, run.findings[0]["record_id"]) for run in runs] == [(False, trail[4].pk)] * 2
    assert (status.sound, status.findings) == (False, len(runs[1].findings))
    assert (after.sound, still.sound, still.findings) == (True, False, status.findings)
    assert (over.sound, over.findings) == (True, 0)


def test_what_only_the_log_tells_does_not_turn_well_by_itself(trail):
    """The lap walks the chains; a rewritten one is sound in itself."""
    periodic.run(now=timezone.now())
    sql("UPDATE events_event SET recorded_at = recorded_at - interval '1 hour'")
    periodic.run(now=timezone.now())
    rewrite_from(trail[4], actor_id=uuid4())
    command()

    later = periodic.run(now=timezone.now())

    assert selectors.verification_status().sound is False
    assert AuditVerification.objects.get(pk=later.pk - 1).full


def test_the_runs_between_are_not_undone_by_one_that_began_before(trail):
    report = verify(behind=periodic.behind(None))
    handling.handle(group, [event()])
    later = periodic.run(now=timezone.now())

    kept = periodic.keep(report)

    assert kept.checkpoint == later.checkpoint
    assert kept.lap == later.lap


def test_a_chain_shorter_than_it_was_is_found_without_any_checkpoint(trail):
    periodic.run(now=timezone.now())
    cut = alone_in_chain(trail)[-1]
    remove(cut)
    sql("DELETE FROM events_event WHERE event_id = %s", [cut.event_id])

    run = periodic.run(now=timezone.now())

    assert {(f["wrong"], f["chain"], f["sequence"]) for f in run.findings} == {("tail cut", cut.chain, cut.sequence)}


def test_old_runs_are_forgotten_but_not_the_last_whole_one(trail):
    long_ago = timezone.now() - periodic.KEPT * 2
    whole = periodic.run(now=timezone.now())
    AuditVerification.objects.filter(pk=whole.pk).update(finished_at=long_ago)
    part = AuditVerification.objects.create(started_at=long_ago, whole=False, records=0, sound=True)
    AuditVerification.objects.filter(pk=part.pk).update(finished_at=long_ago)

    periodic._forget(timezone.now())

    assert list(AuditVerification.objects.values_list("pk", flat=True)) == [whole.pk]


# --- The command -------------------------------------------------------------------------------------------


def command(*arguments):
    out = StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out, no_color=True)
    except CommandError as ended:
        return ended.returncode, out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_that_all_is_well(trail):
    sign()

    code, told = command()

    assert code == 0
    assert told.splitlines()[0].startswith("Records looked at: 52 in ")
    assert told.splitlines()[-1] == "The audit trail is complete, contiguous and untouched."


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_the_command_that_cannot_ask_the_checkpoints_says_neither_sound_nor_unsound(trail, settings, as_json):
    settings.AUDIT_CHECKPOINTS_URL = "file:///nowhere/at/all"

    code, told = command(*as_json)

    assert code == 3
    assert "/nowhere/at/all" in told
    assert "untouched" not in told


def test_what_is_found_wrong_counts_more_than_what_could_not_be_asked(trail, settings):
    settings.AUDIT_CHECKPOINTS_URL = "file:///nowhere/at/all"
    change(trail[4], "type", "x")

    code, told = command("--json")

    assert code == 1
    assert "error" not in json.loads(told)


def test_the_command_names_the_first_bad_record(trail):
    change(trail[6], "type", "x")
    change(trail[4], "type", "x")

    code, told = command()

    assert code == 1
    assert f"NOT SOUND. First: changed. Record {trail[4].pk} " in told


def test_the_command_tells_programs_the_same(trail):
    change(trail[4], "type", "x")

    code, told = command("--json")

    report = json.loads(told)
    assert (code, report["sound"], report["first"]["record_id"], report["first"]["wrong"]) == (
        1,
        False,
        trail[4].pk,
        "changed",
    )


def test_the_command_may_look_at_what_is_new_only(trail):
    command()
    handling.handle(group, [event()])

    code, told = command("--new", "--json")

    assert (code, json.loads(told)["records"], json.loads(told)["whole"]) == (0, 1, False)


# --- What cannot even be read ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["{", "[1]", "{}", '{"data": 1e999}', "\u00e9", "[" * 5000], ids=range(6))
def test_content_that_cannot_be_read_is_named_like_any_other(trail, text):
    sql("UPDATE audit_auditcontent SET text = %s WHERE event_id = %s", [text, trail[4].event_id])

    first = verify().first

    assert (first.wrong, first.record_id) == (Wrong.CONTENT_CHANGED, trail[4].pk)
    assert AuditRecord.objects.get(pk=trail[4].pk).data is None


def test_content_that_cannot_be_read_is_named_also_when_all_hashes_fit(trail):
    salt, text = b"s" * 32, "not JSON"
    sql("UPDATE audit_auditcontent SET salt = %s, text = %s WHERE event_id = %s", [salt, text, trail[4].event_id])
    rewrite_from(trail[4], commitment=commitment(text, salt=salt))

    assert {(f.wrong, f.record_id) for f in verify().findings} == {
        (Wrong.CONTENT_CHANGED, trail[4].pk),
        (Wrong.NOT_AS_LOGGED, trail[4].pk),
    }


@pytest.mark.parametrize("instant", ["infinity", "-infinity", "20000-01-01", "4000-01-01 BC"])
def test_an_instant_that_no_calendar_has_is_named(trail, instant):
    with without("audit_record_in_calendar"):
        change(trail[4], "occurred_at", instant)

        first = verify().first

        assert (first.wrong, first.record_id) == (Wrong.CHANGED, trail[4].pk)


@pytest.mark.parametrize("year", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_the_ends_of_the_calendar_are_recorded_and_sound(trail, year):
    handling.handle(group, [event(occurred_at=datetime.fromisoformat(year))])

    assert verify().sound


@pytest.mark.parametrize(("number", "sequence"), [(16, 1), (-1, 1), (0, 0), (3, -7)])
def test_the_database_takes_no_record_where_there_is_no_chain(trail, number, sequence):
    with pytest.raises(IntegrityError, match="audit_record_in_a_chain"):
        sql("UPDATE audit_auditrecord SET chain = %s, sequence = %s WHERE id = %s", [number, sequence, trail[4].pk])


@pytest.mark.parametrize(("number", "sequence"), [(16, 1), (-1, 1), (0, 0), (3, -7)])
def test_a_record_where_there_is_no_chain_is_named(trail, number, sequence):
    last = alone_in_chain(trail)[-1]
    with without("audit_record_in_a_chain"):
        sql("UPDATE audit_auditrecord SET chain = %s, sequence = %s WHERE id = %s", [number, sequence, last.pk])

        assert (Wrong.MISPLACED, last.pk) in [(f.wrong, f.record_id) for f in verify().findings]


def test_a_record_well_linked_in_another_subjects_chain_is_named(trail):
    own = trail[0].chain
    other = next(number for number in selectors.heads() if number != own)
    head = selectors.heads()[other]
    last = alone_in_chain(trail)[-1]
    moved = last.link._replace(chain=other, sequence=head.sequence + 1, previous_hash=head.hash)
    sql(
        "UPDATE audit_auditrecord SET chain = %s, sequence = %s, previous_hash = %s, hash = %s WHERE id = %s",
        [other, moved.sequence, moved.previous_hash, hash_of(moved), last.pk],
    )

    assert (Wrong.MISPLACED, last.pk) in [(f.wrong, f.record_id) for f in verify().findings]


def test_the_first_bad_record_is_the_oldest_also_when_it_is_gone(trail):
    records = alone_in_chain(trail)
    change(records[8], "type", "x")
    remove(records[2])

    report = verify()

    assert (report.first.wrong, report.first.sequence) == (Wrong.REMOVED, 3)


@pytest.mark.parametrize("junk", [{"x": 1}, [], "x", {"0": "y"}, {"0": [1, "zz"]}], ids=str)
def test_a_made_up_note_only_makes_the_next_run_begin_anew(trail, junk):
    periodic.run(now=timezone.now())
    AuditVerification.objects.update(heads=junk, lap=junk)

    run = periodic.run(now=timezone.now())

    assert (run.sound, run.records) == (True, 2 * 52)


def test_a_made_up_position_does_not_keep_the_log_from_being_compared(trail):
    periodic.run(now=timezone.now())
    AuditVerification.objects.update(log_position=9_000_000_000_000)
    rewrite_from(trail[4], actor_id=uuid4())

    run = periodic.run(now=timezone.now())

    assert "not as logged" in {finding["wrong"] for finding in run.findings}


# --- Erasure -----------------------------------------------------------------------------------------------


def test_what_an_erased_person_wrote_is_gone_and_the_chain_holds(trail, store):
    sign()
    owner_id = trail[4].owner_id
    one = erasure_of(owner_id)
    log_only(one)

    handling.handle(group, [one])

    assert not AuditContent.objects.filter(owner_id=owner_id).exclude(record__event_id=one.id).exists()
    assert AuditRecord.objects.get(pk=trail[4].pk).data is None
    report = verify()
    assert (report.sound, report.erased, report.checkpoint) == (True, 1, 1)


def test_what_comes_in_after_the_erasure_is_recorded_without_content(trail):
    late = event()
    one = erasure_of(late.owner_id)
    log_only(late)
    log_only(one)
    handling.handle(group, [one])

    handling.handle(group, [late])

    record = AuditRecord.objects.get(event_id=late.id)
    assert (record.data, record.chain) == (None, chain_of("task", late.subject_id, event_id=late.id))
    assert verify().sound


def test_what_slipped_in_beside_the_erasure_goes_with_the_next_sweep(trail, monkeypatch):
    late = event()
    one = erasure_of(late.owner_id)
    log_only(late)
    log_only(one)
    handling.handle(group, [one])
    monkeypatch.setattr(erasure, "erased_among", lambda owners: set())
    handling.handle(group, [late])
    monkeypatch.undo()
    assert AuditContent.objects.filter(owner_id=late.owner_id, record__event_id=late.id).exists()

    assert erasing.erase_late_contents() == 1

    assert not AuditContent.objects.filter(record__event_id=late.id).exists()
    assert erasing.erase_late_contents() == 0


def a_life():
    """Twelve changes of one person's task, logged and handled."""
    owner_id = uuid4()
    life = [replace(one, owner_id=owner_id) for one in life_of_one_subject(LENGTH)]
    append(*life)
    OutboxEntry.objects.all().delete()
    handling.handle(group, life)
    return life


@pytest.fixture
def long_life(store, monkeypatch):
    """Records of twelve changes of one person's task; three contents are a step."""
    life = a_life()
    monkeypatch.setattr(erasing, "STEP", 3)
    return life[0].owner_id


def erase_in_the_log(owner_id):
    one = erasure_of(owner_id)
    log_only(one)
    return one


def test_of_a_long_life_the_group_takes_one_step_and_goes_on_and_the_sweep_takes_the_rest(long_life):
    one = erase_in_the_log(long_life)

    handling.handle(group, [one])

    assert selectors.contents_to_erase(long_life) == LENGTH - 3
    assert HandledEvent.objects.filter(group="audit", event_id=one.id).exists()
    assert erasing.erase_late_contents() == LENGTH - 3
    assert AuditContent.objects.get().record.event_id == one.id
    assert (verify().sound, verify().erased) == (True, LENGTH)


def test_many_erasures_in_one_batch_are_one_step_in_all(long_life):
    other = a_life()

    handling.handle(group, [erase_in_the_log(long_life), erase_in_the_log(other[0].owner_id)])

    left = selectors.contents_to_erase(long_life) + selectors.contents_to_erase(other[0].owner_id)
    assert left == 2 * LENGTH - 3


def test_each_step_of_the_sweep_stays_when_it_is_killed_after_it(long_life, monkeypatch):
    erase_in_the_log(long_life)
    monkeypatch.setattr(crash, "at", _die)
    with pytest.raises(Killed):
        erasing.erase_late_contents()
    monkeypatch.undo()
    assert selectors.contents_to_erase(long_life) == LENGTH - 3

    assert erasing.erase_late_contents() == LENGTH - 3
    assert selectors.contents_to_erase(long_life) == 0


class Killed(BaseException):
    """As final as the end of the process."""


def _die(point):
    if point == "audit.contents_erased":
        raise Killed


def test_a_sweep_whose_time_is_over_leaves_the_rest_to_the_next(long_life, monkeypatch):
    erase_in_the_log(long_life)
    monkeypatch.setattr(erasing, "BUDGET_SECONDS", 0)

    assert erasing.erase_late_contents() == 0
    assert selectors.contents_to_erase(long_life) == LENGTH


SLOW_DELETE = """
CREATE FUNCTION slow_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.2); RETURN OLD; END $$;
CREATE TRIGGER slow_delete BEFORE DELETE ON audit_auditcontent FOR EACH ROW EXECUTE FUNCTION slow_delete();
"""


@pytest.fixture
def slow(long_life):
    """Twelve contents take 2.4 s to go."""
    with connection.cursor() as cursor:
        cursor.execute(SLOW_DELETE)
    yield long_life
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION slow_delete CASCADE")


def within_a_second_and_a_half_a_statement():
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '1500ms'")


def test_contents_that_no_statement_could_take_away_at_once_go_all_the_same(slow):
    one = erase_in_the_log(slow)
    within_a_second_and_a_half_a_statement()

    handling.handle(group, [one])
    erasing.erase_late_contents()

    assert selectors.contents_to_erase(slow) == 0


def test_without_steps_the_erasure_would_never_be_handled(slow, monkeypatch):
    """The control: the whole life in the group's transaction, again and again."""
    monkeypatch.setattr(erasing, "STEP", 1000)
    one = erase_in_the_log(slow)

    for _ in range(2):
        within_a_second_and_a_half_a_statement()  # who fails takes a new connection
        with pytest.raises(Transient, match="statement timeout"):
            handling.handle(group, [one])

    assert selectors.contents_to_erase(slow) == LENGTH
    assert not HandledEvent.objects.filter(event_id=one.id).exists()


def test_an_erasure_that_the_log_does_not_have_takes_nothing_that_comes_later(trail):
    """Whoever can write to Kafka cannot make the trail deaf to a person either."""
    later = event()
    log_only(later)
    handling.handle(group, [erasure_of(later.owner_id)])

    handling.handle(group, [later])

    assert AuditRecord.objects.get(event_id=later.id).data == later.data


def test_a_record_forged_under_the_id_of_anothers_erasure_takes_nothing(trail):
    """The log says whose erasure an id is; the true one is let go all the same."""
    gone, other = event(), event()
    log_only(gone)
    log_only(other)
    handling.handle(group, [gone, other])
    erased = erasure_of(gone.owner_id)
    log_only(erased)

    handling.handle(group, [replace(erased, owner_id=other.owner_id, subject_id=other.owner_id)])
    erasing.erase_late_contents()

    assert AuditRecord.objects.get(event_id=other.id).data == other.data
    assert AuditRecord.objects.get(event_id=gone.id).data is None


def test_content_does_not_go_for_an_erasure_that_the_log_does_not_have(trail):
    """Whoever can write to Kafka cannot make the trail forget a person."""
    owner_id = trail[4].owner_id
    handling.handle(group, [erasure_of(owner_id)])

    assert erasing.erase_contents(owner_id) == 0
    assert AuditRecord.objects.get(pk=trail[4].pk).data is not None
    assert Event.objects.filter(type="account.erased.v1").count() == 0
