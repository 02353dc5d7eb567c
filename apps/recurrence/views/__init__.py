"""Series and recurrence over REST: translates requests into services and refusals into problems."""

from apps.recurrence.views.of_task import OccurrencesView, TaskRecurrenceView
from apps.recurrence.views.preview import PreviewView
from apps.recurrence.views.series import SeriesViewSet

__all__ = ["OccurrencesView", "PreviewView", "SeriesViewSet", "TaskRecurrenceView"]
