"""Notes when sweeps of time last looked, by the database's clock."""

from django.db import connection

REMINDERS = "reminders"

_NOTE = """
INSERT INTO notifications_watermark (name, until, swept_at) VALUES (%s, now(), now())
ON CONFLICT (name) DO UPDATE SET until = excluded.until, swept_at = excluded.swept_at
"""


def note(name: str) -> None:
    """All that was due by now was looked at."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [name])
