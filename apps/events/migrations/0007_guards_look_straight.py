"""The guards look at the tables they mean, whatever else the caller has made of the same name; and two more holes shut.

A session may make temporary tables, and those are found first by a function without a path of its own. The guard of
the tasks takes no snapshot for the fact of a change. Two who erase at once leave each other's rows alone.
"""

from django.db import migrations

_PATH = "SET search_path = pg_catalog, public, pg_temp"
REQUIRE_EVENT = """
CREATE OR REPLACE FUNCTION events_require_event() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
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
          AND transaction_id = pg_current_xact_id()::text::bigint AND type NOT LIKE '%.snapshot.v%'
    ) THEN
        RAISE EXCEPTION '% refused: version % of % % has no event', TG_OP, expected, TG_ARGV[0], subject
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
"""
REQUIRE_EVENT_BEFORE = """
CREATE OR REPLACE FUNCTION events_require_event() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""
ERASE = """
CREATE OR REPLACE FUNCTION events_erase(owner uuid, wanted jsonb, days integer, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    emptied integer;
BEGIN
    PERFORM set_config('events.erasing', 'yes', true);
    WITH going AS (
        SELECT e.position FROM public.events_event e
        WHERE e.owner_id = owner AND e.erased_at IS NULL AND e.type <> 'account.erased.v1'
          AND EXISTS (SELECT FROM public.events_event x WHERE x.owner_id = owner AND x.type = 'account.erased.v1')
          AND NOT EXISTS (SELECT FROM public.events_outboxentry o WHERE o.event_id = e.position)
          AND (e.recorded_at < now() - make_interval(days => days) OR NOT EXISTS (
              SELECT FROM jsonb_array_elements(wanted) w
              WHERE w -> 'types' ? e.type
                AND NOT EXISTS (SELECT FROM public.events_handledevent h
                                WHERE h."group" = w ->> 'group' AND h.event_id = e.event_id)
                AND NOT EXISTS (SELECT FROM public.events_deadletter d
                                WHERE d."group" = w ->> 'group' AND d.event_id = e.event_id AND d.status <> 'parked')))
        LIMIT most
        FOR UPDATE OF e SKIP LOCKED
    )
    UPDATE public.events_event e
    SET data = '{}', correlation_id = 'erased', traceparent = '', erased_at = now()
    FROM going WHERE e.position = going.position;
    GET DIAGNOSTICS emptied = ROW_COUNT;
    PERFORM set_config('events.erasing', '', true);
    RETURN emptied;
END $$;
"""
ERASE_BEFORE = """
CREATE OR REPLACE FUNCTION events_erase(owner uuid, wanted jsonb, days integer, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    emptied integer;
BEGIN
    PERFORM set_config('events.erasing', 'yes', true);
    WITH going AS (
        SELECT e.position FROM public.events_event e
        WHERE e.owner_id = owner AND e.erased_at IS NULL AND e.type <> 'account.erased.v1'
          AND EXISTS (SELECT FROM public.events_event x WHERE x.owner_id = owner AND x.type = 'account.erased.v1')
          AND NOT EXISTS (SELECT FROM public.events_outboxentry o WHERE o.event_id = e.position)
          AND (e.recorded_at < now() - make_interval(days => days) OR NOT EXISTS (
              SELECT FROM jsonb_array_elements(wanted) w
              WHERE w -> 'types' ? e.type
                AND NOT EXISTS (SELECT FROM public.events_handledevent h
                                WHERE h."group" = w ->> 'group' AND h.event_id = e.event_id)
                AND NOT EXISTS (SELECT FROM public.events_deadletter d
                                WHERE d."group" = w ->> 'group' AND d.event_id = e.event_id AND d.status <> 'parked')))
        LIMIT most
    )
    UPDATE public.events_event e
    SET data = '{}', correlation_id = 'erased', traceparent = '', erased_at = now()
    FROM going WHERE e.position = going.position;
    GET DIAGNOSTICS emptied = ROW_COUNT;
    PERFORM set_config('events.erasing', '', true);
    RETURN emptied;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0006_erasures_stay")]
    operations = [
        migrations.RunSQL(REQUIRE_EVENT, REQUIRE_EVENT_BEFORE + "ALTER FUNCTION events_require_event() RESET search_path;"),
        migrations.RunSQL(ERASE, ERASE_BEFORE),
        *(
            migrations.RunSQL(f"ALTER FUNCTION {guard}() {_PATH};", f"ALTER FUNCTION {guard}() RESET search_path;")
            for guard in ("events_refuse_change", "events_refuse_early_delete")
        ),
    ]
