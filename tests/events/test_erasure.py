"""The log lets go of what an erased person wrote, and of nothing else: by one door, which the database guards."""

import threading
from dataclasses import replace
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from apps.events import envelope as envelopes
from apps.events import erasure, event_types, jobs, outbox
from apps.events.erasure import Erased
from apps.events.errors import EventErased
from apps.events.models import DeadLetter, Event, HandledEvent, OutboxEntry
from tests.support.factories import NOW, append, event

pytestmark = pytest.mark.django_db

STATE = {"id": "01900000-0000-7000-8000-000000000001", "version": 1, "task": None}
EMPTY = "data = '{}', correlation_id = 'erased', traceparent = '', erased_at = now()"


@pytest.fixture
def owner_id():
    return uuid4()


def relayed(*events):
    """Rows of the log that have left the outbox."""
    rows = append(*events)
    OutboxEntry.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return rows


def news_of(owner_id):
    return envelopes.new(
        event_types.find("account.erased.v1"),
        subject_type="account",
        subject_id=owner_id,
        version=None,
        owner_id=owner_id,
        actor_id=None,
        occurred_at=NOW,
        data={},
    )


def handled(group, *rows):
    HandledEvent.objects.bulk_create([HandledEvent(group=group.name, event_id=row.event_id) for row in rows])


@pytest.fixture
def chores(only_new_groups, new_group):
    from apps.tasks.events import TaskEvent

    group = new_group("chores")
    group.on(TaskEvent.CREATED)(print)
    return group


def written():
    return list(Event.objects.order_by("position").values())


def update(changes, row, *, erasing):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('events.erasing', %s, true)", [erasing])
        cursor.execute(f"UPDATE events_event SET {changes} WHERE position = %s", [row.position])


def test_what_every_group_was_given_is_emptied_and_keeps_its_place(chores, owner_id):
    (row,) = relayed(event(owner_id=owner_id))
    handled(chores, row)
    before = Event.objects.filter(pk=row.pk).values().get()
    relayed(news_of(owner_id))

    assert erasure.erase(owner_id) == Erased(events=1, dead_letters=0, waiting=0)

    after = Event.objects.filter(pk=row.pk).values().get()
    emptied = {"data", "correlation_id", "traceparent", "erased_at"}
    assert {name for name in after if after[name] != before[name]} == emptied
    assert (after["data"], after["correlation_id"], after["traceparent"]) == ({}, "erased", "")


@pytest.mark.parametrize(
    ("in_outbox", "status", "waiting"),
    [(True, "replayed", 1), (False, None, 1), (False, "replayed", 0), (False, "discarded", 0)],
)
def test_an_event_is_emptied_only_when_no_group_is_still_to_be_given_it(chores, owner_id, in_outbox, status, waiting):
    (row,) = append(event(owner_id=owner_id))
    DeadLetter.objects.bulk_create(
        [
            DeadLetter(group="chores", event_id=row.event_id, type=row.type, envelope={}, status=kept)
            for kept in [status]
            if kept
        ]
    )
    OutboxEntry.objects.exclude(pk__in=[row.pk] if in_outbox else []).delete()
    relayed(news_of(owner_id))

    assert erasure.erase(owner_id).waiting == waiting


@pytest.mark.parametrize(("days", "waiting"), [(13, 1), (15, 0)])
def test_what_is_older_than_the_inbox_remembers_waits_for_no_group(chores, owner_id, days, waiting):
    one = event(owner_id=owner_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (event_id, type, topic, key, source, subject_type, subject_id, owner_id,"
            " subject_version, occurred_at, recorded_at, correlation_id, traceparent, data) VALUES"
            " (%s, %s, %s, %s, '/todo', 'task', %s, %s, 1, now(), now() - make_interval(days => %s), 'old', '', '{}')",
            [one.id, one.type, one.topic, one.key, one.subject_id, owner_id, days],
        )
    relayed(news_of(owner_id))

    assert erasure.erase(owner_id).waiting == waiting


def test_of_somebody_who_is_not_erased_nothing_is_emptied(chores, owner_id):
    (row,) = relayed(event(owner_id=owner_id))
    handled(chores, row)
    relayed(news_of(uuid4()))
    before = written()

    erased = erasure.erase(owner_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT events_erase(%s::uuid, '[]', 14, 1000)", [owner_id])
        emptied = cursor.fetchone()[0]

    assert (erased, emptied) == (Erased(events=0, dead_letters=0, waiting=0), 0)
    assert written() == before


REWRITES = {
    "other data": EMPTY.replace("'{}'", """'{"task": {"title": "Forged"}}'"""),
    "another correlation": EMPTY.replace("'erased'", "'forged'"),
    "the data alone": "data = '{}'",
    "another type": f"{EMPTY}, type = 'task.deleted.v1'",
    "another owner": f"{EMPTY}, owner_id = NULL",
    "another version": f"{EMPTY}, subject_version = 7",
    "another place": f"{EMPTY}, position = 1000000",
}


@pytest.mark.parametrize("changes", REWRITES.values(), ids=REWRITES)
@pytest.mark.parametrize("erasing", ["", "yes"])
def test_no_other_update_passes_also_with_the_setting_made_by_hand(owner_id, changes, erasing):
    (row,) = relayed(event(owner_id=owner_id))
    relayed(news_of(owner_id))
    before = written()

    with pytest.raises(IntegrityError, match="UPDATE refused"):
        update(changes, row, erasing=erasing)

    assert written() == before


def test_emptying_by_hand_is_refused_without_the_setting(owner_id):
    (row,) = relayed(event(owner_id=owner_id))
    relayed(news_of(owner_id))
    before = written()

    with pytest.raises(IntegrityError, match="UPDATE refused"):
        update(EMPTY, row, erasing="")

    assert written() == before


def test_with_the_setting_the_owner_of_the_tables_empties_as_the_function_does(owner_id):
    """The control: what is refused beside this is refused for its own reason."""
    (row,) = relayed(event(owner_id=owner_id))
    relayed(news_of(owner_id))

    update(EMPTY, row, erasing="yes")

    assert Event.objects.get(pk=row.pk).data == {}


def test_with_the_setting_the_event_of_a_living_person_is_still_refused(owner_id):
    (row,) = relayed(event(owner_id=owner_id))
    relayed(news_of(uuid4()))
    before = written()

    with pytest.raises(IntegrityError, match="UPDATE refused"):
        update(EMPTY, row, erasing="yes")

    assert written() == before


def test_with_the_setting_an_event_in_the_outbox_is_still_refused(owner_id):
    (row,) = append(event(owner_id=owner_id))
    relayed(news_of(owner_id))
    before = written()

    with pytest.raises(IntegrityError, match="UPDATE refused"):
        update(EMPTY, row, erasing="yes")

    assert written() == before


def test_with_the_setting_the_news_of_the_erasure_is_still_refused(owner_id):
    (row,) = relayed(news_of(owner_id))
    before = written()

    with pytest.raises(IntegrityError, match="UPDATE refused"):
        update(EMPTY, row, erasing="yes")

    assert written() == before


def test_with_the_setting_a_hollow_event_does_not_change_again(owner_id):
    (row,) = relayed(event(owner_id=owner_id))
    relayed(news_of(owner_id))
    update(EMPTY, row, erasing="yes")
    before = written()

    with pytest.raises(IntegrityError, match="UPDATE refused"):
        update(EMPTY, row, erasing="yes")

    assert written() == before


def test_a_hollow_event_is_no_envelope(owner_id):
    (row,) = relayed(event(owner_id=owner_id))
    relayed(news_of(owner_id))
    update(EMPTY, row, erasing="yes")

    with pytest.raises(EventErased, match="was erased with its owner"):
        outbox.envelope_of(Event.objects.get(pk=row.pk))


def test_the_sweep_asks_only_for_who_is_erased_and_unfinished(chores, owner_id, django_assert_num_queries):
    (row,) = relayed(event(owner_id=owner_id))
    handled(chores, row)
    relayed(event(owner_id=uuid4()), news_of(owner_id))

    assert erasure.erase_unfinished() == 1
    with django_assert_num_queries(1):
        jobs.erase_again()


def test_the_steps_go_on_until_all_is_emptied(chores, owner_id, monkeypatch):
    rows = relayed(*[event(owner_id=owner_id) for _ in range(7)])
    handled(chores, *rows)
    relayed(news_of(owner_id))
    monkeypatch.setattr(erasure, "STEP", 3)

    assert erasure.erase(owner_id) == Erased(events=7, dead_letters=0, waiting=0)


def test_a_letter_of_a_group_that_is_no_more_is_given_up_and_emptied(chores, owner_id):
    one = event(owner_id=owner_id)
    relayed(news_of(owner_id))
    letter = DeadLetter.objects.create(
        group="gone",
        event_id=one.id,
        type=one.type,
        envelope=envelopes.to_json(one),
        reason="Buy milk",
        status="parked",
    )

    assert erasure.erase(owner_id).dead_letters == 1

    letter.refresh_from_db()
    assert (letter.status, letter.envelope, letter.reason) == ("discarded", {}, "Its owner was erased.")


def test_the_news_of_the_erasure_reaches_a_group_that_parked_what_was_before_it(effect, only_new_groups, new_group):
    """Both are of one key: given up, the parked one lets through what waits behind it."""
    from apps.accounts.events import AccountEvent

    group = new_group("chores")
    group.on(AccountEvent.ERASED)(effect.apply)
    owner_id = uuid4()
    news = news_of(owner_id)
    moved = replace(news, id=uuid4(), type="account.time_zone_changed.v1", data={"time_zone": {}})
    relayed(news)
    for one in (moved, news):
        DeadLetter.objects.create(
            group="chores",
            event_id=one.id,
            type=one.type,
            topic=one.topic,
            key=one.key,
            envelope=envelopes.to_json(one),
            reason="",
        )

    erasure.erase(owner_id)

    assert effect.of() == [news.id]
    assert list(DeadLetter.objects.order_by("id").values_list("status", flat=True)) == ["discarded", "replayed"]


@pytest.mark.django_db(transaction=True)
def test_two_who_erase_at_once_leave_each_others_rows_alone(owner_id):
    relayed(*[event(owner_id=owner_id, version=None, type="task.snapshot.v1", data=STATE) for _ in range(3)])
    relayed(news_of(owner_id))
    emptied = []

    def second():
        try:
            emptied.append(erasure._empty_events(owner_id, "[]"))
        finally:
            connection.close()

    with transaction.atomic():
        first = erasure._empty_events(owner_id, "[]")
        beside = threading.Thread(target=second)
        beside.start()
        beside.join(10)
        waited = beside.is_alive()

    assert (first, emptied, waited) == (3, [0], False)
    assert Event.objects.filter(owner_id=owner_id, erased_at=None).count() == 1
