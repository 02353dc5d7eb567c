"""Why a service of recurrence refused, as HTTP says it."""

from rest_framework.exceptions import NotFound

from apps.recurrence.exceptions import RecurrenceRefused, SeriesNotFound
from apps.tasks.views.refusals import OF_TASKS, Conflict, Problems

# What is not named here by itself is a conflict with how the series is.
OF_SERIES: Problems = [
    *OF_TASKS,
    (SeriesNotFound, lambda reason, shown: NotFound()),
    (RecurrenceRefused, lambda reason, shown: Conflict(str(reason))),
]
