"""The Monday on which the tests of series over REST take place, and all that a request may leave behind."""

from datetime import UTC, datetime, timedelta

from apps.recurrence.models import Occurrence, Series
from apps.tasks.models import Task
from tests.support.factories import facts

MONDAY = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def types():
    return list(facts().values_list("type", flat=True))


def rows():
    return [list(model.objects.order_by("pk").values()) for model in (Series, Occurrence, Task)] + [types()]
