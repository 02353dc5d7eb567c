"""A task, list or tag for who was erased is refused: by whatever was still on its way when they were.

Reading the person's row with a lock makes the insert wait for an erasure at work, and then see it.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION tasks_refuse_for_erased() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    erased timestamptz;
BEGIN
    SELECT erased_at INTO erased FROM accounts_user WHERE id = NEW.owner_id FOR KEY SHARE;
    IF erased IS NOT NULL THEN
        RAISE EXCEPTION 'INSERT refused: the owner of this row of % was erased', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER task_refuse_for_erased BEFORE INSERT ON tasks_task
    FOR EACH ROW EXECUTE FUNCTION tasks_refuse_for_erased();
CREATE TRIGGER list_refuse_for_erased BEFORE INSERT ON tasks_tasklist
    FOR EACH ROW EXECUTE FUNCTION tasks_refuse_for_erased();
CREATE TRIGGER tag_refuse_for_erased BEFORE INSERT ON tasks_tag
    FOR EACH ROW EXECUTE FUNCTION tasks_refuse_for_erased();
"""
BACKWARD = """
DROP TRIGGER tag_refuse_for_erased ON tasks_tag;
DROP TRIGGER list_refuse_for_erased ON tasks_tasklist;
DROP TRIGGER task_refuse_for_erased ON tasks_task;
DROP FUNCTION tasks_refuse_for_erased();
"""


class Migration(migrations.Migration):
    dependencies = [("tasks", "0006_indexes_of_reads"), ("accounts", "0004_erasing")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
