"""What the trail can be narrowed to over REST."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from rest_framework.test import APIClient

from apps.audit import paging, ways
from apps.audit.chain import chain_of
from apps.audit.filters import TrailFilter
from apps.audit.models import AuditRecord
from apps.audit.subscribers import group
from apps.events import handling
from apps.events.brokers.base import Record
from apps.tasks import services
from tests.support.factories import NOW, event, person, task_data, task_of

pytestmark = pytest.mark.django_db

AUDIT = "/api/v1/audit/"


@pytest.fixture
def ada():
    return person("ada", time_zone="Asia/Tokyo")


@pytest.fixture
def client(ada):
    client = APIClient()
    client.force_login(ada)
    return client


def record(*, correlation_id="a-correlation", **fields):
    one = replace(event(**fields), correlation_id=correlation_id)
    handling.handle(group, [one])
    return AuditRecord.objects.get(event_id=one.id)


def titled_of(owner, title):
    return record(owner_id=owner.pk, data=task_data(title=title))


def listed(client, query=""):
    response = client.get(AUDIT + query)
    assert response.status_code == 200, response.json()
    return [found["id"] for found in response.json()["results"]]


def refused(client, query):
    response = client.get(AUDIT + query)
    assert response.status_code == 400
    return [(error["field"], error["detail"]) for error in response.json()["errors"]]


def at(text, owner, **fields):
    return record(owner_id=owner.pk, occurred_at=datetime.fromisoformat(text), **fields)


# --- things ---


def test_the_trail_of_a_list_of_a_tag_and_of_a_task(ada, client, pump):
    made = services.create_list(owner=ada, actor=ada, name="Home", now=NOW)
    tag = services.create_tag(owner=ada, actor=ada, name="shop", now=NOW)
    task = task_of(ada)
    pump.run()
    pks = dict(AuditRecord.objects.values_list("subject_type", "pk"))
    of_list, of_tag, of_task = pks["list"], pks["tag"], pks["task"]

    assert listed(client, f"?list={made.pk}") == [of_list]
    assert listed(client, f"?tag={tag.pk}") == [of_tag]
    assert listed(client, f"?task={task.pk}") == [of_task]
    assert listed(client, f"?subject={tag.pk}") == [of_tag]
    assert listed(client, f"?list={task.pk}") == []
    assert listed(client, "?subject_type=tag") == [of_tag]
    assert listed(client, "?subject_type=nothing") == []


# --- types ---


def test_types_are_named_whole_or_by_their_beginning(ada, client, pump):
    task = task_of(ada)
    services.complete_task(task_id=task.pk, actor=ada, now=NOW)
    services.create_list(owner=ada, actor=ada, name="Home", now=NOW)
    services.create_tag(owner=ada, actor=ada, name="shop", now=NOW)
    pump.run()
    pks = dict(AuditRecord.objects.values_list("type", "pk"))
    created, completed = pks["task.created.v1"], pks["task.completed.v1"]
    of_list, of_tag = pks["list.created.v1"], pks["tag.created.v1"]

    assert listed(client, "?type=task.created.v1") == [created]
    assert listed(client, "?type=task.") == sorted([created, completed], reverse=True)
    assert listed(client, "?type=task.completed.") == [completed]
    assert listed(client, "?type=list.&type=tag.created.v1") == sorted([of_list, of_tag], reverse=True)
    assert listed(client, "?type=task.&subject_type=task") == sorted([created, completed], reverse=True)
    assert listed(client, "?type=list.&subject_type=task") == []
    assert listed(client, "?type=task.create") == []
    assert listed(client, "?type=reminder.") == []


@pytest.mark.parametrize("value", ["Task.", ".", "a%25", "task..x'", "a" * 300])
def test_what_can_be_no_type_is_refused(client, value):
    assert refused(client, f"?type=task.&type={value}") == [
        ("type", "Give a type such as task.created.v1, or the beginning of some, with its point: task.")
    ]


def test_pages_of_several_types_hold_every_record_once_in_order(ada, client):
    kept = [record(owner_id=ada.pk, version=1 + number % 2).pk for number in range(7)]
    unreadable_too = "?type=task.&page_size=3"
    pages, address = [], AUDIT + unreadable_too

    first = client.get(address).json()
    second = client.get(first["next"]).json()
    third = client.get(second["next"]).json()
    back = client.get(third["previous"]).json()
    pages = [[one["id"] for one in page["results"]] for page in (first, second, third, back)]

    newest_first = kept[::-1]
    assert pages == [newest_first[:3], newest_first[3:6], newest_first[6:], newest_first[3:6]]
    assert third["next"] is None


def test_several_types_within_days_come_by_when_they_happened(ada, client):
    late = at("2026-05-04T00:00:00Z", ada, version=2)
    early = at("2026-05-03T00:00:00Z", ada)

    assert listed(client, "?type=task.&from=2026-05-01") == [late.pk, early.pk]
    assert listed(client, "?type=task.&from=2026-05-01&sort=occurred&page_size=1") == [early.pk]


# --- people ---


def test_what_somebody_did_and_what_i_did(ada, client):
    grace = person("grace")
    mine = record(owner_id=ada.pk, actor_id=ada.pk)
    theirs = record(owner_id=ada.pk, actor_id=grace.pk)
    record(owner_id=grace.pk, actor_id=ada.pk)

    assert listed(client, "?actor=me") == [mine.pk]
    assert listed(client, f"?actor={grace.pk}") == [theirs.pk]
    assert listed(client, "?owner=me") == [theirs.pk, mine.pk]
    assert listed(client, f"?owner={grace.pk}") == []


def test_staff_narrow_the_trail_to_an_owner(ada):
    client = APIClient()
    client.force_login(person("boss", is_staff=True))
    mine = record(owner_id=ada.pk)
    record()

    assert listed(client, f"?owner={ada.pk}") == [mine.pk]
    assert listed(client, "?owner=me") == []


def test_who_was_staff_does_not_see_on_what_they_did_to_others_things(ada):
    boss = person("boss", is_staff=True)
    client = APIClient()
    client.force_login(boss)
    done = record(owner_id=ada.pk, actor_id=boss.pk)
    as_staff = listed(client, "?actor=me")

    boss.is_staff = False
    boss.save()

    assert as_staff == [done.pk]
    assert listed(client, "?actor=me") == []
    assert client.get(f"{AUDIT}{done.pk}/").status_code == 404


@pytest.mark.parametrize(("name", "value"), [("actor", "you"), ("owner", "17")])
def test_who_can_be_nobody_is_refused(client, name, value):
    assert refused(client, f"?{name}={value}") == [(name, "Give a person's id, or me.")]


# --- causes ---


def test_what_a_request_and_what_an_event_led_to(ada, client):
    cause = record(owner_id=ada.pk, correlation_id="a-request")
    effect = record(owner_id=ada.pk, correlation_id="a-request", causation_id=cause.event_id)
    record(owner_id=ada.pk, correlation_id="another")

    assert listed(client, "?correlation=a-request") == [effect.pk, cause.pk]
    assert listed(client, f"?causation={cause.event_id}") == [effect.pk]


# --- when ---


def test_days_are_those_of_the_readers_wall_clock(ada, client):
    evening = at("2026-05-02T14:59:59Z", ada)
    midnight = at("2026-05-02T15:00:00Z", ada)
    last = at("2026-05-03T14:59:59.999999Z", ada)
    after = at("2026-05-03T15:00:00Z", ada)

    assert listed(client, "?from=2026-05-03&to=2026-05-03") == [last.pk, midnight.pk]
    assert listed(client, "?to=2026-05-02") == [evening.pk]
    assert listed(client, "?from=2026-05-03T15:00:00Z") == [after.pk]
    assert listed(client, "?from=2026-05-04T00:00:00") == [after.pk]
    assert listed(client, "?from=2026-05-04T00:00:00%2B09:00") == [after.pk]
    assert listed(client, "?to=2026-05-02T15:00:00Z") == [evening.pk]


def test_asked_for_days_it_comes_by_when_it_happened(ada, client):
    late, early = at("2026-05-04T00:00:00Z", ada), at("2026-05-03T00:00:00Z", ada)

    assert listed(client) == [early.pk, late.pk]
    assert listed(client, "?from=2026-05-01") == [late.pk, early.pk]
    assert listed(client, "?to=2026-06-01&sort=-recorded") == [early.pk, late.pk]
    assert listed(client, "?sort=occurred") == [early.pk, late.pk]
    assert listed(client, "?sort=recorded") == [late.pk, early.pk]


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize("value", ["yesterday", "2026-02-30", "0001-01-01T00:00:00%2B09:00", "2026", "9999-12-32"])
def test_what_is_no_day_is_refused(client, name, value):
    assert refused(client, f"?{name}={value}") == [
        (name, "Give a day (2026-05-03) or an instant (2026-05-03T09:00:00Z).")
    ]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Pacific/Kiritimati", "America/Los_Angeles", "UTC"])
def test_days_go_as_far_as_the_calendar_does(zone):
    bob = person("bob", time_zone=zone)
    client = APIClient()
    client.force_login(bob)
    first, last = at("0001-01-01T00:00:00Z", bob), at("9999-12-31T23:59:59.999999Z", bob)

    assert listed(client, "?from=0001-01-01&to=9999-12-31") == [last.pk, first.pk]
    assert listed(client, "?to=9999-12-31") == [last.pk, first.pk]
    assert listed(client, "?from=0001-01-01&sort=-recorded") == [last.pk, first.pk]
    assert listed(client, "?to=9000-01-01") == [first.pk]
    assert listed(client, "?from=9000-01-01") == [last.pk]


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-05-04&to=2026-05-03",
        "to=2026-05-03&from=2026-05-04",
        "from=2026-05-03T09:00:00Z&to=2026-05-03T08:59:59Z",
        "from=2026-05-04T00:00:00&to=2026-05-03",
        "from=9999-12-31&to=0001-01-01",
    ],
)
def test_a_time_that_ends_before_it_begins_is_refused(client, query):
    assert refused(client, f"?{query}") == [("to", "It ends before it begins: `to` comes before `from`.")]


@pytest.mark.parametrize(
    "query", ["from=2026-05-03&to=2026-05-03", "from=2026-05-03T09:00:00Z&to=2026-05-03T09:00:00Z"]
)
def test_a_time_of_one_day_or_none_is_not_refused(client, query):
    assert listed(client, f"?{query}") == []


# --- the trail's own ---


def test_records_nobody_could_read_are_found_by_staff(ada):
    handling.record_unreadable(group, [(Record("task-events", 0, 0, None, b"?", []), "garbage")])
    unreadable, fine = AuditRecord.objects.get(), record(owner_id=ada.pk)
    client = APIClient()
    client.force_login(person(is_staff=True))

    assert listed(client, "?readable=false") == [unreadable.pk]
    assert listed(client, "?readable=true") == [fine.pk]
    assert listed(client, "?type=unreadable") == [unreadable.pk]
    assert listed(client, "?sort=-occurred") == [fine.pk]


def test_a_record_is_found_at_its_place_in_its_chain(ada, client):
    subject = UUID(int=1)
    first = record(owner_id=ada.pk, subject_id=subject)
    second = record(owner_id=ada.pk, subject_id=subject, version=2)
    other = record(owner_id=ada.pk, subject_id=in_another_chain(first.chain))

    assert listed(client, f"?chain={first.chain}&sequence=2") == [second.pk]
    assert listed(client, f"?chain={first.chain}") == [second.pk, first.pk]
    assert listed(client, f"?chain={other.chain}") == [other.pk]


def in_another_chain(chain):
    subjects = (uuid4() for _ in range(1000))
    return next(one for one in subjects if chain_of("task", one, event_id=one) != chain)


def test_a_sequence_needs_its_chain(client):
    assert refused(client, "?sequence=1") == [("sequence", "A sequence is of a chain: give chain too.")]


@pytest.mark.parametrize(
    "query", ["?chain=16", "?chain=-1", "?chain=x", "?chain=1&sequence=0", f"?chain=1&sequence={10**30}"]
)
def test_a_place_that_cannot_be_is_refused(client, query):
    assert len(refused(client, query)) == 1


# --- words ---


def test_words_are_looked_for_in_the_title_as_it_then_was(ada, client):
    milk = record(owner_id=ada.pk, data=task_data(title="Buy oat milk, 2 litres"))
    bread = record(owner_id=ada.pk, data=task_data(title="Buy bread"))
    record(data=task_data(title="Buy oat milk"))

    assert listed(client, "?q=milk") == [milk.pk]
    assert listed(client, "?q=MIL+oat") == [milk.pk]
    assert listed(client, "?q=buy") == [bread.pk, milk.pk]
    assert listed(client, "?q=bread+milk") == []
    assert listed(client, "?q=it's+milk") == []
    assert listed(client, "?q=milk%26bread") == []


@pytest.mark.parametrize("value", ["%26%7C!", "a+b+c+d+e+f+g+h+i"])
def test_a_search_without_words_or_with_too_many_is_refused(client, value):
    assert refused(client, f"?q={value}") == [("q", "A search has 1 to 8 words.")]


def test_of_common_words_a_page_looks_at_so_many_records_and_goes_on(ada, client, monkeypatch):
    monkeypatch.setattr(ways, "MAX_FOUND", 3)
    monkeypatch.setattr(paging, "_NEAR", 2)
    monkeypatch.setattr(ways, "MAX_WALKED", 4)
    wanted = [titled_of(ada, "Buy milk" if number % 6 == 0 else "Buy bread").pk for number in range(24)][::6]

    pages, address = [], AUDIT + "?q=milk&page_size=2"
    for _ in range(7):
        answer = client.get(address).json()
        pages.append([one["id"] for one in answer["results"]])
        address = answer["next"] or AUDIT + "?q=nothing"

    assert [pk for page in pages for pk in page] == wanted[::-1]
    assert (pages[0], len(pages[-1])) == ([], 0)
    assert client.get(AUDIT + "?q=bread&page_size=2").json()["next"] is not None


def test_a_page_of_common_words_is_gone_back_from(ada, client, monkeypatch):
    monkeypatch.setattr(ways, "MAX_FOUND", 3)
    kept = [titled_of(ada, "Buy milk").pk for _ in range(5)]

    first = client.get(AUDIT + "?q=milk&page_size=2").json()
    second = client.get(first["next"]).json()
    back = client.get(second["previous"]).json()

    pages = [[one["id"] for one in page["results"]] for page in (first, second, back)]
    assert pages == [kept[:2:-1], kept[2:0:-1], kept[:2:-1]]


@pytest.mark.parametrize("text", ["oat", "OATS", "no", "no oat"])
def test_a_short_word_is_meant_whole_and_a_longer_one_as_a_beginning(ada, client, text):
    kept = titled_of(ada, "No oats")
    titled_of(ada, "Note float")

    assert listed(client, f"?q={text}") == [kept.pk]


# --- manners ---


# Of each filter what leaves the one record that is not like the others.
NARROWING = {
    "task": "{subject}",
    "list": "{subject}",
    "tag": "{subject}",
    "subject": "{subject}",
    "subject_type": "tag",
    "type": "tag.",
    "actor": "{actor}",
    "owner": "{owner}",
    "correlation": "another",
    "causation": "{cause}",
    "from": "2026-11-21",
    "to": "2026-11-01",
    "readable": "false",
    "chain": "{chain}",
    "sequence": "2&chain={chain}",
    "q": "pomegranate",
}


def test_every_filter_is_tried_with_an_empty_value():
    assert set(NARROWING) == set(TrailFilter.base_filters)


@pytest.mark.parametrize("empty", ["", "%20", "%09%20"])
@pytest.mark.parametrize(("name", "value"), NARROWING.items())
def test_an_empty_value_among_several_widens_nothing(name, value, empty):
    staff = person("boss", is_staff=True)
    client = APIClient()
    client.force_login(staff)
    one = record(data=task_data(title="Eat a pomegranate"), correlation_id="another", causation_id=uuid4())
    record(), record()
    given = {"subject": one.subject_id, "actor": one.actor_id, "owner": one.owner_id, "cause": one.causation_id}
    asked = f"{name}={value.format(**given, chain=one.chain)}"
    narrowed = listed(client, f"?{asked}")

    assert listed(client, f"?{asked}&{name}={empty}") == narrowed
    assert listed(client, f"?{name}={empty}&{asked}") == narrowed
    assert len(listed(client)) == 3


def test_an_unknown_parameter_is_refused(client):
    ((field, told),) = refused(client, "?typ=task.")

    assert field == "typ"
    assert told.startswith("Not a parameter of this address. Those are: actor, causation, chain, correlation, cursor,")


def test_the_form_of_the_browsable_page_names_every_filter(client):
    page = client.get(AUDIT, HTTP_ACCEPT="text/html").content.decode()

    assert "invalid name" not in page
    assert [name for name in TrailFilter.base_filters if f'name="{name}"' not in page] == []
    assert '<label for="id_from">From:</label>' in page


def test_the_page_of_one_record_says_what_it_is(ada, client):
    page = client.get(f"{AUDIT}{record(owner_id=ada.pk).pk}/", HTTP_ACCEPT="text/html").content.decode()

    assert "What happened, to what, by whom; and what proves it." in page


def test_one_record_takes_no_parameter(ada, client):
    response = client.get(f"{AUDIT}{record(owner_id=ada.pk).pk}/?type=task.")

    assert response.status_code == 400


def test_filters_narrow_together(ada, client):
    one = at("2026-05-03T00:00:00Z", ada, actor_id=ada.pk, data=task_data(title="Milk"))
    at("2026-05-03T00:00:00Z", ada, actor_id=ada.pk, version=2)
    at("2026-05-09T00:00:00Z", ada, actor_id=ada.pk)
    at("2026-05-03T00:00:00Z", ada)

    found = listed(client, "?actor=me&type=task.created.v1&from=2026-05-03&to=2026-05-03&q=milk&readable=true")

    assert found == [one.pk]
    assert one.occurred_at == datetime(2026, 5, 3, tzinfo=UTC)
