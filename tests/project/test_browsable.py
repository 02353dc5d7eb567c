"""The browsable API's pages: forms for what may be sent, and for nothing else."""

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.tasks.models import Task
from tests.support.factories import person, task_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return person("ada")


@pytest.fixture
def task(owner: User) -> Task:
    return task_of(owner, title="Move house")


@pytest.fixture
def browser(owner: User) -> Client:
    client = Client(headers={"Accept": "text/html"})
    client.force_login(owner)
    return client


def page_at(browser: Client, address: str, *, status: int) -> str:
    response = browser.get(address)
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    return response.content.decode()


@pytest.mark.parametrize("verb", ["complete", "reopen", "restore", "duplicate"])
def test_a_verb_without_a_body_is_a_button(browser, task, verb):
    page = page_at(browser, f"/api/v1/tasks/{task.pk}/{verb}/", status=405)

    assert '<button class="btn btn-primary">POST</button>' in page
    assert "use the button below" in page
    assert 'name="title"' not in page
    assert 'name="_content"' not in page
    assert "HTTP 405" not in page


def test_a_verb_with_a_body_asks_for_what_it_takes(browser, task):
    page = page_at(browser, f"/api/v1/tasks/{task.pk}/snooze/", status=405)

    assert 'name="until"' in page
    assert 'name="title"' not in page


def test_the_button_of_a_verb_does_what_it_says(browser, task):
    response = browser.post(f"/api/v1/tasks/{task.pk}/complete/")

    assert response.status_code == 200
    assert Task.objects.get(pk=task.pk).status == Task.Status.COMPLETED


def test_a_task_has_forms_for_changing_and_deleting_it_and_none_for_making_one(browser, task):
    page = page_at(browser, f"/api/v1/tasks/{task.pk}/", status=200)

    assert 'data-method="PUT"' in page
    assert 'data-method="PATCH"' in page
    assert 'data-method="DELETE"' in page
    assert 'method="POST" enctype' not in page


def test_what_is_only_read_has_no_form(browser):
    page = page_at(browser, "/api/v1/audit/", status=200)

    assert ">POST</button>" not in page
    assert 'data-method="PUT"' not in page
    assert "deleteModal" not in page


@pytest.mark.parametrize("address", ["/api/v1/", "/api/v1/tasks/", "/api/v1/audit/"])
def test_each_page_leads_to_the_documentation_and_up(browser, address):
    page = page_at(browser, address, status=200)

    assert '<a href="/api/docs/">Docs</a>' in page
    assert '<a href="/api/v1/">Todo API</a>' in page


def test_the_links_of_an_answer_can_be_followed(browser, task):
    page = page_at(browser, f"/api/v1/tasks/{task.pk}/", status=200)

    assert f'<a href="http://testserver/api/v1/audit/?task={task.pk}"' in page


@pytest.mark.parametrize("address", ["/api/docs/", "/api/v1/tasks/"])
def test_no_page_runs_a_script_that_stands_in_it(browser, address):
    page = page_at(browser, address, status=200)

    scripts = [piece.partition(">")[0] for piece in page.split("<script")[1:]]
    assert scripts != []
    assert [one for one in scripts if "src=" not in one and "application/json" not in one] == []
    assert [one for one in scripts if 'src="http' in one or 'src="//' in one] == []
