"""Lists and tags too: a commit in which a version has no event is refused.

Tasks deleted before deletions had an instant get the one of their last change. The guards look away for that one
statement: it changes no fact.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE tasks_task DISABLE TRIGGER USER;
UPDATE tasks_task SET deleted_at = updated_at WHERE status = 'deleted' AND deleted_at IS NULL;
ALTER TABLE tasks_task ENABLE TRIGGER USER;

CREATE CONSTRAINT TRIGGER list_has_event AFTER INSERT OR UPDATE OR DELETE ON tasks_tasklist
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION events_require_event('list');
CREATE TRIGGER list_refuse_truncate BEFORE TRUNCATE ON tasks_tasklist
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();
CREATE CONSTRAINT TRIGGER tag_has_event AFTER INSERT OR UPDATE OR DELETE ON tasks_tag
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION events_require_event('tag');
CREATE TRIGGER tag_refuse_truncate BEFORE TRUNCATE ON tasks_tag
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();
"""
BACKWARD = """
DROP TRIGGER tag_refuse_truncate ON tasks_tag;
DROP TRIGGER tag_has_event ON tasks_tag;
DROP TRIGGER list_refuse_truncate ON tasks_tasklist;
DROP TRIGGER list_has_event ON tasks_tasklist;
"""


class Migration(migrations.Migration):
    dependencies = [("tasks", "0003_lists_tags_due")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
