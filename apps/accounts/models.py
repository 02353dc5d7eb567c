"""People: who signs in, whose a task is, and in which time zone their day runs.

Invariant: a user's time zone is one that the IANA database knows.
"""

import zoneinfo
from functools import cache

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from uuid_utils.compat import uuid7


@cache
def time_zone_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def validate_time_zone(name: str) -> None:
    """Raises `ValidationError` for a name that the IANA time zone database does not know."""
    if name not in time_zone_names():
        raise ValidationError("%(name)s is no time zone; give a name such as Europe/London.", params={"name": name})


class User(AbstractUser):
    """A person. `time_zone` is where their wall clock hangs."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
