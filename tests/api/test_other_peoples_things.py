"""Nobody reaches what is another person's: not by a path, not by a body, not by a filter.

The routes come from the OpenAPI document, so a new one is walked without being named here. One with a path
parameter, an id in its body or a filter that nothing is prepared for fails.
"""

import json
import re
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.contrib.admindocs.views import simplify_regex
from django.db import transaction
from django.urls import URLPattern, get_resolver
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from apps.accounts import credentials, jwts
from apps.audit import paging, selectors
from apps.audit.models import AuditRecord
from apps.audit.subscribers import group
from apps.events import handling
from apps.notifications.selectors import endpoints, inbox, reminders, whose
from apps.notifications.serializers.examples import SUBSCRIPTIONS
from apps.notifications.services import push, webhooks
from apps.recurrence.models import Series
from apps.tasks import services
from apps.tasks.models import EventedQuerySet
from tests.notifications.rest import made
from tests.support.factories import NOW, event, person, task_of
from tests.support.pump import fresh_pump

pytestmark = pytest.mark.django_db

DOCUMENT = SchemaGenerator().get_schema(request=None, public=True)
OPERATIONS = [(method, path, one) for path, methods in DOCUMENT["paths"].items() for method, one in methods.items()]
# Whoever comes here is nobody yet.
OPEN = {
    "/api/v1/auth/token/",
    "/api/v1/auth/refresh/",
    "/health/",
    "/health/live/",
    "/health/ready/",
}
# An id inside these is a part of the thing itself.
PARTS = {"reminders"}


class Things:
    """One of everything that a person can have."""

    def __init__(self, owner):
        acting = {"owner": owner, "actor": owner, "now": NOW}
        self.owner = owner
        self.list = services.create_list(**acting, name=f"List of {owner}")
        self.tag = services.create_tag(**acting, name=f"tag-of-{owner}")
        self.parent = task_of(owner, title=f"Parent of {owner}")
        self.task = task_of(
            owner,
            title=f"Task of {owner}",
            tags=[self.tag.name],
            list=self.list.pk,
            parent=self.parent.pk,
            due_at=datetime(2027, 1, 1, tzinfo=UTC),
            recurrence="weekly",
            reminders=[{"before_due": "PT30M"}],
        )
        with fresh_pump() as pump:
            pump.run()
        self.series = Series.objects.get(pk=self.task.series_id)
        self.token = credentials.create_personal_token(
            user=owner, name=f"Token of {owner}", scopes=["read"], expires_at=None, now=datetime.now(UTC)
        ).row
        self.sign_in = credentials.start_sign_in(user=owner, now=datetime.now(UTC))
        (self.reminder,) = self.task.reminders
        self.notification = made.notification(owner, task_id=self.task.pk, reminder_id=self.reminder["id"], now=NOW)
        self.mail = made.delivery(self.notification, status="failed", now=NOW)
        self.webhook = webhooks.create(owner=owner, url=f"https://example.org/{owner}", now=NOW).endpoint
        self.sent = made.delivery(
            self.notification,
            transport="webhook",
            destination=str(self.webhook.pk),
            status="delivered",
            content={"to": str(owner)},
            now=NOW,
        )
        browser = SUBSCRIPTIONS[0].value
        address = f"{browser['endpoint']}-{owner}"
        self.browser = push.subscribe(owner=owner, endpoint=address, now=NOW, **browser["keys"])
        one = event(owner_id=owner.pk, subject_id=self.task.pk)
        handling.handle(group, [one])
        self.record = AuditRecord.objects.get(event_id=one.id)

    def in_path(self):
        """The id for each parameter of a path, by the word before it."""
        return {
            ("audit", "id"): self.record.pk,
            ("deliveries", "delivery_id"): self.sent.pk,
            ("lists", "list_id"): self.list.pk,
            ("notifications", "notification_id"): self.notification.pk,
            ("reminders", "reminder_id"): self.reminder["id"],
            ("series", "series_id"): self.series.pk,
            ("subscriptions", "subscription_id"): self.browser.pk,
            ("tags", "tag_id"): self.tag.pk,
            ("tasks", "task_id"): self.task.pk,
            ("tokens", "token_id"): self.token.pk,
            ("webhooks", "webhook_id"): self.webhook.pk,
        }

    def in_body(self):
        """What names a thing in a body, by the name of the field."""
        named = {"list": self.list, "parent": self.parent, "delivery": self.sent}
        return {name: str(one.pk) for name, one in named.items()} | {"tasks": [str(self.task.pk)]}

    def in_query(self):
        """What each filter can name of a person's; none for what only says how to look."""
        return {
            "list": [str(self.list.pk), "none"],
            "parent": [str(self.parent.pk), "none"],
            "tag": [self.tag.name],
            "tag_all": [self.tag.name],
            "search": [self.task.title, self.tag.name, str(self.owner)],
            "task": [str(self.task.pk)],
            "subject": [str(self.task.pk)],
            "subject_type": ["task"],
            "actor": [str(self.record.actor_id), "me"],
            "owner": [str(self.owner.pk), "me"],
            "type": ["task.created.v1", "task."],
            "correlation": [self.record.correlation_id],
            "causation": [str(self.record.causation_id or self.record.event_id)],
            "from": ["2026-11-20"],
            "to": ["2026-11-20"],
            "readable": ["true", "false"],
            "chain": [str(self.record.chain)],
            "sequence": [str(self.record.sequence)],
            "q": ["buy"],
            "due_from": ["2026-12-31"],
            "due_to": ["2027-01-02"],
            "no_due": ["true", "false"],
            "overdue": ["true", "false"],
            "recurring": ["true", "false"],
            "is_active": ["true", "false"],
            "is_paused": ["true", "false"],
            "priority": ["none"],
            "status": ["pending"],
            "page_size": ["100"],
            "sort": ["-created", "created"],
            "kind": ["reminder"],
            "delivery": ["failed"],
            "in_inbox": ["true", "false"],
            "waits": ["true", "false"],
            "reminder": [self.reminder["id"]],
            "origin": ["asked"],
            ("/api/v1/reminders/", "status"): ["planned"],
            ("/api/v1/reminders/", "sort"): ["-trigger", "trigger"],
            ("/api/v1/reminders/", "to"): ["2027-01-02"],
            ("/api/v1/notifications/", "status"): ["unread", "failed"],
            ("/api/v1/audit/", "sort"): ["-recorded", "occurred"],
            ("/api/v1/audit/", "list"): [str(self.list.pk)],
            ("/api/v1/audit/", "tag"): [str(self.tag.pk)],
        }

    def beside(self, name):
        """What a filter needs beside it."""
        return {"chain": str(self.record.chain)} if name == "sequence" else {}

    def ids(self):
        things = [self.owner, self.list, self.tag, self.parent, self.task, self.series, self.token]
        things += [self.notification, self.mail, self.webhook, self.sent, self.browser]
        return {str(self.record.event_id), self.reminder["id"], *(str(one.pk) for one in things)}


@pytest.fixture
def ada():
    return Things(person("ada"))


@pytest.fixture
def eve():
    return Things(person("eve"))


@pytest.fixture
def api(ada):
    return client_of(ada)


def client_of(things):
    client = APIClient()
    client.force_login(things.owner)
    return client


def everything():
    """Every row of every table of ours."""
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values())
        for model in apps.get_models()
        if model.__module__.startswith("apps.")
    }


def placed(path, things):
    """A path with the ids of somebody's things. `KeyError` where nothing is prepared for a parameter."""
    ids = things.in_path()
    return re.sub(r"([\w-]+)/\{(\w+)\}", lambda found: f"{found[1]}/{ids[found[1], found[2]]}", path)


def body_of(operation):
    """The first example of a request's body."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return next(iter(content.get("examples", {}).values()), {}).get("value")


def fields_of(operation):
    """The fields of a request's body, with what the document says of each."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return DOCUMENT["components"]["schemas"].get(name, {}).get("properties", {})


def names_things(field):
    return '"uuid"' in json.dumps(field)


def ask(client, method, path, body=None):
    """What is answered, and every answer inside it, with nothing kept of what it did."""
    with transaction.atomic():
        response = client.generic(method.upper(), path, json.dumps(body), content_type="application/json")
        transaction.set_rollback(True)
    content = response.json() if response.content and "json" in response.headers.get("Content-Type", "") else {}
    inside = [one["status"] for one in content.get("results", []) if "status" in one and method == "post"]
    return inside or [response.status_code]


def with_things_in_path():
    return [(method, path, one) for method, path, one in OPERATIONS if "{" in path]


def walk_paths(client, things, *, trying=False):
    """Each route with somebody's things in its path: what it answers. `trying`: with dry_run, where that can be."""
    return {
        (method, path, trying): ask(
            client, method, placed(path, things) + ("?dry_run=true" if trying else ""), body_of(operation)
        )
        for method, path, operation in with_things_in_path()
        if not trying or any(parameter["name"] == "dry_run" for parameter in operation.get("parameters", []))
    }


def walk_bodies(client, own, other):
    """Each field of each body that names a thing: what is answered when it alone names the other's."""
    bulk = "/api/v1/tasks/bulk/"
    whole = {
        (bulk, "list"): {"action": "move", "tasks": own.in_body()["tasks"]},
        (bulk, "tasks"): {"action": "complete"},
        ("/api/v1/webhooks/{webhook_id}/redeliver/", "delivery"): {},
    }
    return {
        (method, path, name): ask(
            client,
            method,
            placed(path, own),
            {**whole.get((path, name), body_of(operation) or {}), name: other.in_body()[name]},
        )
        for method, path, operation in OPERATIONS
        for name, field in fields_of(operation).items()
        if names_things(field) and name not in PARTS
    }


def lists():
    return [
        (path, [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"])
        for method, path, operation in OPERATIONS
        if method == "get"
        and "{" not in path
        and any(one["name"] == "cursor" for one in operation.get("parameters", []))
    ]


def walk_filters(client, things):
    """Each list narrowed by each filter to somebody's things: what it then shows."""
    return {
        (path, name, value): json.dumps(client.get(path, {**things.beside(name), name: value}).json()["results"])
        for path, names in lists()
        for name in names
        if name != "cursor"
        for value in things.in_query().get((path, name)) or things.in_query()[name]
    }


# --- the walk ---


def test_every_route_answers_404_for_what_is_another_persons(api, ada, eve):
    before = everything()

    answered = walk_paths(api, eve) | walk_paths(api, eve, trying=True)

    assert len(answered) > 20
    assert {route: told for route, told in answered.items() if told != [404]} == {}
    assert everything() == before


def test_the_same_routes_let_their_owner_in(ada, eve):
    """The walk asks well: what it is refused, it is refused for whose it is."""
    answered = walk_paths(client_of(eve), eve)

    assert {route: told for route, told in answered.items() if told[0] >= 400 and told != [409]} == {}


def test_every_field_that_names_a_thing_refuses_another_persons(api, ada, eve):
    before = everything()

    answered = walk_bodies(api, ada, eve)

    assert {name for _, _, name in answered} == {"delivery", "list", "parent", "tasks"}
    assert {route: told for route, told in answered.items() if told != [404]} == {}
    assert everything() == before


def test_the_same_fields_take_ones_own(api, ada):
    answered = walk_bodies(api, ada, ada)

    assert {route: told for route, told in answered.items() if told[0] >= 400} == {}


def test_another_persons_task_among_ones_own_is_left_alone(api, ada, eve):
    mine, theirs = str(ada.parent.pk), str(eve.parent.pk)

    for action in [{"action": "complete"}, {"action": "delete"}, {"action": "tag", "add": ["new"]}]:
        asked = {**action, "tasks": [mine, theirs]}
        response = api.post("/api/v1/tasks/bulk/", asked, headers={"Idempotency-Key": str(uuid4())})
        assert response.json()["results"][1]["status"] == 404

    eve.parent.refresh_from_db()
    assert (eve.parent.version, eve.parent.status) == (1, "pending")


def test_another_persons_reminder_is_no_reminder_of_ones_own(api, ada, eve):
    before = everything()
    asked = {"reminders": [{"id": eve.task.reminders[0]["id"], "before_due": "PT30M"}]}

    assert ask(api, "patch", f"/api/v1/tasks/{ada.task.pk}/", asked) == [400]
    assert everything() == before


def test_another_persons_sign_in_is_not_ended(api, ada, eve):
    before = everything()

    assert ask(api, "post", "/api/v1/auth/logout/", {"refresh": jwts.pair_of(eve.sign_in)["refresh"]}) == [404]
    assert everything() == before


def test_no_filter_shows_what_is_another_persons(api, ada, eve):
    shown = walk_filters(api, eve)

    found = {asked: some for asked, text in shown.items() if (some := {one for one in eve.ids() if one in text})}
    assert len(shown) > 20
    assert found == {}


@pytest.mark.parametrize("path", [path for path, _ in lists()])
def test_another_persons_cursor_leads_to_nothing_of_theirs(api, ada, eve, path):
    theirs = client_of(eve)
    second_token_and_list(eve)

    cursor = theirs.get(path, {"page_size": 1}).json()["next"]
    response = api.get(path, {"cursor": cursor_in(cursor)})

    assert response.status_code == 200
    assert {one for one in eve.ids() if one in json.dumps(response.json()["results"])} == set()


def second_token_and_list(things):
    """So that every list of a person's goes on after its first entry."""
    acting = {"owner": things.owner, "actor": things.owner, "now": NOW}
    services.create_list(**acting, name="Second")
    services.create_tag(**acting, name="zz-second")
    services.create_task(**acting, title="Second", due_on=NOW.date(), recurrence="daily")
    with fresh_pump() as pump:
        pump.run()
    credentials.create_personal_token(
        user=things.owner, name="Second", scopes=["read"], expires_at=None, now=datetime.now(UTC)
    )
    made.notification(things.owner, now=NOW)
    made.reminder(things.owner, task_id=things.parent.pk, now=NOW)
    webhooks.create(owner=things.owner, url="https://example.org/second", now=NOW)
    second = f"{SUBSCRIPTIONS[0].value['endpoint']}-second"
    push.subscribe(owner=things.owner, endpoint=second, now=NOW, **SUBSCRIPTIONS[0].value["keys"])
    handling.handle(group, [event(owner_id=things.owner.pk)])


def cursor_in(address):
    return re.search(r"cursor=([^&]+)", address)[1]


# --- nobody ---


def test_nobody_is_let_in_but_to_sign_in():
    answered = {
        (method, path): ask(APIClient(), method, re.sub(r"\{\w+\}", lambda _: str(UUID(int=1)), path), body_of(one))
        for method, path, one in OPERATIONS
        if path not in OPEN and "audit/{" not in path
    } | {
        ("get", "/api/v1/audit/{id}/"): ask(APIClient(), "get", "/api/v1/audit/1/"),
        ("get", "/api/v1/"): ask(APIClient(), "get", "/api/v1/"),
    }

    assert {route: told for route, told in answered.items() if told != [401]} == {}


def test_what_is_open_is_there():
    assert DOCUMENT["paths"].keys() >= OPEN


def test_no_route_of_the_api_is_missing_from_the_document():
    routes = {path for path in addresses(get_resolver().url_patterns) if path.startswith("/api/v1/")}

    assert routes - DOCUMENT["paths"].keys() == {"/api/v1/"}


def addresses(patterns, before=""):
    found = set()
    for pattern in patterns:
        here = before + str(pattern.pattern)
        found |= {plain(here)} if isinstance(pattern, URLPattern) else addresses(pattern.url_patterns, here)
    return found


def plain(pattern):
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", simplify_regex(pattern.replace("^", ""))).replace("{pk}", "{id}")


# --- negative controls ---


@pytest.fixture
def no_owners(monkeypatch):
    monkeypatch.setattr(EventedQuerySet, "owned_by", lambda tasks, user: tasks.all())


def test_without_owners_the_walk_of_the_paths_goes_red(no_owners, api, ada, eve):
    let_in = {path for (_, path, _), told in walk_paths(api, eve).items() if told != [404]}

    of_things = ("/api/v1/t", "/api/v1/l", "/api/v1/recurrence", "/api/v1/s")
    assert let_in == {path for _, path, _ in with_things_in_path() if path.startswith(of_things)} - {
        "/api/v1/tokens/{token_id}/",
        "/api/v1/tasks/{task_id}/history/",
    }


def test_without_owners_of_what_people_are_told_the_walks_go_red(api, ada, eve, monkeypatch):
    for reads in (whose, inbox, endpoints, reminders):
        monkeypatch.setattr(reads, "owned_by", lambda rows, owner: rows)

    let_in = {path for (_, path, _), told in walk_paths(api, eve).items() if told != [404]}
    shown = walk_filters(api, eve)

    # Who changes a webhook or a browser looks again whose it is.
    ours = ("/api/v1/notifications/", "/api/v1/reminders/", "/api/v1/webhooks/", "/api/v1/push/")
    assert let_in == {path for method, path, _ in with_things_in_path() if path.startswith(ours) and method == "get"}
    assert str(eve.notification.pk) in shown["/api/v1/notifications/", "task", str(eve.task.pk)]


def test_with_a_trail_for_everybody_the_walk_goes_red(api, ada, eve, monkeypatch):
    everything_there_is = AuditRecord.objects.select_related("content")
    monkeypatch.setattr(selectors, "records_visible_to", lambda user: everything_there_is)
    monkeypatch.setattr(paging, "first_of", lambda records, *, most, **_: (list(records[:most]), None))
    monkeypatch.setattr(
        selectors, "history_of_task", lambda task_id, owner: everything_there_is.filter(subject_id=task_id)
    )

    let_in = {path for (_, path, _), told in walk_paths(api, eve).items() if told != [404]}
    shown = walk_filters(api, eve)

    assert let_in == {"/api/v1/audit/{id}/", "/api/v1/tasks/{task_id}/history/"}
    unseen = {asked for asked, text in shown.items() if "audit" in asked[0] and str(eve.task.pk) not in text}
    assert unseen == {
        ("/api/v1/audit/", name, value)
        for name, value in [
            ("list", str(eve.list.pk)),
            ("tag", str(eve.tag.pk)),
            ("causation", str(eve.record.event_id)),
            ("readable", "false"),
            ("actor", "me"),
            ("owner", "me"),
        ]
    }


def test_without_owners_the_walk_of_the_bodies_goes_red(no_owners, api, ada, eve):
    assert walk_bodies(api, ada, eve)["post", "/api/v1/tasks/bulk/", "tasks"] != [404]


def test_without_owners_the_walk_of_the_filters_goes_red(no_owners, api, ada, eve):
    shown = walk_filters(api, eve)

    assert str(eve.task.pk) in shown["/api/v1/tasks/", "list", str(eve.list.pk)]
    assert str(eve.tag.pk) in shown["/api/v1/tags/", "sort", "created"]


def test_a_change_that_slips_by_is_seen(ada):
    before = everything()
    services.update_list(list_id=ada.list.pk, actor=ada.owner, changes={"name": "Changed"}, now=NOW)

    assert everything() != before
