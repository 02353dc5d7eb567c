from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_looks_of_names")]

    operations = [
        migrations.AddField("user", "erased_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddConstraint(
            "user",
            models.CheckConstraint(
                condition=models.Q(
                    ("erased_at", None),
                    models.Q(
                        ("email", ""),
                        ("first_name", ""),
                        ("is_active", False),
                        ("is_staff", False),
                        ("is_superuser", False),
                        ("last_login", None),
                        ("last_name", ""),
                        ("password__startswith", "!"),
                        ("time_zone", "UTC"),
                        ("username__startswith", "erased-"),
                    ),
                    _connector="OR",
                ),
                name="erased_person_is_nobody",
            ),
        ),
    ]
