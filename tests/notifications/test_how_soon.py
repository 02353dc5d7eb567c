"""What docs/notifications.md promises of how soon people are told, where a sweep decides it."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from apps.events import schedules

HALF_A_MINUTE = timedelta(minutes=0.5)


@pytest.mark.parametrize("sweep", ["Follow changes of defaults", "Send daily digests", "Nudge about what is overdue"])
def test_what_is_promised_within_half_a_minute_is_swept_for_as_often(sweep):
    assert timedelta(seconds=schedules.declared()[sweep].every_seconds) <= HALF_A_MINUTE
    assert "within half a minute" in (Path(settings.BASE_DIR) / "docs" / "notifications.md").read_text()


def test_defaults_are_followed_twice_within_that():
    assert schedules.declared()["Follow changes of defaults"].every_seconds == 15
