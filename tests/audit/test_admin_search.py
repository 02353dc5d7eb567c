"""What the trail can be narrowed to and searched by, and that what cannot be understood shows nothing."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
import time_machine

from apps.audit import ways
from apps.audit.admin import trail
from tests.audit.admin_trail import LIST, erase, record, recorded_at, shown, titled, unreadable
from tests.support.factories import person

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
KNOWN = "Those are: q, when, from, to, type, kind, readable, actor, owner, period, subject, correlation, before, after."
TWO_TIMES = "Choose “From, to” here, or leave From and To empty."


@pytest.fixture
def admin(client):
    client.force_login(person("boss", is_staff=True, is_superuser=True))
    return client


def errors(client, **query):
    response = client.get(LIST, query)
    assert response.status_code == 200
    assert response.context["rows"] == []
    return {name: list(told) for name, told in response.context["form"].errors.items()}


# --- filters ---


def test_by_event_type_and_kind_of_thing(admin):
    created, updated, odd = record(), record(version=2), record(subject_type="plan", type="plan.made.v9")

    assert shown(admin, type="task.updated.v1") == [updated.pk]
    assert shown(admin, kind="task") == [updated.pk, created.pk]
    assert shown(admin, kind="plan") == [odd.pk]


def test_the_types_to_choose_are_those_in_the_trail(admin):
    record(), record(version=2), record(), record(subject_type="plan", type="plan.made.v9"), unreadable()

    form = admin.get(LIST).context["form"]

    assert [value for value, _ in form.fields["type"].choices] == [
        *("", "plan.made.v9", "task.created.v1", "task.updated.v1", "unreadable")
    ]
    assert [value for value, _ in form.fields["kind"].choices] == ["", "plan", "task"]


def test_by_readable(admin):
    readable, odd = record(), unreadable()

    assert shown(admin, readable="yes") == [readable.pk]
    assert shown(admin, readable="no") == [odd.pk]


def test_by_actor_and_owner(admin):
    ada = person("ada")
    by_ada, adas, _ = record(actor_id=ada.pk), record(owner_id=ada.pk), record()

    assert shown(admin, actor="ADA") == [by_ada.pk]
    assert shown(admin, owner=str(ada.pk)) == [adas.pk]
    assert shown(admin, owner="ada", actor="ada") == []


def test_all_that_happened_to_one_thing_and_all_of_one_request(admin):
    one, other = record(), record()

    assert shown(admin, subject=one.subject_id) == [one.pk]
    assert shown(admin, correlation="a-correlation") == [other.pk, one.pk]
    assert shown(admin, correlation="another") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"when": "today"}, [19, 20]),
        ({"when": "week"}, [14, 19, 20]),
        ({"when": "month"}, [1, 14, 19, 20]),
        ({"from": "2026-11-14", "to": "2026-11-19"}, [14]),
        ({"when": "between", "from": "2026-11-14"}, [14, 19, 20]),
        ({"to": "2026-10-31"}, [31]),
        ({"from": "2026-11-14", "to": "2026-11-14", "when": ""}, [14]),
        ({"period": "2026"}, [31, 1, 14, 19, 20]),
        ({"period": "2026-10"}, [31]),
        ({"period": "2026-11-14"}, [14]),
        ({"period": "2026-10", "when": "today"}, []),
    ],
)
def test_by_time(client, query, found):
    # In Tokyo, nine hours ahead: what was recorded on the 19th at 15:00 UTC is of the 20th.
    client.force_login(person(is_staff=True, is_superuser=True, time_zone="Asia/Tokyo"))
    kept = {}
    for at in ("10-31T14:59", "10-31T15:00", "11-13T15:00", "11-19T15:00", "11-20T08:00"):
        one = record()
        recorded_at(one, datetime.fromisoformat(f"2026-{at}Z"))
        kept[one.pk] = at
    days = {31: "10-31T14:59", 1: "10-31T15:00", 14: "11-13T15:00", 19: "11-19T15:00", 20: "11-20T08:00"}
    with time_machine.travel(NOW, tick=False):
        assert [kept[pk] for pk in reversed(shown(client, **query))] == [days[day] for day in found]


def test_the_dates_to_choose_are_those_between_the_first_and_the_last_record(admin):
    recorded_at(record(), datetime(2025, 11, 28, 12, tzinfo=UTC))
    recorded_at(record(), datetime(2026, 2, 3, 12, tzinfo=UTC))

    within = {
        period: [step.period for step in admin.get(LIST, {"period": period}).context["days"].within]
        for period in ("", "2025", "2026", "2025-11", "2026-02", "2026-02-01")
    }

    assert within == {
        "": ["2025", "2026"],
        "2025": ["2025-11", "2025-12"],
        "2026": ["2026-01", "2026-02"],
        "2025-11": ["2025-11-28", "2025-11-29", "2025-11-30"],
        "2026-02": ["2026-02-01", "2026-02-02", "2026-02-03"],
        "2026-02-01": [],
    }


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"actor": "nobody"}, {"actor": ["Nobody is called that. Type the whole username, or an id."]}),
        ({"from": "2026-11-02", "to": "2026-11-01"}, {"to": ["It ends before it begins."]}),
        ({"when": "between"}, {"from": ["Say from when, to when, or both."]}),
        ({"from": "soon"}, {"from": ["Enter a valid date."]}),
        ({"when": "today", "to": "2026-11-01"}, {"when": [TWO_TIMES]}),
        ({"when": "week", "from": "2026-11-01", "to": ""}, {"when": [TWO_TIMES]}),
        ({"before": "x"}, {"__all__": ["before is no record's number."]}),
        ({"after": "-1"}, {"__all__": ["after is no record's number."]}),
        ({"actor": ["boss", ""]}, {"__all__": ["actor is given more than once: which counts?"]}),
        ({"bogus": "1"}, {"__all__": [f"bogus is no filter of the trail. {KNOWN}"]}),
        ({"since": ""}, {"__all__": [f"since is no filter of the trail. {KNOWN}"]}),
        ({"period": "2026-13"}, {"period": ["That is no year, month or day."]}),
        ({"subject": "17"}, {"subject": ["Enter a valid UUID."]}),
        ({"q": "a b c d e f g h i"}, {"q": ["Search for at most 8 words at once."]}),
        ({"q": " ".join(["01900000-0000-7000-8000-000000000001"] * 3)}, {"q": [trail.MANY_MEANINGS]}),
    ],
)
def test_what_cannot_be_understood_is_told_and_shows_nothing(admin, query, told):
    record()

    assert errors(admin, **query) == told


def test_a_name_that_is_not_known_is_told_on_the_page_and_escaped(admin):
    record()

    page = admin.get(LIST, {"<b>typ": "task.created.v1"}).content.decode()

    assert f"&lt;b&gt;typ is no filter of the trail. {KNOWN}" in page
    assert "Nothing is shown until the filters are right." in page
    assert "trail-exports" not in page


@pytest.mark.parametrize(
    ("query", "chosen"),
    [({}, ""), ({"from": "2026-11-14"}, "between"), ({"to": "2026-11-14"}, "between"), ({"when": "today"}, "today")],
)
def test_days_that_are_filled_show_as_such_in_when(admin, query, chosen):
    response = admin.get(LIST, query)

    assert response.context["form"]["when"].value() == (chosen or None)
    assert '<p class="help" id="times">Days are those of your time zone. From and To' in response.content.decode()


@pytest.mark.parametrize("type", ["task.made.v1", "x' OR 1=1"])
def test_a_type_the_trail_does_not_hold_is_refused(admin, type):
    record()

    assert list(errors(admin, type=type)) == ["type"]


@pytest.mark.parametrize(
    "query",
    [
        "q=a%27b",
        "q=%26%7C!:*()",
        "q=-17",
        "q=%F0%9F%8D%8E",
        "before=x&after=-1",
        "before=99999999999999999999",
        "p=7",
        "period=0000",
        "period=9999-12-31",
        "from=9999-12-31",
        "to=9999-12-31",
        "from=0001-01-01",
        "to=0001-01-01",
        "=2",
        "e=1&unknown=x",
        "q=***",
    ],
)
def test_odd_queries_are_answered(admin, query):
    record()

    assert admin.get(f"{LIST}?{query}").status_code == 200


# --- search ---


@pytest.mark.parametrize("field", ["event_id", "subject_id", "owner_id", "actor_id", "causation_id"])
def test_a_record_is_found_by_its_ids(admin, field):
    kept, _ = record(causation_id=uuid4()), record()

    assert shown(admin, q=str(getattr(kept, field))) == [kept.pk]


@pytest.mark.parametrize("request_id", ["a-request.of:ours", "01900000-0000-7000-8000-00000000000a"])
def test_a_record_is_found_by_its_request(admin, request_id):
    from dataclasses import replace

    from tests.audit.admin_trail import recorded
    from tests.support.factories import event

    kept, _ = recorded(replace(event(), correlation_id=request_id), event())

    assert shown(admin, q=request_id) == [kept.pk]


@pytest.mark.parametrize("text", ["milk", "MILK", "mil", "buy milk", "milk buy", "milk,", "€milk"])
def test_a_record_is_found_by_words_of_its_title(admin, text):
    kept, _ = titled("Buy oat-milk today"), titled("Buy bread")

    assert shown(admin, q=text) == [kept.pk]


@pytest.mark.parametrize("text", ["milk bread", "ilk", "milkshake", "?!", "description"])
def test_words_that_are_not_in_a_title_find_nothing(admin, text):
    titled("Buy oat-milk today")

    assert shown(admin, q=text) == []


def test_a_record_is_found_by_the_name_of_who_did_it_or_whose_it_is(admin):
    ada = person("ada")
    by_ada, adas, called, _ = record(actor_id=ada.pk), record(owner_id=ada.pk), titled("Call Ada"), record()

    assert shown(admin, q="Ada") == [called.pk, adas.pk, by_ada.pk]


def test_words_all_hold(admin):
    ada = person("ada")
    milk = titled("Buy milk", actor_id=ada.pk)
    titled("Buy bread", actor_id=ada.pk), titled("Buy milk")
    updated = record(version=2, actor_id=ada.pk)

    assert shown(admin, q="ada milk created") == []
    assert shown(admin, q="ada milk task.created") == [milk.pk]
    assert shown(admin, q="ada milk task.created.v1") == [milk.pk]
    assert shown(admin, q="ada task.updated") == [updated.pk]
    assert shown(admin, q="milk ada", type="task.created.v1") == [milk.pk]


def test_what_is_erased_is_not_found_by_its_title(admin):
    kept = titled("Secret plan")
    assert shown(admin, q="secret") == [kept.pk]
    erase(kept)

    assert shown(admin, q="secret") == []


def test_common_words_are_looked_for_along_the_trail_and_all_are_found(admin, monkeypatch):
    monkeypatch.setattr(ways, "MAX_FOUND", 3)
    monkeypatch.setattr(ways, "MAX_WALKED", 4)
    wanted = [titled("Buy milk" if number % 3 == 0 else "Buy bread").pk for number in range(20)][::3]

    found, response = [], admin.get(LIST, {"q": "milk"})
    walked = [response.context["page"].walked]
    for _ in range(20):
        found += [row.record.pk for row in response.context["rows"]]
        if response.context["older"]:
            response = admin.get(LIST + response.context["older"])
    assert found[: len(wanted)] == wanted[::-1]
    assert (walked, response.context["page"].walked) == ([True], False)


def test_common_words_of_somebody_are_looked_for_among_theirs(admin, monkeypatch):
    monkeypatch.setattr(ways, "MAX_FOUND", 3)
    ada = person("ada")
    kept = titled("Buy milk", actor_id=ada.pk)
    for _ in range(5):
        titled("Buy milk")

    assert shown(admin, q="milk ada") == [kept.pk]
    assert len(shown(admin, q="milk")) == 6


def test_all_of_a_request_that_led_to_much_is_found(admin, monkeypatch):
    monkeypatch.setattr(ways, "MAX_FOUND", 3)
    kept = [record().pk for _ in range(6)]

    assert shown(admin, correlation="a-correlation") == kept[::-1]
    assert shown(admin, q="a-correlation") == kept[::-1]
