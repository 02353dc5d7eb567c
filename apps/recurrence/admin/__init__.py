"""Series and occurrences in the admin: for looking, and to pause, resume or end series by `apps.recurrence.services`.

Invariant: nothing else is changed here, and no page asks the database a question that grows with the number of people.
"""

from apps.recurrence.admin.occurrences import OccurrenceAdmin
from apps.recurrence.admin.series import SeriesAdmin

__all__ = ["OccurrenceAdmin", "SeriesAdmin"]
