from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0004_verification_checkpoint"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="auditrecord",
            index=models.Index(fields=["owner_id", "type", "-id"], name="audit_record_of_owner_type"),
        ),
        migrations.AddIndex(
            model_name="auditrecord",
            index=models.Index(fields=["owner_id", "actor_id", "-id"], name="audit_record_of_owner_actor"),
        ),
        migrations.AddIndex(
            model_name="auditrecord",
            index=models.Index(fields=["owner_id", "-occurred_at", "-id"], name="audit_record_of_owner_when"),
        ),
        migrations.AddIndex(
            model_name="auditrecord",
            index=models.Index(fields=["-occurred_at", "-id"], name="audit_record_occurred_at"),
        ),
        migrations.AddIndex(
            model_name="auditrecord",
            index=models.Index(condition=models.Q(("readable", False)), fields=["-id"], name="audit_record_unreadable"),
        ),
    ]
