"""How a person is erased from the log: the one change that the database lets through.

`events_erase` empties events of one person: their data, and the correlation and trace that a client may have chosen.
It runs with its owner's rights, so that its callers need none to change the log. What it may do is decided once
more by the trigger, row by row, so that neither a setting made by hand nor a forgotten grant opens another door:

- the person has an `account.erased.v1` in the log, and that event itself stays;
- nothing changes but what is emptied, and it is emptied wholly, once;
- the event has left the outbox.

That each group has done with the event is the function's to check: `wanted` names them, as
`[{"group": …, "types": […]}]`. An event older than `days` is beyond what a group could still be given.
"""

from django.db import migrations, models

FORWARD = """
CREATE FUNCTION events_erase(owner uuid, wanted jsonb, days integer, most integer) RETURNS integer
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

CREATE FUNCTION events_refuse_update() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF current_setting('events.erasing', true) = 'yes'
       AND current_user = (SELECT pg_get_userbyid(proowner) FROM pg_proc
                           WHERE oid = 'public.events_erase(uuid, jsonb, integer, integer)'::regprocedure)
       AND OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL
       AND NEW.data = '{}' AND NEW.correlation_id = 'erased' AND NEW.traceparent = ''
       AND to_jsonb(NEW) - ARRAY['data', 'correlation_id', 'traceparent', 'erased_at']
         = to_jsonb(OLD) - ARRAY['data', 'correlation_id', 'traceparent', 'erased_at']
       AND OLD.type <> 'account.erased.v1'
       AND EXISTS (SELECT FROM public.events_event x WHERE x.owner_id = OLD.owner_id AND x.type = 'account.erased.v1')
       AND NOT EXISTS (SELECT FROM public.events_outboxentry o WHERE o.event_id = OLD.position)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'UPDATE refused: % does not change this way', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

DROP TRIGGER event_refuse_update ON events_event;
CREATE TRIGGER event_refuse_update BEFORE UPDATE ON events_event
    FOR EACH ROW EXECUTE FUNCTION events_refuse_update();
"""
BACKWARD = """
DROP TRIGGER event_refuse_update ON events_event;
CREATE TRIGGER event_refuse_update BEFORE UPDATE ON events_event
    FOR EACH ROW EXECUTE FUNCTION events_refuse_change();
DROP FUNCTION events_refuse_update();
DROP FUNCTION events_erase(uuid, jsonb, integer, integer);
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0004_snapshots_go_sooner")]
    operations = [
        migrations.AddField("event", "erased_at", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "event", models.Index(condition=models.Q(("erased_at", None)), fields=["owner_id"], name="event_to_erase")
        ),
        migrations.AddIndex(
            "event",
            models.Index(
                condition=models.Q(("type", "account.erased.v1")), fields=["owner_id"], name="event_that_erases"
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
