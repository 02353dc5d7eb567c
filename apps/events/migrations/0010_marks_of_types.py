"""How far a group is settled is kept for each type, since members of two releases may want different ones.

Up to now there was one mark for all that a group wants, and every group there was took every fact.
"""

from django.db import migrations, models

KEEP_MARKS = """
INSERT INTO events_groupmark ("group", type, settled_transaction_id)
SELECT "group", '*', settled_transaction_id FROM events_groupprogress
"""

class Migration(migrations.Migration):

    dependencies = [
        ('events', '0009_held_entries'),
    ]

    operations = [
        migrations.CreateModel(
            name='GroupMark',
            fields=[
                ('pk', models.CompositePrimaryKey('group', 'type', blank=True, editable=False, primary_key=True, serialize=False)),
                ('group', models.CharField(max_length=50)),
                ('type', models.CharField(max_length=200)),
                ('settled_transaction_id', models.BigIntegerField()),
                ('added_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.RunSQL(KEEP_MARKS, migrations.RunSQL.noop),
        migrations.RemoveField(
            model_name='groupprogress',
            name='settled_transaction_id',
        ),
    ]
