"""Snapshots need not stay as long as facts: they are for screens, and nobody is fed one that the inbox has forgotten.

The log lets go of a snapshot after 14 days and of a fact, as before, after 90. What a snapshot is, its type says
(`….snapshot.v…`); `apps.events.event_types` holds every declared type to that.
"""

from django.db import migrations, models

_FUNCTION = """
CREATE OR REPLACE FUNCTION events_refuse_early_delete() RETURNS trigger LANGUAGE plpgsql AS $$
{body}
END $$;
"""
FORWARD = _FUNCTION.format(
    body="""
DECLARE
    days integer := CASE WHEN OLD.type LIKE '%.snapshot.v%' THEN 14 ELSE 90 END;
BEGIN
    IF OLD.recorded_at > now() - make_interval(days => days) THEN
        RAISE EXCEPTION 'DELETE refused: % keeps its rows for % days', TG_TABLE_NAME, days
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
"""
)
BACKWARD = _FUNCTION.format(
    body="""
BEGIN
    IF OLD.recorded_at > now() - interval '90 days' THEN
        RAISE EXCEPTION 'DELETE refused: % keeps its rows for 90 days', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
"""
)


class Migration(migrations.Migration):
    dependencies = [("events", "0003_heartbeat")]
    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.AddIndex(
            "event",
            models.Index(
                fields=["recorded_at"], condition=models.Q(type__contains=".snapshot.v"), name="event_snapshots_by_age"
            ),
        ),
    ]
