"""The only writers of series and occurrences.

Each service is one transaction: the series locked, changed (version + 1 per event), announced. A series is locked
before anything of tasks is, so that nobody waits in a circle.
"""

from apps.recurrence.rule_changes import Due
from apps.recurrence.services.advancing import advance_series, make_due, put_off, repair, stuck
from apps.recurrence.services.edits import change_occurrences, skip_occurrence
from apps.recurrence.services.owners import forget_owner, move_to_time_zone
from apps.recurrence.services.series import (
    change_rule,
    end_series,
    leave_deleted,
    open_series,
    pause_series,
    reopen_restored,
    resume_series,
    stop_series,
)

__all__ = [
    "Due",
    "advance_series",
    "change_occurrences",
    "change_rule",
    "end_series",
    "forget_owner",
    "leave_deleted",
    "make_due",
    "move_to_time_zone",
    "open_series",
    "pause_series",
    "put_off",
    "reopen_restored",
    "repair",
    "resume_series",
    "skip_occurrence",
    "stop_series",
    "stuck",
]
