"""Bodies and answers of the REST API. Changes nothing: views call services."""

from apps.recurrence.serializers.of_task import (
    OccurrencesChangeSerializer,
    OccurrenceSerializer,
    RecurrenceSerializer,
    TaskRecurrenceSerializer,
)
from apps.recurrence.serializers.preview import PreviewAnswerSerializer, PreviewSerializer
from apps.recurrence.serializers.series import SeriesDetailSerializer, SeriesSerializer, SkipSerializer

__all__ = [
    "OccurrenceSerializer",
    "OccurrencesChangeSerializer",
    "PreviewAnswerSerializer",
    "PreviewSerializer",
    "RecurrenceSerializer",
    "SeriesDetailSerializer",
    "SeriesSerializer",
    "SkipSerializer",
    "TaskRecurrenceSerializer",
]
