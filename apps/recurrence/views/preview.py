"""What a recurrence would do, over REST. Nothing is changed."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.serializer_helpers import ReturnDict

from apps.accounts.models import User
from apps.calendar import zones
from apps.calendar.errors import CalendarError
from apps.calendar.walls import Wall
from apps.calendar.zones import instant_text
from apps.recurrence import examples, preview
from apps.recurrence.preview import Preview
from apps.recurrence.serializers import PreviewAnswerSerializer, PreviewSerializer
from apps.recurrence.serializers.dates import shown
from apps.recurrence.serializers.preview import DEFAULT_COUNT
from apps.tasks import due as dues
from apps.tasks import intents, values
from apps.tasks.due import Due, DueColumns
from apps.tasks.exceptions import InvalidTask
from apps.tasks.models import Task
from apps.tasks.views.base import EventedViewSet
from apps.tasks.views.refusals import refusals_as_problems

_PARAMETERS = [
    OpenApiParameter(
        name,
        kind,
        description=str(PreviewSerializer().fields[name].help_text),
        required=required,
        examples=examples.ASKED.get(name, []),
    )
    for name, kind, required in [
        ("recurrence", str, True),
        ("due_on", date, False),
        ("due_at", str, False),
        ("due_time_zone", str, False),
        ("count", int, False),
        ("completed_at", str, False),
    ]
]


@extend_schema(tags=["recurrence"], responses=PreviewAnswerSerializer)
class PreviewView(EventedViewSet):
    """Try a recurrence: its first dates, what it means in words, and what you may not expect of it. Nothing is kept."""

    plural = singular = "Preview of a recurrence"
    serializer_class = PreviewSerializer
    queryset = Task.objects.none()

    def known_parameters(self) -> set[str]:
        return set(PreviewSerializer().fields) if self.request.method in {"GET", "HEAD"} else set()

    @extend_schema(operation_id="recurrence_preview_retrieve", summary="Try a recurrence", parameters=_PARAMETERS)
    def retrieve(self, request: Request) -> Response:
        return self._answer(request.query_params)

    @extend_schema(
        operation_id="recurrence_preview",
        summary="Try a recurrence, sent as a body",
        responses={200: PreviewAnswerSerializer},
        examples=examples.PREVIEWS,
    )
    def create(self, request: Request) -> Response:
        return self._answer(request.data)

    def _answer(self, given: Any) -> Response:
        asked = self.checked(given)
        with refusals_as_problems(lambda thing: None):
            intent, told = _preview(asked, user=self.actor, now=self.now())
        return Response(ReturnDict(_shown(intent, told), serializer=self.typed))


def _preview(asked: Mapping[str, Any], *, user: User, now: datetime) -> tuple[Mapping[str, Any], Preview]:
    """The recurrence as a task would keep it, and what it would do. Raises `InvalidTask`."""
    given = {name: asked[name] for name in dues.NAMES if asked.get(name) is not None}
    due = dues.asked_for(given, before=DueColumns(), owner_zone=user.time_zone).in_zone_of(user.time_zone)
    intent = intents.checked_recurrence(asked["recurrence"], today=zones.local_date(now, due.zone))
    if intent is None:
        raise InvalidTask(field="recurrence", reason="Give words, an RRULE or an object: null repeats nothing.")
    try:
        start = due.wall if due.wall is not None else preview.usual_start(intent, zone=due.zone, now=now)
        intents.check_recurrence_goes_with(intent, start=start, zone=due.zone)
        told = preview.preview(
            intent,
            start=start,
            zone=due.zone,
            count=asked.get("count") or DEFAULT_COUNT,
            now=now,
            asked_for=given.get("due_at"),
            completed_at=_completed_at(asked, due=due, start=start),
        )
    except CalendarError as reason:
        raise intents.refused_rule(reason) from reason
    return intent, told


def _completed_at(asked: Mapping[str, Any], *, due: Due, start: Wall) -> datetime | None:
    """The instant, no further ahead than dates are looked for."""
    at: datetime | None = asked.get("completed_at")
    if at is None:
        return None
    if not values.EARLIEST_DUE.year <= at.year <= min(start.year + preview.MOST_YEARS, values.LATEST_DUE.year - 1):
        told = f"A completion lies between the year 1970 and {preview.MOST_YEARS} years after the start."
        raise InvalidTask(field="completed_at", reason=told)
    return dues.placed(at, due.zone, field="completed_at")


def _shown(intent: Mapping[str, Any], told: Preview) -> dict[str, Any]:
    done = told.completion
    return {
        "recurrence": intent,
        "sentence": told.sentence,
        "in_full": told.in_full,
        "time_zone": told.zone.key,
        "dates": [shown(one) for one in told.dates],
        "is_all": told.is_all,
        "warnings": [{"code": one.code, "kind": one.kind, "detail": one.detail} for one in told.cautions],
        "completion": done
        and {
            "completed_at": instant_text(done.completed_at),
            "made": [shown(one) for one in done.made],
            "skipped": [shown(one) for one in done.skipped],
            "skipped_count": done.skipped_count,
        },
    }
