"""What a person asked for on a task: how it repeats and when to be reminded. Pure; other apps act on it."""

from apps.tasks.intents.recurrence import (
    MAX_DATES,
    POLICIES,
    check_recurrence_fits,
    check_recurrence_goes_with,
    check_recurrence_starts,
    checked_recurrence,
    refused_rule,
    rule_of,
)
from apps.tasks.intents.reminders import (
    MAX_REMINDERS,
    check_reminders_fit,
    checked_reminders,
    default_id,
    is_ahead,
    trigger_at,
)

__all__ = [
    "MAX_DATES",
    "MAX_REMINDERS",
    "POLICIES",
    "check_recurrence_fits",
    "check_recurrence_goes_with",
    "check_recurrence_starts",
    "check_reminders_fit",
    "checked_recurrence",
    "checked_reminders",
    "default_id",
    "is_ahead",
    "refused_rule",
    "rule_of",
    "trigger_at",
]
