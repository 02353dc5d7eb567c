"""The admin's lists of tasks, lists and tags: what they find, and what finding costs."""

from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.tasks import services
from apps.tasks.admin import base
from apps.tasks.admin import filters as admin_filters
from apps.tasks.admin import tasks as admin_tasks
from apps.tasks.models import Tag, Task, TaskList
from tests.support.admin_forms import errors, save, typed
from tests.support.append_only import guards_off
from tests.support.factories import NOW, facts, person, task_of
from tests.support.patience import unhurried
from tests.support.plans import executed, nodes, rows_read

pytestmark = pytest.mark.django_db

TASKS, LISTS, TAGS = "/admin/tasks/task/", "/admin/tasks/tasklist/", "/admin/tasks/tag/"


@pytest.fixture
def boss():
    return person("boss", is_staff=True, is_superuser=True)


@pytest.fixture
def admin(client, boss):
    client.force_login(boss)
    return client


@pytest.fixture
def ada():
    return person("ada")


@pytest.fixture
def eve():
    return person("eve")


def new_list(owner, name="Home"):
    return services.create_list(owner=owner, actor=owner, name=name, now=NOW)


def new_tag(owner, name="home"):
    return services.create_tag(owner=owner, actor=owner, name=name, now=NOW)


def shown(response):
    return {str(row) for row in response.context["cl"].result_list}


def messages(response):
    return [str(message) for message in response.context["messages"]]


def queries(admin, path):
    with CaptureQueriesContext(connection) as captured:
        assert admin.get(path).status_code == 200
    return captured.captured_queries


# A hundred things of each of two hundred people.
MANY = """
INSERT INTO accounts_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
                           date_joined, time_zone)
SELECT md5(n::text)::uuid, '', false, 'one-of-many-' || n, '', '', '', false, true, now(), 'UTC'
FROM generate_series(1, 200) n;
INSERT INTO tasks_tag (id, owner_id, version, created_at, updated_at, name, folded_name)
SELECT gen_random_uuid(), md5((1 + n % 200)::text)::uuid, 1, now(), now(), md5(n::text), md5(n::text)
FROM generate_series(1, 20000) n;
INSERT INTO tasks_tasklist (id, owner_id, version, created_at, updated_at, name, position)
SELECT gen_random_uuid(), md5((1 + n % 200)::text)::uuid, 1, now(), now(), md5(n::text), n
FROM generate_series(1, 20000) n;
INSERT INTO tasks_task (id, owner_id, title, description, status, status_before_deletion, priority,
                        tag_ids, list_id, version, created_at, updated_at, position)
SELECT gen_random_uuid(), md5((1 + n % 200)::text)::uuid, md5(n::text), '', 'pending', '', 'none',
       ARRAY[gen_random_uuid()], NULL, 1, now(), now(), n
FROM generate_series(1, 20000) n;
SELECT gin_clean_pending_list('task_search'), gin_clean_pending_list('tag_by_name'),
       gin_clean_pending_list('list_by_name');
ANALYZE tasks_task, tasks_tag, tasks_tasklist, accounts_user;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""


@pytest.fixture
def crowd(db):
    with guards_off(), unhurried() as cursor:
        cursor.execute(MANY)


def most_rows_read(admin, path):
    """Of all the questions a page asks, the most rows that one scan of our tables reads."""
    asked = [query["sql"] for query in queries(admin, path) if 'FROM "tasks_' in query["sql"]]
    scans = [node for sql in asked for node in nodes(executed(sql)) if "Scan" in node["Node Type"]]
    return max(map(rows_read, scans), default=0)


# --- what is found ---


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"q": "milk"}, {"Buy milk"}),
        ({"q": "ILK"}, {"Buy milk"}),
        ({"q": "buy ada"}, {"Buy milk"}),
        ({"q": "so"}, {"Sort socks"}),
        ({"q": "whisk"}, {"Sort socks"}),
        ({"q": "ev"}, {"Sort socks", "Gone"}),
        ({"q": "milk socks"}, set()),
        ({"owner": "ada"}, {"Buy milk"}),
        ({"owner": "nobody"}, set()),
        ({"list": "home"}, {"Sort socks"}),
        ({"list": "none"}, {"Buy milk", "Gone"}),
        ({"tag": "SHOP"}, {"Buy milk"}),
        ({"tag": "shop", "owner": "eve"}, set()),
        ({"tag": "nowhere"}, set()),
        ({"due": "none"}, {"Gone"}),
        ({"due": "repeats"}, {"Buy milk"}),
        ({"due": "overdue"}, {"Buy milk"}),
        ({"due": "today"}, {"Sort socks"}),
        ({"status__exact": "deleted"}, {"Gone"}),
        ({"priority__exact": "high"}, {"Buy milk"}),
        ({"owner": "eve", "status__exact": "pending"}, {"Sort socks"}),
    ],
)
def test_tasks_are_found_by_words_and_filters(admin, ada, eve, asked, found):
    today = datetime.now(UTC).date()
    task_of(ada, tags=["shop"], priority="high", due_on=today - timedelta(days=1), recurrence="weekly")
    task_of(eve, title="Sort socks", description="The whiskered cat.", list=new_list(eve).pk, due_on=today)
    gone = task_of(eve, title="Gone")
    services.delete_task(task_id=gone.pk, actor=eve, now=NOW)

    assert shown(admin.get(TASKS, asked)) == found


def test_a_task_is_found_by_its_whole_id(admin, ada):
    task = task_of(ada)
    task_of(ada, title="Another")

    assert shown(admin.get(TASKS, {"q": str(task.pk)})) == {"Buy milk"}


def test_subtasks_are_found_by_their_parent(admin, ada):
    task = task_of(ada)
    task_of(ada, title="Find the shop", parent=task.pk)

    assert shown(admin.get(TASKS, {"parent__id__exact": str(task.pk)})) == {"Find the shop"}


@pytest.mark.parametrize(("page", "make"), [(LISTS, new_list), (TAGS, new_tag)])
def test_lists_and_tags_are_found_by_name_owner_and_id(admin, ada, eve, page, make):
    make(ada, "garden")
    house = make(eve, "Household")

    assert shown(admin.get(page, {"q": "SEHO"})) == {"Household"}
    assert shown(admin.get(page, {"q": "ho"})) == {"Household"}
    assert shown(admin.get(page, {"q": "ada"})) == {"garden"}
    assert shown(admin.get(page, {"q": str(house.pk)})) == {"Household"}
    assert shown(admin.get(page, {"owner": "eve"})) == {"Household"}
    assert shown(admin.get(page, {"q": "garden", "owner": "eve"})) == set()


def test_a_list_and_a_tag_lead_to_their_tasks(admin, ada):
    home = new_list(ada)
    new_tag(ada, "b & c")

    assert f"?list={home.pk}" in admin.get(LISTS).content.decode()
    assert "?tag=b+%26+c&amp;owner=ada" in admin.get(TAGS).content.decode()


def test_a_typed_filter_keeps_the_others(admin, ada):
    page = admin.get(TASKS, {"owner": "ada", "q": "milk", "status__exact": "pending"}).content.decode()

    assert '<input type="hidden" name="q" value="milk">' in page
    assert '<input type="hidden" name="status__exact" value="pending">' in page
    assert '<input type="text" name="owner" value="ada"' in page


@pytest.mark.parametrize("name", ["owner", "list", "tag", "due", "q"])
@pytest.mark.parametrize("value", ["\ud800", "' OR 1=1", "x" * 3000, ":*&|!", "{", "%"])
def test_nonsense_in_a_filter_finds_nothing_and_breaks_nothing(admin, ada, name, value):
    response = admin.get(f"{TASKS}?{urlencode({name: value}, errors='surrogatepass')}", follow=True)

    assert response.status_code == 200


def test_a_long_title_is_cut_so_that_the_columns_stay(admin, ada):
    task_of(ada, title="x" * 500)

    page = admin.get(TASKS).content.decode()

    assert f">{'x' * 79}…</a>" in page


@pytest.mark.parametrize(
    ("due", "told"),
    [
        ({"due_on": date(2027, 7, 1), "recurrence": "weekly"}, "2027-07-01 ↻"),
        ({"due_at": datetime(2027, 7, 1, 8, 0, tzinfo=UTC)}, "2027-07-01 08:00 UTC"),
        (
            {"due_at": datetime(2027, 6, 30, 23, 0, tzinfo=UTC), "due_time_zone": "Asia/Tokyo"},
            "2027-07-01 08:00 Asia/Tokyo",
        ),
    ],
)
def test_the_due_is_told_with_its_zone(admin, ada, due, told):
    task_of(ada, **due)

    assert f'<td class="field-due">{told}</td>' in admin.get(TASKS).content.decode()


# --- what finding costs ---


def grow(owner, *, by):
    for number in range(by):
        home = new_list(owner, "L")
        task_of(owner, title=f"Task {number}", tags=["shop", f"tag{number}"], list=home.pk, due_on=date(2026, 1, 1))


@pytest.mark.parametrize(
    ("path", "number"),
    [
        (TASKS, 8),
        (f"{TASKS}?q=task", 8),
        (f"{TASKS}?owner=ada", 8),
        (f"{TASKS}?list=L", 8),
        (f"{TASKS}?tag=shop", 8),
        (f"{TASKS}?due=overdue", 8),
        (LISTS, 5),
        (f"{LISTS}?q=l", 6),
        (TAGS, 5),
        (f"{TAGS}?q=tag", 6),
    ],
)
def test_a_page_asks_the_same_number_of_questions_however_much_there_is(admin, ada, eve, path, number):
    grow(ada, by=2)
    grow(eve, by=1)
    few = len(queries(admin, path))
    grow(ada, by=10)
    grow(eve, by=10)

    assert (few, len(queries(admin, path))) == (number, number)


SEARCHED = [
    f"{TASKS}?q=milk",
    f"{TASKS}?q=mi",
    f"{TASKS}?q=ada",
    f"{TASKS}?q=milk+ada",
    f"{TASKS}?owner=ada",
    f"{TASKS}?tag=shop",
    f"{TASKS}?list=home",
    f"{LISTS}?q=home",
    f"{LISTS}?q=ho",
    f"{LISTS}?q=ada",
    f"{TAGS}?q=shop",
    f"{TAGS}?q=sh",
    f"{TAGS}?owner=ada",
    LISTS,
    TAGS,
]


def test_no_page_reads_more_than_what_it_looks_for(crowd, admin, ada):
    task_of(ada, tags=["shop"], list=new_list(ada, "home").pk)

    # The paginator's count is the most: it stops where it is told to.
    assert {path: most for path in SEARCHED if (most := most_rows_read(admin, path)) > base.MAX_COUNTED + 1} == {}


def test_without_its_index_a_search_reads_everything(crowd, admin, ada):
    """The negative control: the measure sees what an index is for."""
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX list_by_name; DROP INDEX task_search")

    assert [most_rows_read(admin, path) >= 20_000 for path in [f"{TASKS}?q=milk", f"{LISTS}?q=home"]] == [True, True]


def test_filters_alone_read_the_newest_and_no_further(crowd, admin, monkeypatch):
    monkeypatch.setattr(admin_tasks, "NEWEST", 100)

    paths = [
        f"{TASKS}?status__exact=completed",
        f"{TASKS}?priority__exact=high",
        f"{TASKS}?due=today",
        f"{TASKS}?due=repeats",
    ]
    assert {path: most for path in paths if (most := most_rows_read(admin, path)) > 100} == {}


def test_without_a_narrower_choice_filters_look_at_the_newest_only(admin, ada, monkeypatch):
    monkeypatch.setattr(admin_tasks, "NEWEST", 2)
    for title in ["Oldest", "Older", "Newest"]:
        task_of(ada, title=title)

    assert shown(admin.get(TASKS, {"status__exact": "pending"})) == {"Older", "Newest"}
    assert shown(admin.get(TASKS, {"status__exact": "pending", "owner": "ada"})) == {"Oldest", "Older", "Newest"}


def test_no_page_counts_further_than_it_must(admin, ada, monkeypatch):
    monkeypatch.setattr(base, "MAX_COUNTED", 2)
    for title in ["One", "Two", "Three"]:
        task_of(ada, title=title)

    response = admin.get(TASKS, {"q": "ada"})

    assert response.context["cl"].paginator.num_pages == 1
    assert "more than 2 results" in response.content.decode()


def test_a_name_that_very_many_have_asks_for_an_owner(admin, ada, eve, monkeypatch):
    monkeypatch.setattr(admin_filters, "MAX_NAMESAKES", 1)
    task_of(ada, tags=["shop"])
    task_of(eve, title="Sell milk", tags=["shop"])

    too_many, one = admin.get(TASKS, {"tag": "shop"}), admin.get(TASKS, {"tag": "shop", "owner": "eve"})

    assert messages(too_many) == ["More than 1 people have one of that name; name an owner to see all of theirs."]
    assert (messages(one), shown(one)) == ([], {"Sell milk"})


# --- what is done ---


def test_deleting_many_tasks_asks_first_and_deletes_nothing_until_then(admin, ada):
    task = task_of(ada)
    asked = {"action": "put_away", "_selected_action": [str(task.pk)]}

    page = admin.post(TASKS, asked).content.decode()
    before = Task.objects.get().status
    admin.post(TASKS, asked | {"confirmed": "yes"})

    assert "Delete 1 task and what is part of it?" in page
    assert (before, Task.objects.get().status) == ("pending", "deleted")


def test_more_than_can_be_changed_at_once_are_all_refused(admin, ada, monkeypatch):
    monkeypatch.setattr(admin_tasks, "MAX_AT_ONCE", 1)
    ids = [str(task_of(ada, title=title).pk) for title in ["One", "Two"]]

    response = admin.post(TASKS, {"action": "put_away", "_selected_action": ids}, follow=True)

    assert messages(response) == ["At most 1 at once: nothing was deleted."]
    assert set(Task.objects.values_list("status", flat=True)) == {"pending"}


def test_a_task_with_subtasks_can_be_deleted_with_them(admin, ada):
    task = task_of(ada)
    task_of(ada, title="Find the shop", parent=task.pk)

    admin.post(reverse("admin:tasks_task_delete", args=[task.pk]), {"post": "yes"})

    assert set(Task.objects.values_list("status", flat=True)) == {"deleted"}


def test_who_may_only_look_is_offered_no_action(client, ada):
    looker = person("looker", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_task"))
    client.force_login(looker)
    task = task_of(ada)

    page = client.get(TASKS)
    client.post(TASKS, {"action": "put_away", "_selected_action": [str(task.pk)], "confirmed": "yes"})

    assert page.context["action_form"] is None
    assert Task.objects.get().status == "pending"


@pytest.mark.parametrize(
    ("page", "model", "kind"), [(LISTS, TaskList, "list"), (TAGS, Tag, "tag")], ids=["list", "tag"]
)
def test_lists_and_tags_are_made_changed_and_deleted_by_events_of_the_admin(admin, boss, ada, page, model, kind):
    save(admin, f"{page}add/", owner=str(ada.pk), name="Home")
    one = model.objects.get()
    save(admin, f"{page}{one.pk}/change/", name="House")
    changed = model.objects.get()
    save(admin, f"{page}{one.pk}/change/")
    admin.post(f"{page}{one.pk}/delete/", {"post": "yes"})

    told = [(event.type, event.actor_id, event.owner_id) for event in facts()]
    assert told == [(f"{kind}.{done}.v1", boss.pk, ada.pk) for done in ["created", "updated", "deleted"]]
    assert (changed.name, changed.version, model.objects.count()) == ("House", 2, 0)


@pytest.mark.parametrize(("tasks", "status"), [("keep", "pending"), ("delete", "deleted")])
def test_the_tasks_of_a_deleted_list_stay_or_go_as_chosen(admin, ada, tasks, status):
    home = new_list(ada)
    task_of(ada, list=home.pk)

    page = admin.get(f"{LISTS}{home.pk}/delete/").content.decode()
    admin.post(f"{LISTS}{home.pk}/delete/", {"post": "yes", "tasks": tasks})

    task = Task.objects.get()
    assert 'value="keep" checked' in page
    assert (task.status, task.list_id, TaskList.objects.count()) == (status, None, 0)


def test_a_list_of_too_many_tasks_is_not_deleted_and_the_reason_is_told(admin, ada, monkeypatch):
    monkeypatch.setattr("apps.tasks.services.lists.MAX_TASKS_AT_ONCE", 0)
    home = new_list(ada)
    task_of(ada, list=home.pk)

    response = admin.post(f"{LISTS}{home.pk}/delete/", {"post": "yes"}, follow=True)

    assert [message.partition(",")[0] for message in messages(response)] == [
        "The list has more than 0 tasks and subtasks"
    ]
    assert (TaskList.objects.count(), Task.objects.get().list_id) == (1, home.pk)


def test_a_tag_that_is_there_already_is_refused_beside_its_name(admin, ada):
    new_tag(ada, "home")
    shop = new_tag(ada, "shop")

    for response in [
        save(admin, f"{TAGS}add/", owner=str(ada.pk), name="HOME"),
        save(admin, f"{TAGS}{shop.pk}/change/", name="HOME"),
    ]:
        assert errors(response) == {"name": ["There is a tag HOME already; case does not tell tags apart."]}
        assert 'value="HOME"' in response.content.decode()

    assert list(Tag.objects.values_list("name", "version")) == [("home", 1), ("shop", 1)]


def test_a_list_changed_meanwhile_is_told_and_not_changed(admin, ada):
    home = new_list(ada)
    sent = typed(admin, f"{LISTS}{home.pk}/change/", name="House")
    services.update_list(list_id=home.pk, actor=ada, changes={"name": "Flat"}, now=NOW)

    response = admin.post(f"{LISTS}{home.pk}/change/", sent)

    told = "It has changed since you read it: it is at version 2 now. Save again to write over it what differs here."
    assert errors(response) == {"__all__": [told]}
    assert TaskList.objects.get().name == "Flat"
