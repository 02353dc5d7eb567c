"""A commit in which a task's version has no event is refused: raw writes cannot slip by."""

from django.db import migrations

FORWARD = """
CREATE CONSTRAINT TRIGGER task_has_event AFTER INSERT OR UPDATE OR DELETE ON tasks_task
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION events_require_event('task');
CREATE TRIGGER task_refuse_truncate BEFORE TRUNCATE ON tasks_task
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();
"""
BACKWARD = """
DROP TRIGGER task_refuse_truncate ON tasks_task;
DROP TRIGGER task_has_event ON tasks_task;
"""


class Migration(migrations.Migration):
    dependencies = [("tasks", "0001_initial"), ("events", "0002_append_only")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
