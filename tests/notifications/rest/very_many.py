"""Very many notifications, deliveries and reminders of a person, and what reads of them cost."""

from apps.accounts.models import User
from tests.support.patience import unhurried
from tests.support.plans import executed, rows_scanned

TABLES = (
    "notifications_notification",
    "notifications_delivery",
    "notifications_deliveryitem",
    "notifications_remindedtask",
    "notifications_reminder",
)


def fill(owner: User, *, many: int) -> None:
    """All of them were delivered long ago."""
    with unhurried() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE notifications_notification DISABLE TRIGGER USER")
        cursor.execute(
            "INSERT INTO notifications_notification (id, owner_id, kind, once, title, text, urgent, quiet, in_inbox,"
            " about_at, late_seconds, data, status, because, choices, version, created_at, updated_at)"
            " SELECT gen_random_uuid(), %s, 'reminder', gen_random_uuid(), 'Many', '', false, false, true, now(), 0,"
            " '{}', CASE WHEN n %% 50 = 0 THEN 'unread' ELSE 'read' END, '', '[]', 1, now(), now()"
            " FROM generate_series(1, %s) n",
            [owner.pk, many],
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
        cursor.execute("ALTER TABLE notifications_reminder DISABLE TRIGGER USER")
        cursor.execute(
            "INSERT INTO notifications_remindedtask (task_id, owner_id, version, title, status, priority,"
            " due_time_zone) SELECT id, owner_id, 1, 'Many', 'completed', 'none', ''"
            " FROM notifications_notification WHERE owner_id = %s",
            [owner.pk],
        )
        cursor.execute(
            "INSERT INTO notifications_reminder (id, task_id, owner_id, version, origin, before_due, planned_for,"
            " trigger_at, status, because, triggers, created_at, updated_at)"
            " SELECT task_id, task_id, owner_id, 1, 'default', 'PT30M', now(), now(), 'delivered', '', 1, now(), now()"
            " FROM notifications_remindedtask WHERE owner_id = %s AND title = 'Many'",
            [owner.pk],
        )
        cursor.execute("ALTER TABLE notifications_reminder ENABLE TRIGGER USER")
        cursor.execute(f"ANALYZE {', '.join(TABLES)}")


def costs(queries):
    asked = [one["sql"] for one in queries if one["sql"].startswith("SELECT") and "notifications_" in one["sql"]]
    assert asked != []
    return {sql[:80]: rows_scanned(executed(sql)) for sql in asked}
