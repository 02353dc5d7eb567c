"""What the database itself guarantees of events, whoever writes to it.

- The log refuses UPDATE and TRUNCATE, and DELETE of anything younger than 90 days.
- `events_require_event('subject type')` is a deferred constraint trigger for a table whose rows have `id` and
  `version`: a commit in which a row's new version has no event is refused, also for INSERT and DELETE.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% refused: % does not change this way', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION events_refuse_early_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.recorded_at > now() - interval '90 days' THEN
        RAISE EXCEPTION 'DELETE refused: % keeps its rows for 90 days', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE FUNCTION events_require_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject uuid;
    expected integer;
BEGIN
    IF TG_OP = 'INSERT' THEN
        subject := NEW.id;
        expected := 1;
    ELSE
        subject := OLD.id;
        expected := OLD.version + 1;
    END IF;
    IF TG_OP <> 'DELETE' AND (NEW.id <> subject OR NEW.version <> expected) THEN
        RAISE EXCEPTION '% refused: the % of % must count one more change, to version %',
            TG_OP, TG_ARGV[0], subject, expected USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM events_event
        WHERE subject_type = TG_ARGV[0] AND subject_id = subject AND subject_version = expected
          AND transaction_id = pg_current_xact_id()::text::bigint
    ) THEN
        RAISE EXCEPTION '% refused: version % of % % has no event', TG_OP, expected, TG_ARGV[0], subject
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER event_refuse_update BEFORE UPDATE ON events_event
    FOR EACH ROW EXECUTE FUNCTION events_refuse_change();
CREATE TRIGGER event_refuse_early_delete BEFORE DELETE ON events_event
    FOR EACH ROW EXECUTE FUNCTION events_refuse_early_delete();
CREATE TRIGGER event_refuse_truncate BEFORE TRUNCATE ON events_event
    FOR EACH STATEMENT EXECUTE FUNCTION events_refuse_change();
"""
BACKWARD = """
DROP TRIGGER event_refuse_truncate ON events_event;
DROP TRIGGER event_refuse_early_delete ON events_event;
DROP TRIGGER event_refuse_update ON events_event;
DROP FUNCTION events_require_event();
DROP FUNCTION events_refuse_early_delete();
DROP FUNCTION events_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
