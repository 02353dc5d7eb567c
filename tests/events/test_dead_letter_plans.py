"""With many dead letters a batch asks only for what it holds itself: an index leads there, and few rows are touched."""

from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.events import dead_letters, handling
from apps.events.dead_letters import Failure
from apps.events.models import DeadLetter, HandledEvent
from apps.tasks.events import TaskEvent
from tests.support.factories import event, life_of_one_subject
from tests.support.patience import unhurried
from tests.support.plans import executed, nodes, rows_read

pytestmark = pytest.mark.django_db

MANY = 20_000
STUCK = UUID("01900000-0000-7000-8000-00000000beef")
# Half of the group's letters wait behind one key, the rest stand for themselves; another group has as many.
_FILL = """
INSERT INTO events_deadletter ("group", event_id, type, topic, key, envelope, reason, traceback, status)
SELECT g, gen_random_uuid(), 'task.created.v1', 'task-events',
    CASE WHEN n %% 2 = 0 THEN %(stuck)s ELSE gen_random_uuid()::text END, '{}', 'because', '', 'parked'
FROM generate_series(1, %(many)s::int) n, unnest(ARRAY['chores', 'errands']) g
"""
_ALL_OF_THE_GROUP = (
    "SELECT event_id, topic, key FROM events_deadletter WHERE \"group\" = 'chores' AND status = 'parked'"
)


@pytest.fixture
def group(new_group, effect):
    group = new_group("chores")
    group.on(TaskEvent.CREATED, TaskEvent.UPDATED)(effect.apply)
    return group


@pytest.fixture(params=["as the statistics are", "with fresh statistics"])
def many_letters(request, group):
    with unhurried() as cursor:
        cursor.execute(_FILL, {"stuck": str(STUCK), "many": MANY})
        if request.param == "with fresh statistics":
            cursor.execute("ANALYZE events_deadletter")


def rows_touched(sql):
    """Rows that the executed plan read of the letters, also those it threw away."""
    return sum(rows_read(node) for node in nodes(executed(sql)) if "deadletter" in node.get("Relation Name", ""))


@pytest.mark.usefixtures("many_letters")
def test_a_batch_reads_one_letter_of_each_of_its_keys_and_none_of_others(group):
    batch = [*(event() for _ in range(20)), event(subject_id=STUCK)]

    with CaptureQueriesContext(connection) as asked:
        waiting = dead_letters.sort_out(group, batch)

    assert (waiting.ids, waiting.parked_now) == ({batch[-1].id}, 1)
    questions = [one["sql"] for one in asked.captured_queries if one["sql"].lstrip().startswith("SELECT")]
    of_letters = [sql for sql in questions if "FROM events_deadletter" in sql or 'FROM "events_deadletter"' in sql]
    assert len(of_letters) == 4  # what is known and what is held up, before and after the locks
    assert max(map(rows_touched, of_letters)) <= len(batch)


@pytest.mark.usefixtures("many_letters")
def test_asking_for_all_of_the_group_touches_them_all():
    """The negative control: the measure sees what it is to see."""
    assert rows_touched(_ALL_OF_THE_GROUP) >= MANY


@pytest.mark.usefixtures("many_letters")
def test_what_comes_behind_is_parked_behind_the_oldest_of_its_key(group):
    oldest = DeadLetter.objects.filter(group="chores", key=str(STUCK)).earliest("pk")
    one = event(subject_id=STUCK)

    handling.handle(group, [one])

    assert DeadLetter.objects.get(event_id=one.id).behind_id == oldest.pk


def test_a_whole_batch_is_parked_behind_in_as_many_statements_as_one_event(group):
    first, *rest = life_of_one_subject(202)
    dead_letters.park(group, [Failure(first, "because")])

    statements = [_statements_of_handling(group, part) for part in (rest[:1], rest[1:])]

    assert statements[0] == statements[1]
    assert DeadLetter.objects.filter(behind__event_id=first.id).count() == 201


def test_what_another_member_handled_meanwhile_is_not_parked_behind(group):
    first, second, third = life_of_one_subject(3)
    dead_letters.park(group, [Failure(first, "because")])
    HandledEvent.objects.create(group="chores", event_id=second.id)

    outcome = handling.handle(group, [second, third])

    assert outcome == handling.Outcome(repeated=1, parked=1)
    assert list(DeadLetter.objects.order_by("pk").values_list("event_id", flat=True)) == [first.id, third.id]


def _statements_of_handling(group, events):
    with CaptureQueriesContext(connection) as asked:
        handling.handle(group, events)
    return len(asked.captured_queries)
