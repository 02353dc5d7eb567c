"""An outbox entry that cannot go to Kafka is held, visibly, and the log refuses what no reader of it could bear.

The check is not held against what is there: that would read the whole log under a lock, and all of it came through the
one door. It costs an insert what a few comparisons cost.
"""

from datetime import UTC, datetime

import django.db.models.lookups
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


class Migration(migrations.Migration):
    dependencies = [("events", "0008_first_parked_of_a_key")]
    operations = [
        migrations.AddField("outboxentry", "held_at", models.DateTimeField(null=True)),
        migrations.AddField("outboxentry", "refusal", models.CharField(db_default="", max_length=200)),
        migrations.AddIndex(
            "outboxentry",
            models.Index(condition=Q(("held_at__isnull", False)), fields=["event"], name="outbox_entry_held"),
        ),
        AddConstraintNotValid(
            "event",
            models.CheckConstraint(
                name="event_can_be_read",
                condition=Q(
                    *(Q((f"{text}__gt", "")) for text in ("type", "key", "source", "subject_type")),
                    Q(("topic__regex", "^[A-Za-z0-9._-]+$")),
                    django.db.models.lookups.Exact(
                        models.Func("data", function="jsonb_typeof"), models.Value("object")
                    ),
                    *(
                        Q((f"{instant}__gte", EARLIEST), (f"{instant}__lt", LATEST))
                        for instant in ("occurred_at", "recorded_at")
                    ),
                ),
            ),
        ),
    ]
