import unicodedata

from django.db import migrations, models


def fill(apps, schema_editor):
    """Of names that look alike already the eldest has the look; the others go on, with none."""
    user_model = apps.get_model("accounts", "User")
    # The connection that migrates has the table locked: another would wait for it for ever.
    people = user_model.objects.using(schema_editor.connection.alias)
    taken = set()
    changed = []
    for user in people.order_by("id").only("id", "username").iterator(chunk_size=2000):
        look = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", user.username).casefold())
        if look not in taken:
            taken.add(look)
            user.look = look
            changed.append(user)
    people.bulk_update(changed, ["look"], batch_size=1000)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_credentials")]

    operations = [
        migrations.AddField(
            "user", "deactivations", models.PositiveIntegerField(db_default=0, default=0, editable=False)
        ),
        migrations.AddField("user", "look", models.CharField(editable=False, max_length=450, null=True, unique=True)),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
