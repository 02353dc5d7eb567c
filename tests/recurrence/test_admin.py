"""Series in the admin: for looking; paused, resumed and ended by the services, after a question."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.urls import reverse

from apps.recurrence import services
from apps.recurrence.admin import series as series_admin
from apps.recurrence.admin import steering
from apps.recurrence.models import LOOKS_AT, Occurrence, Series
from apps.tasks import services as task_services
from apps.tasks.models import Task
from tests.support.factories import facts, person
from tests.support.repeating import complete, open_tasks, repeating, the_series

pytestmark = pytest.mark.django_db

LIST = "/admin/recurrence/series/"
OCCURRENCES = "/admin/recurrence/occurrence/"
MONDAY = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def on_monday(time_machine):
    time_machine.move_to(MONDAY, tick=False)


@pytest.fixture
def admin(client):
    client.force_login(person("boss", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def looker(client):
    """May look at series, and no more."""
    one = person("looker", is_staff=True)
    one.user_permissions.set(Permission.objects.filter(codename__in=["view_series", "view_occurrence"]))
    client.force_login(one)
    return client


@pytest.fixture
def ada():
    return person("ada", time_zone="Europe/Berlin")


@pytest.fixture
def task(ada, pump):
    return repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date())


def page_of(series_id):
    return reverse("admin:recurrence_series_change", args=[series_id])


def shown(response):
    return response.content.decode()


def types():
    return list(facts().values_list("type", flat=True))


def titles(client, **asked):
    response = client.get(LIST, asked)
    return [series_admin.selectors.newest_task(one).title for one in response.context["cl"].result_list]


def act(client, action, *tasks, confirmed="yes"):
    asked = {"action": action, "_selected_action": [str(task.series_id) for task in tasks], "confirmed": confirmed}
    return client.post(LIST, asked)


def told(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


# --- looking ----------------------------------------------------------------------------------------


def test_a_series_is_shown_with_its_tasks_and_what_comes(admin, task, pump):
    complete(task, pump=pump, now=MONDAY)
    (following,) = open_tasks()

    page = shown(admin.get(page_of(task.series_id)))

    assert "every week" in page
    assert "<li>Monday 18 May</li>" in page
    assert reverse("admin:tasks_task_change", args=[following.pk]) in page
    assert "<td>1</td><td>Mon 2026-05-04</td>" in page
    assert f"?subject={task.series_id}" in page


def test_a_list_shows_each_series_by_its_task(admin, task):
    page = shown(admin.get(LIST))

    assert "Water the plants" in page
    assert "2026-05-11" in page
    assert "goes on" in page


def test_a_series_whose_task_is_gone_is_shown(admin, ada, task):
    task_services.delete_task(task_id=task.pk, actor=ada, now=MONDAY)
    task_services.purge_deleted_tasks(now=datetime(2026, 7, 1, tzinfo=UTC))
    assert Task.objects.count() == 0

    assert "gone for good" in shown(admin.get(page_of(task.series_id)))
    assert f"series {task.series_id}" in shown(admin.get(LIST))


def test_a_series_that_is_not_there_is_no_fault(admin, task):
    response = admin.get(page_of(task.pk))

    assert response.status_code == 302


def test_the_list_is_narrowed(admin, ada, pump):
    tasks = [
        repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date(), title=title)
        for title in ("goes on", "paused", "ended")
    ]
    repeating(person("eve"), "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date(), title="of eve")
    services.pause_series(series_id=tasks[1].series_id, actor=ada, now=MONDAY)
    services.end_series(series_id=tasks[2].series_id, actor=ada, now=MONDAY)

    assert titles(admin) == ["of eve", "ended", "paused", "goes on"]
    assert titles(admin, state="goes_on") == ["of eve", "goes on"]
    assert titles(admin, state="paused") == ["paused"]
    assert titles(admin, state="ended") == ["ended"]
    assert titles(admin, because="asked") == ["ended"]
    assert titles(admin, because="count") == []
    assert titles(admin, owner="eve") == ["of eve"]
    assert titles(admin, q="ad") == ["ended", "paused", "goes on"]
    assert titles(admin, q=str(tasks[0].series_id)) == ["goes on"]
    assert titles(admin, q=str(tasks[1].pk)) == ["paused"]
    assert titles(admin, q="plants") == []


def test_without_an_owner_the_newest_series_are_looked_at(admin, ada, pump, monkeypatch):
    for title in ("old", "new"):
        repeating(ada, "weekly", pump=pump, now=MONDAY, due_on=MONDAY.date(), title=title)
    monkeypatch.setattr(series_admin, "NEWEST", 1)

    assert titles(admin, state="goes_on") == ["new"]
    assert titles(admin, state="goes_on", owner="ada") == ["new", "old"]


def test_a_page_shows_the_newest_occurrences_only(admin, task, pump, monkeypatch):
    complete(task, pump=pump, now=MONDAY)
    monkeypatch.setattr(series_admin, "OCCURRENCES_SHOWN", 1)

    page = shown(admin.get(page_of(task.series_id)))

    assert "<td>2</td><td>Mon 2026-05-11</td>" in page
    assert "<td>1</td>" not in page


def test_occurrences_are_listed_and_found(admin, task, pump):
    complete(task, pump=pump, now=MONDAY)

    def numbers(**asked):
        return [one.number for one in admin.get(OCCURRENCES, asked).context["cl"].result_list]

    assert numbers() == [2, 1]
    assert numbers(series__id__exact=str(task.series_id)) == [2, 1]
    assert numbers(q=str(task.pk)) == [1]
    assert numbers(q=str(task.series_id)) == [2, 1]
    assert numbers(q="plants") == []


def test_an_occurrence_is_shown(admin, task):
    one = Occurrence.objects.get()

    page = shown(admin.get(reverse("admin:recurrence_occurrence_change", args=[one.pk])))

    assert page_of(task.series_id) in page
    assert "Mon 2026-05-04" in page


def test_occurrences_are_listed_with_the_titles_of_their_tasks(admin, task, pump, django_assert_max_num_queries):
    complete(task, pump=pump, now=MONDAY)

    with django_assert_max_num_queries(9):
        page = shown(admin.get(OCCURRENCES))

    assert page.count(">Water the plants</a>") == 2


def test_dates_are_shown_as_a_person_reads_them(admin, ada, pump):
    weekly = {"rule": "weekly", "exdates": ["20260518T110000"]}
    task = repeating(ada, weekly, pump=pump, now=MONDAY, due_at=MONDAY)
    services.skip_occurrence(series_id=task.series_id, actor=ada, now=MONDAY)

    page = shown(admin.get(page_of(task.series_id)))

    assert "Monday 4 May at 11:00" in page
    assert "Monday 11 May at 11:00, Monday 18 May at 11:00" in page
    assert "20260518" not in page.partition("<pre>")[0] + page.partition("</pre>")[2]
    assert LOOKS_AT in page
    assert "Mon 2026-05-25 11:00 Europe/Berlin" in shown(admin.get(LIST))


def test_a_series_that_makes_no_more_while_so_many_are_open_says_so(admin, ada, pump, monkeypatch):
    task = repeating(ada, {"rule": "weekly", "catch_up": "all"}, pump=pump, now=MONDAY, due_on=MONDAY.date())
    assert "goes on" in shown(admin.get(page_of(task.series_id)))

    monkeypatch.setattr(series_admin.selectors, "MOST_OPEN", 1)
    page = shown(admin.get(page_of(task.series_id)))

    assert "full: 1 of its tasks are open, and the next comes when one of them is done" in page
    assert "goes on" not in page


def test_the_page_of_a_task_leads_to_its_series(admin, task):
    assert page_of(task.series_id) in shown(admin.get(reverse("admin:tasks_task_change", args=[task.pk])))


def test_the_history_of_a_series_is_its_trail(admin, task):
    response = admin.get(reverse("admin:recurrence_series_history", args=[task.series_id]))

    assert response.url == f"/admin/audit/auditrecord/?subject={task.series_id}"


# --- doing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "action", "done", "last"),
    [
        ([], "pause", "1 paused.", "recurrence.changed.v1"),
        (["pause"], "resume", "1 resumed.", "recurrence.changed.v1"),
        # What is open repeats no more: the last that is told.
        ([], "end", "1 ended.", "task.updated.v1"),
    ],
)
def test_an_action_does_its_verb_by_the_services(admin, ada, task, before, action, done, last):
    for earlier in before:
        getattr(services, f"{earlier}_series")(series_id=task.series_id, actor=ada, now=MONDAY)

    response = act(admin, action, task)

    assert told(response) == [done]
    assert types()[-1] == last


@pytest.mark.parametrize("action", ["pause", "end"])
def test_an_action_asks_first(admin, task, action):
    before = (types(), the_series().version)

    page = shown(act(admin, action, task, confirmed=""))

    assert f"Yes, {action} it" in page
    assert "Water the plants: every week" in page
    assert (types(), the_series().version) == before


def test_what_a_series_does_not_allow_is_told(admin, ada, task, pump):
    other = repeating(ada, "daily", pump=pump, now=MONDAY, due_on=MONDAY.date(), title="Other")
    services.pause_series(series_id=task.series_id, actor=ada, now=MONDAY)

    response = act(admin, "pause", task, other)

    assert told(response) == ["Water the plants: The series is paused already.", "1 paused."]


def test_only_so_many_are_done_at_once(admin, ada, pump, monkeypatch):
    tasks = [repeating(ada, "daily", pump=pump, now=MONDAY, due_on=MONDAY.date()) for _ in range(2)]
    monkeypatch.setattr(steering, "MAX_AT_ONCE", 1)

    response = act(admin, "end", *tasks)

    assert told(response) == ["At most 1 at once: nothing was ended."]
    assert Series.objects.filter(ended_at=None).count() == 2


@pytest.mark.parametrize(
    ("before", "offered"), [([], {"pause", "end"}), (["pause"], {"resume", "end"}), (["end"], set())]
)
def test_a_page_offers_what_is_possible(admin, ada, task, before, offered):
    for earlier in before:
        getattr(services, f"{earlier}_series")(series_id=task.series_id, actor=ada, now=MONDAY)

    page = shown(admin.get(page_of(task.series_id)))

    assert {verb for verb in ("pause", "resume", "end") if f'name="action" value="{verb}"' in page} == offered


# --- who may ----------------------------------------------------------------------------------------


def test_who_may_only_look_looks(looker, task):
    page = shown(looker.get(page_of(task.series_id)))

    assert "every week" in page
    assert 'name="action"' not in page


@pytest.mark.parametrize("action", ["pause", "resume", "end"])
def test_who_may_only_look_does_nothing(looker, task, action):
    before = types()

    act(looker, action, task)

    assert types() == before


def test_nobody_adds_changes_or_deletes_rows(admin, task):
    before = list(Series.objects.values())

    answers = [
        admin.post(f"{LIST}add/", {}),
        admin.post(page_of(task.series_id), {"start": "20300101"}),
        admin.post(reverse("admin:recurrence_series_delete", args=[task.series_id]), {"post": "yes"}),
        admin.post(f"{OCCURRENCES}add/", {}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert list(Series.objects.values()) == before
    assert "delete_selected" not in shown(admin.get(LIST))


def test_who_has_no_right_sees_nothing(client, task):
    client.force_login(person("nobody", is_staff=True))

    assert [client.get(address).status_code for address in (LIST, OCCURRENCES, page_of(task.series_id))] == [403] * 3
