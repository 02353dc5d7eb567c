from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0008_full_verifications"),
    ]

    operations = [
        migrations.CreateModel(
            name="CheckpointNote",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("tried_at", models.DateTimeField()),
                (
                    "trouble",
                    models.CharField(
                        blank=True, help_text="Why the last round wrote nothing, in a word.", max_length=30
                    ),
                ),
                ("because", models.TextField(blank=True)),
                ("number", models.BigIntegerField(default=0, help_text="Of the newest checkpoint.")),
                ("taken_at", models.DateTimeField(null=True)),
                ("sequences", models.JSONField(default=dict, help_text="Up to which record each chain is signed.")),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="audit_checkpoint_note_is_one")
                ],
            },
        ),
    ]
