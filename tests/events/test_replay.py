"""A group can be fed again from the log, and only as far back as it remembers what it did."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.events.models import Event, OutboxEntry
from apps.events.replay import feed, select, wait_until_caught_up
from apps.tasks.events import TaskEvent
from tests.support.factories import append, backdated_event, event, life_of_one_subject

pytestmark = pytest.mark.django_db


@pytest.fixture
def group(new_group, effect):
    group = new_group("chores")
    group.on(TaskEvent.CREATED, TaskEvent.UPDATED)(effect.apply)
    return group


def replay(*arguments):
    """As it is done when the relay has moved all there is."""
    OutboxEntry.objects.all().delete()
    call_command("replay_events", "--group", "chores", *map(str, arguments))


def test_a_replay_feeds_what_was_not_handled_in_order(group, effect, capsys):
    life = life_of_one_subject(3)
    append(*life)

    replay("--since", "2000-01-01")

    assert effect.of() == [one.id for one in life]
    assert capsys.readouterr().out == "chores: 3 handled, 0 handled before, 0 parked.\n"


def test_a_second_replay_changes_nothing(group, effect, capsys):
    append(event(), event())
    replay("--since", "2000-01-01")
    before = effect.of()
    capsys.readouterr()

    replay("--since", "2000-01-01")

    assert effect.of() == before
    assert capsys.readouterr().out == "chores: 0 handled, 2 handled before, 0 parked.\n"


def test_a_replay_by_positions_takes_both_ends(group, effect):
    events = [event() for _ in range(5)]
    rows = append(*events)

    replay("--from-position", rows[1].position, "--to-position", rows[3].position)

    assert effect.of() == [one.id for one in events[1:4]]


def test_a_replay_since_an_instant_takes_what_was_recorded_from_then_on(group, effect):
    yesterday, today = event(), event()
    backdated_event(yesterday, days=1)
    append(today)

    replay("--since", (timezone.now() - timedelta(hours=1)).isoformat())

    assert effect.of() == [today.id]


def test_a_replay_takes_only_what_the_group_subscribes_to(new_group, effect):
    group = new_group("chores")
    group.on(TaskEvent.UPDATED)(effect.apply)
    life = life_of_one_subject(2)
    append(*life)

    replay("--since", "2000-01-01")

    assert effect.of() == [life[1].id]


def test_a_replay_goes_on_over_many_batches(group, effect, settings):
    settings.CONSUMER_BATCH_SIZE = 2
    events = [event() for _ in range(5)]
    append(*events)

    replay("--since", "2000-01-01")

    assert effect.of() == [one.id for one in events]


def test_a_replay_beyond_what_is_remembered_is_refused_and_does_nothing(group, effect):
    backdated_event(event(), days=15)
    append(event())

    with pytest.raises(CommandError, match="What a group has handled is remembered for 14 days"):
        replay("--since", "2000-01-01")

    assert effect.of() == []


def test_a_dry_run_only_counts(group, effect, capsys):
    append(event(), event())

    replay("--since", "2000-01-01", "--dry-run")

    assert effect.of() == []
    assert capsys.readouterr().out == "2 events would be fed to chores.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Say from where"),
        (("--since", "yesterday"), "'yesterday' is no instant; write 2026-11-20T09:00Z"),
        (("--since", "2026-02-30T09:00Z"), "is no instant"),
    ],
)
def test_a_replay_from_nowhere_is_refused(group, arguments, words):
    with pytest.raises(CommandError, match=words):
        replay(*arguments)


def test_a_replay_for_an_unknown_group_is_refused_naming_those_there_are():
    with pytest.raises(CommandError, match="There is no consumer group 'nobody'; there are: audit"):
        call_command("replay_events", "--group", "nobody", "--since", "2000-01-01")


def test_an_instant_without_offset_is_utc(group, effect):
    one = event()
    append(one)
    recorded_at = Event.objects.get().recorded_at.astimezone(UTC)

    replay("--since", datetime.fromisoformat(recorded_at.isoformat()[:-6]).isoformat())

    assert effect.of() == [one.id]


def test_a_replay_is_refused_while_events_wait_in_the_outbox(group, effect):
    append(event())

    with pytest.raises(CommandError, match="Nothing was fed: the outbox holds 1 events") as refused:
        call_command("replay_events", "--group", "chores", "--since", "2000-01-01", "--no-wait")

    assert refused.value.returncode == 1
    assert effect.of() == []


def test_a_replay_is_refused_while_the_group_is_behind(group, effect, pump):
    append(event())
    pump.relay_once()

    with pytest.raises(CommandError, match="Nothing was fed: chores is 1 records behind"):
        call_command("replay_events", "--group", "chores", "--since", "2000-01-01", "--no-wait")

    assert effect.of() == []


def test_a_replay_waits_for_the_relay_and_the_group(group, effect, pump):
    one = event()
    append(one)
    told = []

    def meanwhile(behind):
        told.append(behind.partition(",")[0])
        pump.run()

    wait_until_caught_up(group, broker=pump.broker, patience_seconds=10, report=meanwhile)

    assert told == ["the outbox holds 1 events"]
    assert effect.of() == [one.id]


def test_fed_without_waiting_an_event_overtakes_an_older_one(group, effect, pump):
    """The control: what the waiting is for."""
    older, newer = life_of_one_subject(2)
    rows = append(older, newer)

    feed(group, select(group, since=None, first=rows[1].position, last=None), report=lambda fed: None)
    pump.run()

    assert effect.of() == [newer.id, older.id]


def test_a_replay_prints_what_came_of_it_as_json(group, capsys):
    append(event(), event())

    replay("--since", "2000-01-01", "--json")

    assert json.loads(capsys.readouterr().out) == {
        "group": "chores",
        "handled": 2,
        "repeated": 0,
        "parked": 0,
        "erased": 0,
    }
