"""The guard of erased owners looks at the people's table, whatever temporary one a session has made of that name."""

from django.db import migrations

GUARD = "ALTER FUNCTION tasks_refuse_for_erased()"


class Migration(migrations.Migration):
    dependencies = [("tasks", "0007_nothing_for_erased")]
    operations = [
        migrations.RunSQL(f"{GUARD} SET search_path = pg_catalog, public, pg_temp;", f"{GUARD} RESET search_path;")
    ]
