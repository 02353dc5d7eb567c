"""Series over REST: read, paused, resumed, skipped and ended."""

from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from apps.recurrence import selectors, services
from apps.tasks.models import Task
from tests.recurrence.rest.monday import MONDAY, rows, types
from tests.support.factories import person
from tests.support.repeating import complete, repeating, the_series

pytestmark = pytest.mark.django_db

SERIES = "/api/v1/series/"
TASKS = "/api/v1/tasks/"
VERBS = ["pause", "resume", "skip", "end"]


def at(series, verb=""):
    return f"{SERIES}{series.pk}/{verb}"


# --- reading ----------------------------------------------------------------------------------------


def test_a_series_tells_what_it_is_and_what_comes(api, task, series):
    response = api.get(at(series))

    told = response.json()
    assert (response.status_code, response["ETag"]) == (200, '"1"')
    assert (told["id"], told["parent"], told["frequency"]) == (str(series.pk), str(task.pk), "weekly")
    assert (told["generated_count"], told["is_active"], told["is_paused"]) == (1, True, False)
    assert told["ends"] == {"count": None, "until": None}
    assert (told["ended_at"], told["ended_because"], told["why_ended"]) == (None, None, None)
    assert told["next_due"] == {
        "recurrence_id": "20260511",
        "due_at": None,
        "due_on": "2026-05-11",
        "weekday": "Monday",
        "local": "11 May",
    }
    assert [one["due_on"] for one in told["planned"]] == [
        "2026-05-11",
        "2026-05-18",
        "2026-05-25",
        "2026-06-01",
        "2026-06-08",
    ]
    assert [one["id"] for one in told["open_tasks"]] == [str(task.pk)]
    assert told["newest"]["title"] == "Water the plants"


def test_what_comes_of_a_series_is_worked_out_once(api, series, monkeypatch):
    asked, planned = [], selectors.planned

    def counted(series, **question):
        asked.append(question["most"])
        return planned(series, **question)

    monkeypatch.setattr(selectors, "planned", counted)

    told = api.get(at(series)).json()

    assert told["next_due"] == told["planned"][0]
    assert asked == [5]


def test_the_links_of_a_series_lead_somewhere(api, series):
    links = api.get(at(series)).json()["links"]

    assert links.keys() == {"parent", "newest", "recurrence", "occurrences", "audit"}
    assert [api.get(address).status_code for address in links.values()] == [200] * 5


def test_a_list_of_series_is_narrowed_to_what_goes_on_or_is_paused(api, ada, pump):
    tasks = [
        repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date(), title=title)
        for title in ("goes on", "paused", "ended")
    ]
    services.pause_series(series_id=tasks[1].series_id, actor=ada, now=MONDAY)
    services.end_series(series_id=tasks[2].series_id, actor=ada, now=MONDAY)

    def titles(**asked):
        return [one["newest"]["title"] for one in api.get(SERIES, asked).json()["results"]]

    assert titles() == ["ended", "paused", "goes on"]
    assert titles(sort="created") == ["goes on", "paused", "ended"]
    assert titles(is_active="true") == ["paused", "goes on"]
    assert titles(is_active="false") == ["ended"]
    assert titles(is_paused="true") == ["paused"]
    assert titles(is_active="true", is_paused="false") == ["goes on"]


def test_a_list_of_series_has_pages(api, ada, pump):
    made = [repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date()) for _ in range(3)]

    first = api.get(SERIES, {"page_size": 2}).json()
    second = api.get(first["next"]).json()

    told = [one["id"] for one in [*first["results"], *second["results"]]]
    assert told == [str(task.series_id) for task in reversed(made)]
    assert second["next"] is None


def test_a_list_of_series_asks_the_same_questions_however_many_there_are(api, ada, pump, django_assert_max_num_queries):
    for _ in range(5):
        repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date())

    with django_assert_max_num_queries(4):
        response = api.get(SERIES)

    assert len(response.json()["results"]) == 5


@pytest.mark.parametrize("asked", ["is_active=maybe", "active=true", "sort=title", "page_size=1000", "cursor=x"])
def test_what_is_no_question_of_the_list_is_refused(api, asked):
    assert api.get(f"{SERIES}?{asked}").status_code == 400


# --- verbs ------------------------------------------------------------------------------------------


def test_a_series_is_paused_and_resumed(api, series):
    paused, resumed = api.post(at(series, "pause/")), api.post(at(series, "resume/"))

    assert (paused.status_code, paused.json()["is_paused"], paused.json()["version"]) == (200, True, 2)
    assert (paused.json()["paused_at"], paused.json()["next_due"]) == ("2026-05-04T09:00:00Z", None)
    assert (resumed.status_code, resumed.json()["is_paused"], resumed["ETag"]) == (200, False, '"3"')
    assert types()[-2:] == ["recurrence.changed.v1", "recurrence.changed.v1"]


def test_the_next_date_is_skipped(api, series):
    response = api.post(at(series, "skip/"))

    assert (response.status_code, response.json()["next_due"]["due_on"]) == (200, "2026-05-18")
    assert types()[-1] == "recurrence.skipped.v1"


def test_a_date_that_is_named_is_skipped(api, series):
    response = api.post(at(series, "skip/"), {"recurrence_id": "20260525"})

    told = [one["recurrence_id"] for one in response.json()["planned"]]
    assert told == ["20260511", "20260518", "20260601", "20260608", "20260615"]


@pytest.mark.parametrize(
    ("named", "status"), [("20260512", 409), ("20260504T090000", 409), ("tomorrow", 400), ("20269999", 400)]
)
def test_what_is_no_date_of_the_series_is_not_skipped(api, series, named, status):
    before = rows()

    response = api.post(at(series, "skip/"), {"recurrence_id": named})

    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    assert rows() == before


def test_a_series_is_ended_and_says_why(api, series):
    response = api.post(at(series, "end/"))

    told = response.json()
    assert (response.status_code, told["is_active"], told["ended_because"]) == (200, False, "asked")
    assert (told["why_ended"], told["ended_at"]) == ("It was ended by hand.", "2026-05-04T09:00:00Z")
    assert (told["next_due"], told["planned"]) == (None, [])
    assert Task.objects.get().recurrence is None


def test_a_series_whose_last_occurrence_is_done_says_so(api, ada, pump):
    task = repeating(ada, "FREQ=WEEKLY;COUNT=1", pump=pump, now=MONDAY, due_on=MONDAY.date())
    complete(task, pump=pump, now=MONDAY)

    told = api.get(at(the_series())).json()

    assert (told["ended_because"], told["why_ended"]) == ("count", "Its last occurrence is done.")
    assert told["ends"] == {"count": 1, "until": None}
    assert told["open_tasks"] == []


@pytest.mark.parametrize(
    ("before", "verb", "sentence"),
    [
        ([], "resume", "The series is not paused, so there is nothing to resume."),
        (["pause"], "pause", "The series is paused already."),
        *((["end"], verb, "The series has ended; set a recurrence on a task to begin another.") for verb in VERBS),
    ],
)
def test_what_the_series_does_not_allow_is_a_conflict_that_says_why(api, series, before, verb, sentence):
    for earlier in before:
        api.post(at(series, f"{earlier}/"))
    kept = rows()

    response = api.post(at(series, f"{verb}/"))

    assert (response.status_code, response.json()["detail"]) == (409, sentence)
    assert rows() == kept


@pytest.mark.parametrize(("before", "verb"), [([], "pause"), (["pause"], "resume"), ([], "skip"), ([], "end")])
def test_a_verb_that_is_only_tried_changes_nothing(api, series, before, verb):
    for earlier in before:
        api.post(at(series, f"{earlier}/"))
    kept = rows()

    response = api.post(at(series, f"{verb}/") + "?dry_run=true")

    assert response.json()["dry_run"] is True
    assert response.json()["events"][0]["subject_id"] == str(series.pk)
    assert rows() == kept


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_on_what_has_changed_meanwhile_is_refused(api, series, verb):
    api.post(at(series, "pause/"))
    before = rows()

    response = api.post(at(series, f"{verb}/"), headers={"If-Match": '"1"'})

    assert (response.status_code, response.json()["current"]["version"]) == (412, 2)
    assert rows() == before


def test_a_verb_sent_twice_under_one_key_is_done_once(api, series):
    key = {"Idempotency-Key": str(uuid4())}

    answers = [api.post(at(series, "skip/"), {}, headers=key) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert answers[1]["Idempotent-Replayed"] == "true"
    assert types().count("recurrence.skipped.v1") == 1


@pytest.mark.parametrize(
    ("body", "field"), [({"when": "20260511"}, "when"), ({"recurrence_id": "x" * 33}, "recurrence_id")]
)
def test_a_field_that_is_none_is_refused_by_name(api, series, body, field):
    response = api.post(at(series, "skip/"), body)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_a_parameter_that_is_none_is_refused(api, series):
    before = rows()

    assert api.post(at(series, "end/") + "?dryrun=true").status_code == 400
    assert rows() == before


@pytest.mark.parametrize("verb", ["", "pause/", "resume/", "skip/", "end/"])
def test_another_persons_series_is_not_there(series, verb):
    eve = APIClient()
    eve.force_login(person("eve"))
    before = rows()

    response = eve.post(at(series, verb)) if verb else eve.get(at(series))

    assert response.status_code == 404
    assert rows() == before
