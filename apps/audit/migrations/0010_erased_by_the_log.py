"""Content goes for whom the event log says was erased: what came by Kafka decides nothing about anybody's content.

The log keeps that fact for good. Of an erased person only the content of that very fact stays.
"""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION audit_refuse_unless_erased() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM events_event e
        WHERE e.owner_id = OLD.owner_id AND e.type = 'account.erased.v1' AND e.event_id <> OLD.event_id
    ) THEN
        RAISE EXCEPTION 'DELETE refused: the content of % is kept until its person is erased', OLD.event_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE OR REPLACE FUNCTION audit_erase_contents(owner uuid) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    gone integer;
BEGIN
    DELETE FROM audit_auditcontent c WHERE c.owner_id = owner AND EXISTS (
        SELECT 1 FROM events_event e
        WHERE e.owner_id = owner AND e.type = 'account.erased.v1' AND e.event_id <> c.event_id
    );
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
"""
BACKWARD = """
-- Content goes only after its person's erasure, which stands in the trail and in the log, and never its own record.
CREATE OR REPLACE FUNCTION audit_refuse_unless_erased() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM audit_auditrecord r JOIN events_event e ON e.event_id = r.event_id AND e.type = r.type
        WHERE r.subject_id = OLD.owner_id AND r.type = 'account.erased.v1' AND r.event_id <> OLD.event_id
    ) THEN
        RAISE EXCEPTION 'DELETE refused: the content of % is kept until its person is erased', OLD.event_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
-- The one way to let content go, for a role that may not delete. As its owner, so with a path nobody can bend.
CREATE OR REPLACE FUNCTION audit_erase_contents(owner uuid) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    gone integer;
BEGIN
    DELETE FROM audit_auditcontent c WHERE c.owner_id = owner AND EXISTS (
        SELECT 1 FROM audit_auditrecord r
        JOIN events_event e ON e.event_id = r.event_id AND e.type = r.type
        WHERE r.subject_id = owner AND r.type = 'account.erased.v1' AND r.event_id <> c.event_id
    );
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0009_checkpoint_note"), ("events", "0006_erasures_stay")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
