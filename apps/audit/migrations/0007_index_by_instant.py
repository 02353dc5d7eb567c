from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0006_verification_log_position"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="auditrecord",
            name="audit_record_occurred_at",
        ),
        migrations.RemoveIndex(
            model_name="auditrecord",
            name="audit_record_unreadable",
        ),
        migrations.AddIndex(
            model_name="auditrecord",
            index=models.Index(fields=["readable", "-occurred_at", "-id"], name="audit_record_by_instant"),
        ),
    ]
