"""Signing in and out, and what a person sees at home."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.tasks import services
from tests.support.factories import NOW, person, task_of
from tests.support.notified import told

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return person("ada", time_zone="Europe/London")


@pytest.fixture
def browser(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return client


def sign_in(client: Client, *, password: str, **more: str) -> str:
    response = client.post("/sign-in/", {"username": "ada", "password": password, **more}, follow=True)
    return str(response.content.decode())


def test_a_stranger_is_welcomed_and_shown_the_doors() -> None:
    page = Client().get("/").content.decode()

    assert "<h1>Tasks that are right.</h1>" in page
    assert 'href="/sign-in/"' in page
    assert 'href="/admin/"' not in page


def test_the_right_password_leads_home(ada: User) -> None:
    page = sign_in(Client(), password="a-good-password")

    assert "<h1>Open tasks</h1>" in page
    assert '<span class="person" title="Signed in">ada</span>' in page


def test_a_wrong_password_is_told_and_signs_nobody_in(ada: User) -> None:
    client = Client()

    page = sign_in(client, password="wrong")

    assert '<p class="error" role="alert">No account has this username and password.' in page
    assert "_auth_user_id" not in client.session


def test_signing_in_goes_on_to_where_one_wanted_to_go(ada: User) -> None:
    client = Client()

    response = client.post("/sign-in/", {"username": "ada", "password": "a-good-password", "next": "/api/v1/audit/"})

    assert response.headers["Location"] == "/api/v1/audit/"


def test_signing_in_never_leads_to_another_site(ada: User) -> None:
    response = Client().post(
        "/sign-in/", {"username": "ada", "password": "a-good-password", "next": "https://evil.example/"}
    )

    assert response.headers["Location"] == "/"


def test_who_is_signed_in_already_goes_home(browser: Client) -> None:
    assert browser.get("/sign-in/").headers["Location"] == "/"


def test_signing_out_takes_a_post_and_ends_the_session(browser: Client) -> None:
    assert browser.get("/sign-out/").status_code == 405
    assert "_auth_user_id" in browser.session

    assert browser.post("/sign-out/").headers["Location"] == "/sign-in/"
    assert "_auth_user_id" not in browser.session


def test_home_shows_only_ones_own_tasks(browser: Client, ada: User) -> None:
    task_of(ada, title="Mine")
    task_of(person("grace"), title="Theirs")

    page = browser.get("/").content.decode()

    assert "Mine" in page
    assert "Theirs" not in page


def test_home_shows_only_what_is_still_to_do(browser: Client, ada: User) -> None:
    done, gone = task_of(ada, title="Done already"), task_of(ada, title="Gone already")
    services.complete_task(task_id=done.pk, actor=ada, now=datetime.now(UTC))
    services.delete_task(task_id=gone.pk, actor=ada, now=datetime.now(UTC))

    page = browser.get("/").content.decode()

    assert "already" not in page
    assert "Nothing to do." in page


def test_home_tells_times_by_the_persons_own_clock(browser: Client, ada: User) -> None:
    task_of(ada, title="Summer", due_at=datetime(2027, 7, 1, 8, 0, tzinfo=UTC))

    assert "Thu 1 Jul 2027, 09:00" in browser.get("/").content.decode()


def test_home_shows_days_lists_tags_and_that_a_task_repeats(browser: Client, ada: User) -> None:
    home = services.create_list(owner=ada, actor=ada, name="Home <3", now=NOW)
    task_of(ada, due_on=date(2027, 7, 1), recurrence="weekly", list=home.pk, tags=["shop", "b & c"])

    page = browser.get("/").content.decode()

    assert '<time datetime="2027-07-01">Thu 1 Jul 2027</time>' in page
    assert 'title="every week"' in page
    assert "FREQ" not in page
    assert "Home &lt;3" in page
    assert "#b &amp; c" in page
    assert "#shop" in page


def test_home_shows_a_subtask_beneath_its_parent_or_says_what_it_is_part_of(browser: Client, ada: User) -> None:
    party = task_of(ada, title="Party")
    task_of(ada, title="Cake", parent=party.pk)
    task_of(ada, title="Invitations", parent=party.pk, due_on=date(2026, 1, 1))

    page = browser.get("/").content.decode()

    assert page.count("part of Party") == 1
    assert (
        page.index("Invitations") < page.index("part of Party") < page.index("Subtasks of Party") < page.index("Cake")
    )


def test_home_asks_as_many_questions_however_much_there_is(browser: Client, ada: User) -> None:
    def fill(number: int) -> None:
        home = services.create_list(owner=ada, actor=ada, name="Home", now=NOW)
        parent = task_of(ada, title=f"Parent {number}", list=home.pk, tags=[f"tag{number}"])
        task_of(ada, title="Below", parent=parent.pk, tags=["shop"])

    fill(0)
    with CaptureQueriesContext(connection) as few:
        browser.get("/")
    for number in range(1, 10):
        fill(number)
    with CaptureQueriesContext(connection) as many:
        browser.get("/")

    assert (len(few), len(many)) == (5, 5)


def test_a_title_is_shown_as_text_never_as_markup(browser: Client, ada: User) -> None:
    task_of(ada, title="<script>alert(1)</script>")

    page = browser.get("/").content.decode()

    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_home_shows_the_next_fifty_and_says_that_there_are_more(browser: Client, ada: User) -> None:
    for number in range(51):
        task_of(ada, title=f"Task {number}.", due_at=datetime.now(UTC) + timedelta(days=2, minutes=number))

    page = browser.get("/").content.decode()

    assert "The first 50, next due first" in page
    assert "Task 49." in page
    assert "Task 50." not in page


def test_doors_lead_to_what_repeats_and_to_trying_it(browser: Client) -> None:
    page = browser.get("/").content.decode()
    stranger = Client().get("/").content.decode()
    series, tried = "/api/v1/series/", "/api/v1/recurrence/preview/?recurrence=every+month+on+the+last+workday"

    assert (f'href="{series}"' in page, f'href="{tried}"' in page) == (True, True)
    assert [browser.get(address).status_code for address in (series, tried)] == [200, 200]
    assert "/api/v1/series/" not in stranger


def test_doors_lead_to_what_one_is_told_with_how_much_of_it_is_unread(browser: Client, ada: User) -> None:
    before = browser.get("/").content.decode()
    told(ada)
    told(ada)
    told(ada, status="read")
    told(person("eve"))

    page = browser.get("/").content.decode()

    doors = ["notifications/", "reminders/?waits=true&sort=trigger", "notification-preferences/", "webhooks/"]
    assert [door for door in doors if f'href="/api/v1/{door.replace("&", "&amp;")}"' not in page] == []
    assert [browser.get(f"/api/v1/{door}").status_code for door in doors] == [200] * 4
    assert "unread" not in before
    assert 'Notifications <span class="count">2<span class="for-readers"> unread</span>' in page


def test_who_follows_a_link_of_a_mail_signs_in_first_and_gets_there(ada: User) -> None:
    client = Client()

    sent_on = client.get("/api/v1/tasks/?status=pending", headers={"Accept": "text/html,*/*;q=0.8"})
    arrived = client.post(
        sent_on.headers["Location"],
        {"username": "ada", "password": "a-good-password", "next": "/api/v1/tasks/?status=pending"},
    )

    assert (sent_on.status_code, sent_on.headers["Location"]) == (
        302,
        "/sign-in/?next=%2Fapi%2Fv1%2Ftasks%2F%3Fstatus%3Dpending",
    )
    assert "no-store" in sent_on.headers["Cache-Control"]
    assert arrived.headers["Location"] == "/api/v1/tasks/?status=pending"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("get", {"Accept": "*/*"}),
        ("get", {"Accept": "application/json"}),
        ("get", {}),
        ("post", {"Accept": "text/html"}),
        ("get", {"Accept": "text/html", "Authorization": "Bearer nonsense"}),
    ],
)
def test_a_program_that_is_not_signed_in_is_told_so(method: str, headers: dict[str, str]) -> None:
    response = getattr(Client(), method)("/api/v1/lists/", headers=headers)

    assert response.status_code == 401


def test_only_staff_see_the_door_to_the_admin(browser: Client) -> None:
    staff = Client()
    staff.force_login(person("root", is_staff=True))

    assert 'href="/admin/"' not in browser.get("/").content.decode()
    assert 'href="/admin/"' in staff.get("/").content.decode()


def test_the_admin_and_the_browsable_api_wear_our_name(browser: Client) -> None:
    admin_page = Client().get("/admin/login/").content.decode()
    api_page = browser.get("/api/v1/tasks/", headers={"Accept": "text/html"}).content.decode()

    assert "Todo admin" in admin_page
    assert "web/admin.css" in admin_page
    assert "<title>Tasks · Todo API</title>" in api_page
    assert 'action="/sign-out/"' in api_page


def test_the_documentation_of_the_api_loads_its_script_from_a_file() -> None:
    page = Client().get("/api/docs/").content.decode()
    script = Client().get("/api/docs/?script=")

    assert '<script src="/api/docs/?script="></script>' in page
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert 'url: "/api/schema/"' in script.content.decode()


@pytest.mark.parametrize("name", ["mark.svg", "palette.css", "site.css", "admin.css", "api.css", "api_docs.css"])
def test_every_file_a_page_asks_for_is_there(name: str) -> None:
    assert finders.find(f"web/{name}") is not None
