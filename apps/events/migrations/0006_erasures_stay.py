"""That a person was erased stays in the log for good: what still comes of them is not to be kept."""

from django.db import migrations

_FUNCTION = """
CREATE OR REPLACE FUNCTION events_refuse_early_delete() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    days integer := CASE WHEN OLD.type LIKE '%.snapshot.v%' THEN 14 ELSE 90 END;
BEGIN
{more}    IF OLD.recorded_at > now() - make_interval(days => days) THEN
        RAISE EXCEPTION 'DELETE refused: % keeps its rows for % days', TG_TABLE_NAME, days
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
"""
_FOR_GOOD = """    IF OLD.type = 'account.erased.v1' THEN
        RAISE EXCEPTION 'DELETE refused: % keeps erasures for good', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0005_erasing")]
    operations = [migrations.RunSQL(_FUNCTION.replace("{more}", _FOR_GOOD), _FUNCTION.replace("{more}", ""))]
