"""The chain of causes as a tree, whatever is missing from it."""

from dataclasses import replace
from uuid import uuid4

import pytest

from apps.audit.admin import causes
from apps.audit.admin.causes import tree_of
from apps.audit.models import AuditContent, AuditRecord
from tests.audit.admin_trail import page_of, recorded
from tests.support.append_only import guards_off
from tests.support.factories import event, person

pytestmark = pytest.mark.django_db


def caused(cause=None, **fields):
    return replace(event(causation_id=cause.id if cause else None), **fields)


def shape(nodes):
    """The tree by event ids; the record at hand in a set."""
    return [({node.event_id} if node.here else node.event_id, shape(node.caused)) for node in nodes]


def read(record):
    return tree_of(AuditRecord.objects.select_related("content").get(pk=record.pk))


def test_a_request_its_event_and_all_that_led_from_it():
    task = caused()
    occurrence, reminder = caused(task), caused(task)
    delivery = caused(reminder)
    kept = recorded(task, occurrence, reminder, delivery)

    tree = read(kept[2])

    assert shape(tree.roots) == [(task.id, [(occurrence.id, []), ({reminder.id}, [(delivery.id, [])])])]
    assert (tree.correlation_id, tree.cut) == ("a-correlation", False)


def test_other_events_of_the_same_request_stand_beside():
    tag, task = caused(), caused()
    kept = recorded(tag, task)

    assert shape(read(kept[1]).roots) == [(tag.id, []), ({task.id}, [])]


def test_events_of_another_request_do_not():
    one, other = caused(correlation_id="one"), caused(correlation_id="other")
    kept = recorded(one, other)

    assert shape(read(kept[0]).roots) == [({one.id}, [])]


def test_what_was_caused_is_found_though_its_request_is_another():
    task = caused(correlation_id="one")
    reminder = caused(task, correlation_id="other")
    kept = recorded(task, reminder)

    assert shape(read(kept[0]).roots) == [({task.id}, [(reminder.id, [])])]
    assert shape(read(kept[1]).roots) == [(task.id, [({reminder.id}, [])])]


def test_a_cause_that_the_trail_does_not_hold_is_shown_as_missing(client):
    gone = event()
    kept = recorded(caused(gone))
    client.force_login(person(is_staff=True, is_superuser=True))

    [root] = read(kept[0]).roots

    assert (root.event_id, root.record, [node.here for node in root.caused]) == (gone.id, None, [True])
    assert f"an event the trail does not hold <code>{gone.id}</code>" in page_of(client, kept[0])


def test_the_tree_of_an_erased_record_is_found_by_causation():
    task = caused()
    reminder = caused(task)
    kept = recorded(task, reminder)
    with guards_off():
        AuditContent.objects.filter(pk=task.id).delete()

    tree = read(kept[0])

    assert (tree.correlation_id, shape(tree.roots)) == (None, [({task.id}, [(reminder.id, [])])])


def test_an_erased_cause_keeps_its_place():
    task = caused()
    reminder = caused(task)
    kept = recorded(task, reminder)
    with guards_off():
        AuditContent.objects.filter(pk=task.id).delete()

    assert shape(read(kept[1]).roots) == [(task.id, [({reminder.id}, [])])]


def test_events_that_name_each_other_as_cause_make_a_tree_nevertheless():
    first, second = uuid4(), uuid4()
    kept = recorded(event(id=first, causation_id=second), event(id=second, causation_id=first))

    assert shape(read(kept[1]).roots) == [(first, [({second}, [])])]


def test_an_event_that_names_itself_as_cause_is_a_root():
    own = uuid4()
    kept = recorded(event(id=own, causation_id=own))

    assert shape(read(kept[0]).roots) == [({own}, [])]


def test_a_tree_is_bounded_in_number_and_says_so(monkeypatch):
    monkeypatch.setattr(causes, "MAX_NODES", 5)
    task = caused()
    kept = recorded(task, *[caused(task) for _ in range(8)])

    tree = read(kept[8])

    assert (tree.cut, len(tree.records)) == (True, 5)
    assert kept[8].event_id in {one.event_id for one in tree.records}


@pytest.mark.parametrize("end", [0, -1])
def test_a_tree_is_bounded_in_depth_and_says_so(monkeypatch, end):
    monkeypatch.setattr(causes, "MAX_DEPTH", 3)
    chain = [caused(correlation_id="0")]
    for number in range(1, 8):
        chain.append(caused(chain[-1], correlation_id=str(number)))
    kept = recorded(*chain)

    tree = read(kept[end])

    assert (tree.cut, len(tree.records)) == (True, 4)


def test_the_record_at_hand_is_marked_and_each_node_is_a_link(client):
    task = caused()
    reminder = caused(task)
    kept = recorded(task, reminder)
    client.force_login(person(is_staff=True, is_superuser=True))

    page = page_of(client, kept[1])

    tree = page[page.index('class="causes"') : page.index('id="proof"')]
    assert tree.count('aria-current="true"') == 1
    assert [f'href="/admin/audit/auditrecord/{one.pk}/change/"' in tree for one in kept] == [True, True]


def test_a_deep_tree_asks_a_bounded_number_of_questions(client, django_assert_max_num_queries):
    chain = [caused()]
    for _ in range(15):
        chain.append(caused(chain[-1]))
    kept = recorded(*chain)
    client.force_login(person(is_staff=True, is_superuser=True))

    with django_assert_max_num_queries(60):
        page_of(client, kept[8])
