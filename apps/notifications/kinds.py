"""What a person is told of."""

from django.db.models import TextChoices


class Kind(TextChoices):
    """`notice` is of the platform itself: that an endpoint of theirs was switched off, for one."""

    REMINDER = "reminder"
    OVERDUE = "overdue"
    DIGEST = "digest"
    NOTICE = "notice"
