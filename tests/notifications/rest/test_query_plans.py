"""What reads of notifications cost when there are many: bounded rows, and as many questions as for one."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.notifications.models import Delivery
from apps.notifications.services import webhooks
from tests.notifications.rest.made import MONDAY, delivery, notification, reminder
from tests.notifications.rest.very_many import TABLES, costs, fill
from tests.support.factories import person
from tests.support.plans import executed, forget_statistics, rows_scanned

pytestmark = pytest.mark.django_db

MANY = 5_000
MOST_ROWS = 600


@pytest.fixture
def many(ada):
    """Of one person and of another, and one that failed."""
    delivery(notification(ada, title="failed", now=MONDAY), status="failed", finished_at=MONDAY)
    delivery(notification(ada, title="held", now=MONDAY), status="held")
    delivery(notification(ada, title="waiting", now=MONDAY), status="waiting")
    reminder(ada, task_id=uuid4(), origin="snooze", status="snoozed")
    fill(ada, many=MANY)
    fill(person("crowd"), many=MANY)
    yield
    forget_statistics(*TABLES)


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "?status=unread",
        "?status=read",
        "?status=sent",
        "?delivery=failed",
        "?delivery=held",
        "?delivery=waiting",
        "?delivery=sent",
        "?kind=reminder",
        "?in_inbox=true",
        "?page_size=100",
    ],
)
def test_a_page_of_notifications_touches_few_rows(api, many, asked):
    with CaptureQueriesContext(connection) as queries:
        response = api.get(f"/api/v1/notifications/{asked}")

    assert response.status_code == 200
    assert {sql: rows for sql, rows in costs(queries.captured_queries).items() if rows > MOST_ROWS} == {}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", 50),
        ("?status=delivered", 50),
        ("?status=snoozed", 1),
        ("?origin=snooze", 1),
        ("?origin=default&sort=trigger", 50),
        ("?from=2100-01-01", 0),
        ("?task=018f0000-0000-7000-8000-000000000001", 0),
    ],
)
def test_a_page_of_reminders_touches_few_rows(api, many, asked, found):
    with CaptureQueriesContext(connection) as queries:
        response = api.get(f"/api/v1/reminders/{asked}")

    assert (response.status_code, len(response.json()["results"])) == (200, found)
    assert {sql: rows for sql, rows in costs(queries.captured_queries).items() if rows > MOST_ROWS} == {}


@pytest.mark.parametrize(("status", "found"), [("delivered", 50), ("failed", 1), ("held", 1), ("dropped", 0)])
def test_a_page_of_what_went_to_a_webhook_touches_few_rows(api, ada, many, status, found):
    endpoint = webhooks.create(owner=ada, url="https://example.org/hook", now=MONDAY).endpoint
    Delivery.objects.filter(owner=ada).update(transport="webhook", destination=str(endpoint.pk))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE notifications_delivery")

    with CaptureQueriesContext(connection) as queries:
        response = api.get(f"/api/v1/webhooks/{endpoint.pk}/deliveries/?status={status}")

    assert (response.status_code, len(response.json()["results"])) == (200, found)
    assert {sql: rows for sql, rows in costs(queries.captured_queries).items() if rows > MOST_ROWS} == {}


def test_without_their_index_the_few_that_failed_cost_all(api, many):
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX delivery_not_delivered, delivery_failed")

    with CaptureQueriesContext(connection) as queries:
        api.get("/api/v1/notifications/?delivery=failed")

    assert max(costs(queries.captured_queries).values()) > MOST_ROWS


def test_the_badge_touches_the_unread_alone(api, many):
    with CaptureQueriesContext(connection) as queries:
        assert api.get("/api/v1/notifications/unread-count/").json()["unread"] == MANY // 50 + 3

    assert max(costs(queries.captured_queries).values()) <= MOST_ROWS


def test_a_read_without_an_index_is_seen(many):
    plan = executed("SELECT * FROM notifications_notification WHERE title = 'nothing'")

    assert rows_scanned(plan) > MOST_ROWS


@pytest.mark.parametrize("count", [1, 50])
def test_a_page_asks_as_many_questions_however_many_it_shows(api, ada, count, django_assert_num_queries):
    for _ in range(count):
        one = notification(ada)
        delivery(one, status="delivered")
        delivery(one, status="failed", transport="webhook", destination="018f0000-0000-7000-8000-000000000001")

    # Session, person, notifications, what of them went out, the deliveries, endpoints, browsers.
    with django_assert_num_queries(7):
        assert len(api.get("/api/v1/notifications/").json()["results"]) == count
