"""A commit in which a series' version has no event is refused; who was erased gets no new one.

When a series is looked at next is no fact, and may change without one.
"""

from django.db import migrations

FORWARD = """
CREATE CONSTRAINT TRIGGER series_has_event
    AFTER INSERT OR DELETE OR UPDATE OF id, owner_id, version, created_at, updated_at, opened_by, recurrence, start,
        start_number, anchor, time_zone, follows_owner, exdates, passed_over, last_number, last_recurrence_id,
        last_task_id, paused_at, ended_at, ended_because
    ON recurrence_series
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION events_require_event('series');
CREATE TRIGGER series_refuse_truncate BEFORE TRUNCATE ON recurrence_series
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();
CREATE TRIGGER series_refuse_for_erased BEFORE INSERT ON recurrence_series
    FOR EACH ROW EXECUTE FUNCTION tasks_refuse_for_erased();
"""
BACKWARD = """
DROP TRIGGER series_refuse_for_erased ON recurrence_series;
DROP TRIGGER series_refuse_truncate ON recurrence_series;
DROP TRIGGER series_has_event ON recurrence_series;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("recurrence", "0001_initial"),
        ("events", "0007_guards_look_straight"),
        ("tasks", "0008_guard_looks_straight"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
