"""Bodies and answers of the REST API. Changes nothing: views call services."""

from apps.tasks.serializers.commands import (
    BulkAnswerSerializer,
    BulkSerializer,
    SnoozeSerializer,
    TagChangeSerializer,
)
from apps.tasks.serializers.things import ListSerializer, TagSerializer, TaskSerializer

__all__ = [
    "BulkAnswerSerializer",
    "BulkSerializer",
    "ListSerializer",
    "SnoozeSerializer",
    "TagChangeSerializer",
    "TagSerializer",
    "TaskSerializer",
]
