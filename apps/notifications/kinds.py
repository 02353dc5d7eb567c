"""What a person is told of."""

from django.db.models import TextChoices


class Kind(TextChoices):
    """`notice` is of the platform itself: that an endpoint of theirs was switched off, for one."""

    REMINDER = "reminder"
    OVERDUE = "overdue"
    DIGEST = "digest"
    NOTICE = "notice"


KIND_IN_WORDS = {
    Kind.REMINDER: "reminders",
    Kind.OVERDUE: "nudges about what is overdue",
    Kind.DIGEST: "the daily digest",
    Kind.NOTICE: "notices about your account",
}
