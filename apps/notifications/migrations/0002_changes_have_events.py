"""A commit in which a version of a reminder or notification has no event is refused; who was erased gets nothing new.

What was decided about a notification is no fact of its own, and is kept without one. Rows go without an event: with
their task or person, or when they are old.
"""

from django.db import migrations

_OF_PEOPLE = [
    "remindedtask",
    "reminder",
    "notification",
    "delivery",
    "preferences",
    "webhookendpoint",
    "pushsubscription",
]

FORWARD = """
CREATE CONSTRAINT TRIGGER reminder_has_event
    AFTER INSERT OR UPDATE OF id, owner_id, task_id, version, origin, before_due, planned_for, trigger_at, status,
        because, triggers, triggered_at
    ON notifications_reminder
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION events_require_event('reminder');
CREATE TRIGGER reminder_refuse_truncate BEFORE TRUNCATE ON notifications_reminder
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();
CREATE CONSTRAINT TRIGGER notification_has_event
    AFTER INSERT OR UPDATE OF id, owner_id, kind, task_id, reminder_id, title, text, urgent, quiet, in_inbox, due_at,
        due_on, about_at, late_seconds, status, because, read_at, snoozed_until, version
    ON notifications_notification
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION events_require_event('notification');
CREATE TRIGGER notification_refuse_truncate BEFORE TRUNCATE ON notifications_notification
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();
"""
BACKWARD = """
DROP TRIGGER notification_refuse_truncate ON notifications_notification;
DROP TRIGGER notification_has_event ON notifications_notification;
DROP TRIGGER reminder_refuse_truncate ON notifications_reminder;
DROP TRIGGER reminder_has_event ON notifications_reminder;
"""
REFUSE = """
CREATE TRIGGER {name}_refuse_for_erased BEFORE INSERT ON notifications_{name}
    FOR EACH ROW EXECUTE FUNCTION tasks_refuse_for_erased();
"""
ALLOW = "DROP TRIGGER {name}_refuse_for_erased ON notifications_{name};\n"


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_initial"),
        ("events", "0007_guards_look_straight"),
        ("tasks", "0008_guard_looks_straight"),
    ]
    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
        *[migrations.RunSQL(REFUSE.format(name=name), ALLOW.format(name=name)) for name in _OF_PEOPLE],
    ]
