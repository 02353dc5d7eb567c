"""What reads of notifications cost when there are many: bounded rows, and as many questions as for one."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from tests.notifications.rest.made import MONDAY, delivery, notification
from tests.support.factories import person
from tests.support.patience import unhurried
from tests.support.plans import executed, forget_statistics, rows_scanned

pytestmark = pytest.mark.django_db

MANY = 5_000
MOST_ROWS = 600
_TABLES = (
    "notifications_notification",
    "notifications_delivery",
    "notifications_deliveryitem",
    "notifications_reminder",
)


def fill(owner: User) -> None:
    with unhurried() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE notifications_notification DISABLE TRIGGER USER")
        cursor.execute(
            "INSERT INTO notifications_notification (id, owner_id, kind, once, title, text, urgent, quiet, in_inbox,"
            " about_at, late_seconds, data, status, because, choices, version, created_at, updated_at)"
            " SELECT gen_random_uuid(), %s, 'reminder', gen_random_uuid(), 'Many', '', false, false, true, now(), 0,"
            " '{}', CASE WHEN n %% 50 = 0 THEN 'unread' ELSE 'read' END, '', '[]', 1, now(), now()"
            " FROM generate_series(1, %s) n",
            [owner.pk, MANY],
        )
        cursor.execute("ALTER TABLE notifications_notification ENABLE TRIGGER USER")
        cursor.execute(
            "INSERT INTO notifications_delivery (id, owner_id, transport, destination, kind, status, urgent,"
            " held_quiet, send_at, fence, attempts, error, because, created_at)"
            " SELECT id, owner_id, 'email', '', 'reminder', 'delivered', true, false, now(), 1, 1, '', '', now()"
            " FROM notifications_notification WHERE owner_id = %s",
            [owner.pk],
        )
        cursor.execute(
            "INSERT INTO notifications_deliveryitem (delivery_id, notification_id)"
            " SELECT id, id FROM notifications_notification WHERE owner_id = %s",
            [owner.pk],
        )
        cursor.execute(f"ANALYZE {', '.join(_TABLES)}")


@pytest.fixture
def many(ada):
    """Of one person and of another, and one that failed."""
    delivery(notification(ada, title="failed", now=MONDAY), status="failed")
    fill(ada)
    fill(person("crowd"))
    yield
    forget_statistics(*_TABLES)


def costs(queries):
    asked = [one["sql"] for one in queries if one["sql"].startswith("SELECT") and "notifications_" in one["sql"]]
    assert asked != []
    return {sql[:80]: rows_scanned(executed(sql)) for sql in asked}


@pytest.mark.parametrize(
    "asked",
    ["", "?status=unread", "?status=read", "?kind=reminder", "?in_inbox=true", "?page_size=100"],
)
def test_a_page_of_notifications_touches_few_rows(api, many, asked):
    with CaptureQueriesContext(connection) as queries:
        response = api.get(f"/api/v1/notifications/{asked}")

    assert response.status_code == 200
    assert {sql: rows for sql, rows in costs(queries.captured_queries).items() if rows > MOST_ROWS} == {}


def test_the_badge_touches_the_unread_alone(api, many):
    with CaptureQueriesContext(connection) as queries:
        assert api.get("/api/v1/notifications/unread-count/").json()["unread"] == MANY // 50 + 1

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
