"""What a person wrote goes a bounded number at a time, so that no statement is longer for a longer history.

`audit_erase_contents` without a number stays for the processes of the release before, and does one step too. What
somebody else is just erasing is left to them: two who erase at once never wait for each other.
"""

from django.db import migrations

FORWARD = """
-- The one way to let content go, for a role that may not delete. As its owner, so with a path nobody can bend.
CREATE FUNCTION audit_erase_some_contents(owner uuid, most integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    gone integer;
BEGIN
    DELETE FROM public.audit_auditcontent c WHERE c.event_id IN (
        SELECT going.event_id FROM public.audit_auditcontent going
        WHERE going.owner_id = owner AND EXISTS (
            SELECT 1 FROM public.events_event e
            WHERE e.owner_id = owner AND e.type = 'account.erased.v1' AND e.event_id <> going.event_id
        )
        LIMIT most
        FOR UPDATE OF going SKIP LOCKED
    );
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

CREATE OR REPLACE FUNCTION audit_erase_contents(owner uuid) RETURNS integer LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$ SELECT public.audit_erase_some_contents(owner, 2000) $$;
"""
BACKWARD = """
DROP FUNCTION audit_erase_some_contents(uuid, integer);
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


class Migration(migrations.Migration):
    dependencies = [("audit", "0010_erased_by_the_log")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
