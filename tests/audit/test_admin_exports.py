"""What is filtered, as a file: all of it, as it is, harmless in a spreadsheet, noted, and bounded."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
import time_machine
from structlog.testing import capture_logs

from apps.audit.admin import exports
from apps.audit.admin.exports import defused
from tests.audit.admin_trail import LIST, erase, record, recorded_at, titled, unreadable
from tests.support.factories import person

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
KNOWN = "Those are: q, when, from, to, type, kind, readable, actor, owner, period, subject, correlation."


@pytest.fixture
def admin(client):
    client.force_login(person("boss", is_staff=True, is_superuser=True))
    return client


def written(client, form, **query):
    response = client.get(f"{LIST}export/{form}/", query)
    assert (response.status_code, response.streaming) == (200, True)
    return response, b"".join(response.streaming_content).decode()


def refused(client, query):
    response = client.get(f"{LIST}export/csv/?{query}", headers={"Accept": "*/*"})
    assert (response.status_code, response.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert "Content-Disposition" not in response.headers
    first, told = response.content.decode().splitlines()
    assert first == "Nothing was exported."
    return told


def as_rows(text):
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_csv_holds_ids_and_data(admin):
    ada = person("ada")
    kept = titled("Buy milk", actor_id=ada.pk, owner_id=ada.pk)

    response, text = written(admin, "csv")

    [row] = as_rows(text)
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert (row["id"], row["event_id"], row["subject_id"]) == (str(kept.pk), str(kept.event_id), str(kept.subject_id))
    assert (row["actor"], row["owner"], row["what"], row["title"]) == ("ada", "ada", "created", "Buy milk")
    assert (row["occurred_at"], row["chain"], row["sequence"]) == ("2026-11-20T09:00:00Z", str(kept.chain), "1")
    assert (row["hash"], row["correlation_id"]) == (bytes(kept.hash).hex(), "a-correlation")
    assert json.loads(row["data"]) == kept.data


def test_json_is_one_document_with_the_same(admin):
    kept = [titled("Buy “milk”, éclairs"), record(), unreadable()]

    response, text = written(admin, "json")

    told = json.loads(text)
    assert response.headers["Content-Type"] == "application/json"
    assert [one["id"] for one in told] == [one.pk for one in kept[::-1]]
    assert tuple(told[0]) == exports.COLUMNS
    assert (told[2]["title"], told[2]["data"]) == ("Buy “milk”, éclairs", kept[0].data)
    assert (told[0]["readable"], told[0]["data"]["because"]) == (False, "garbage")


@pytest.mark.parametrize(
    ("form", "nothing"), [("csv", "\ufeff" + ",".join(exports.COLUMNS) + "\r\n"), ("json", "[\n]\n")]
)
def test_of_nothing_the_file_is_empty(admin, form, nothing):
    assert written(admin, form)[1] == nothing


def test_what_is_filtered_is_exported_and_no_more(admin):
    milk, _ = titled("Buy milk"), titled("Buy bread")

    assert [row["id"] for row in as_rows(written(admin, "csv", q="milk")[1])] == [str(milk.pk)]


def test_everything_is_exported_though_it_is_read_page_by_page(admin, monkeypatch):
    monkeypatch.setattr(exports, "_CHUNK", 2)
    kept = [record().pk for _ in range(7)]

    _, text = written(admin, "json")

    assert [one["id"] for one in json.loads(text)] == kept[::-1]


def test_what_is_erased_is_exported_as_erased(admin):
    kept = titled("Secret plan")
    erase(kept)

    _, text = written(admin, "json", subject=kept.subject_id)

    [told] = json.loads(text)
    assert (told["erased"], told["title"], told["data"], told["hash"]) == (True, None, None, bytes(kept.hash).hex())


@pytest.mark.parametrize(
    "title", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x")', "  =1", "\u00a0=1", "\uff1d1", "|cmd", "%x"]
)
def test_a_cell_that_a_spreadsheet_would_run_is_text(admin, title):
    titled(title)

    [row] = as_rows(written(admin, "csv")[1])

    assert row["title"] == f"'{title}"


@pytest.mark.parametrize("text", ["Buy milk", "1=1", "a-b", "", "'=1", "é"])
def test_harmless_text_stays_as_it_is(text):
    assert defused(text) == text


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "audit_until-2026-11-20T0900Z.csv"),
        ({"when": "today"}, "audit_from-2026-11-20T0000Z_until-2026-11-20T0900Z.csv"),
        ({"from": "2026-10-01", "to": "2026-10-31"}, "audit_from-2026-10-01T0000Z_until-2026-11-01T0000Z.csv"),
        ({"kind": "task", "actor": "boss", "type": ""}, "audit_actor-boss_kind-task_until-2026-11-20T0900Z.csv"),
        ({"q": "milk"}, "audit_q-milk_until-2026-11-20T0900Z.csv"),
        ({"q": 'a"; b'}, "audit_q-a-b_2490cb52_until-2026-11-20T0900Z.csv"),
        ({"q": "a b"}, "audit_q-a-b_7e47fff6_until-2026-11-20T0900Z.csv"),
        ({"correlation": "x" * 200}, f"audit_correlation-{'x' * 40}_f8160276_until-2026-11-20T0900Z.csv"),
    ],
)
def test_the_files_name_tells_the_filter_and_the_time_it_is_of(admin, query, name):
    record()
    with time_machine.travel(NOW, tick=False):
        response, _ = written(admin, "csv", **query)

    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'


def test_who_took_what_is_noted_in_the_log(admin):
    titled("Buy milk"), titled("Buy milk"), titled("Buy bread")

    with capture_logs() as lines:
        written(admin, "csv", q="milk", type="")

    [line] = [line for line in lines if line["event"] == "audit_exported"]
    assert (line["username"], line["form"], line["filter"]) == ("boss", "csv", {"q": "milk"})
    assert (line["records"], line["whole"]) == (2, True)


def test_a_file_that_nobody_took_to_its_end_is_noted_as_such(admin, monkeypatch):
    monkeypatch.setattr(exports, "_CHUNK", 1)
    record(), record(), record()
    response = admin.get(f"{LIST}export/json/")

    with capture_logs() as lines:
        pieces = iter(response.streaming_content)
        next(pieces), next(pieces), next(pieces)
        response.close()

    [line] = [line for line in lines if line["event"] == "audit_exported"]
    assert (line["records"], line["whole"]) == (1, False)


def test_more_than_a_file_should_hold_is_refused_without_a_time(admin, monkeypatch):
    monkeypatch.setattr(exports, "MAX_EXPORTED", 2)
    for _ in range(3):
        recorded_at(record(), datetime(2026, 11, 20, 8, tzinfo=UTC))

    with capture_logs() as lines:
        told = refused(admin, "kind=task")

    assert told == "That is more than 2 records: say from when to when, and export them in parts."
    assert [line for line in lines if line["event"] == "audit_exported"] == []
    assert len(as_rows(written(admin, "csv", **{"from": "2026-11-20"})[1])) == 3


def test_more_than_a_file_can_hold_is_refused_with_a_time_too(admin, monkeypatch):
    monkeypatch.setattr(exports, "MAX_EXPORTED_OF_A_TIME", 2)
    for _ in range(3):
        recorded_at(record(), datetime(2026, 11, 20, 8, tzinfo=UTC))

    assert refused(admin, "from=2026-11-01") == "That is more than 2 records: choose a shorter time."


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("actor=nobody", "actor: Nobody is called that. Type the whole username, or an id."),
        ("from=x", "from: Enter a valid date."),
        ("when=today&from=2026-11-01", "when: Choose “From, to” here, or leave From and To empty."),
        ("q=a+b+c+d+e+f+g+h+i", "Search for at most 8 words at once."),
        ("actor=boss&actor=", "actor is given more than once: which counts?"),
        ("since=2026-11-01", f"since is no filter of the trail. {KNOWN}"),
        ("bogus=1", f"bogus is no filter of the trail. {KNOWN}"),
        ("before=7", f"before is no filter of the trail. {KNOWN}"),
    ],
)
def test_filters_that_cannot_be_understood_export_nothing_and_say_why(admin, query, told):
    record()

    with capture_logs() as lines:
        assert refused(admin, query) == told

    assert [line for line in lines if line["event"] == "audit_exported"] == []


def test_a_person_is_told_on_a_page_why_nothing_was_exported(admin):
    record()

    response = admin.get(f"{LIST}export/csv/?<b>=1", headers={"Accept": "text/html,*/*;q=0.8"})

    page = response.content.decode()
    assert (response.status_code, response.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert f"<li>&lt;b&gt; is no filter of the trail. {KNOWN}</li>" in page
    assert f'href="{LIST}?%3Cb%3E=1"' in page
    assert "task.created.v1" not in page


def test_another_form_is_not_there(admin):
    assert admin.get(f"{LIST}export/xml/").status_code == 404
