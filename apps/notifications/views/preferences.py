"""How you want to be told, over REST."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.notifications.choices import switches
from apps.notifications.models import Preferences
from apps.notifications.models.preferences import (
    DEFAULT_BEFORE_DUE,
    DEFAULT_ON_DAY,
    DEFAULT_STALE_AFTER_HOURS,
)
from apps.notifications.selectors import preferences as reads
from apps.notifications.serializers import PreferencesSerializer, examples
from apps.notifications.services import preferences
from apps.notifications.views.refusals import OF_NOTIFICATIONS
from apps.tasks.views.base import REFUSALS, EventedViewSet
from apps.tasks.views.safe_writes import DRY_RUN, IF_MATCH, safe_write, seen_version

# What a PUT means that leaves a field out.
_DEFAULTS: dict[str, Any] = {
    "default_before_due": DEFAULT_BEFORE_DUE,
    "default_on_day": DEFAULT_ON_DAY,
    "quiet_from": None,
    "quiet_until": None,
    "digest_at": None,
    "batches": True,
    "stale_after_hours": DEFAULT_STALE_AFTER_HOURS,
}
_CHANGED: dict[str, Any] = {
    "parameters": [DRY_RUN, IF_MATCH],
    "responses": {200: PreferencesSerializer, **REFUSALS},
    "examples": examples.PREFERENCES,
}


@extend_schema(tags=["notifications"])
class PreferencesView(EventedViewSet):
    """How you want to be told: by which transports of what, when not, what goes together, and by default when."""

    plural = singular = "Notification preferences"
    problems = OF_NOTIFICATIONS
    serializer_class = PreferencesSerializer
    queryset = Preferences.objects.none()

    def get_object(self) -> Preferences:
        return reads.of([self.actor.pk])[self.actor.pk]

    @extend_schema(operation_id="notification_preferences_retrieve", summary="How you want to be told")
    def retrieve(self, request: Request) -> Response:
        return self.answer(self.get_object())

    @extend_schema(
        operation_id="notification_preferences_update",
        summary="Say all of how you want to be told",
        description="What is left out is as by default again.",
        **_CHANGED,
    )
    @safe_write
    def update(self, request: Request) -> Response:
        before = self.get_object()
        asked = self.checked(request.data, instance=before)
        return self._change(before, {"switches": {}, **_DEFAULTS, **asked}, over=switches.table({}))

    @extend_schema(
        operation_id="notification_preferences_partial_update",
        summary="Change some of how you want to be told",
        description="What is named changes, of `switches` too.",
        **_CHANGED,
    )
    @safe_write
    def partial_update(self, request: Request) -> Response:
        before = self.get_object()
        return self._change(before, self.checked(request.data, instance=before, partial=True))

    def _change(
        self, before: Preferences, changes: dict[str, Any], over: dict[str, dict[str, bool]] | None = None
    ) -> Response:
        # What was sent back as it was read switches nothing, be it that a transport came or went meanwhile.
        asked = changes.get("switches")
        if over is not None and isinstance(asked, dict):
            switches.changed({}, asked)
            changes["switches"] = {kind: {**row, **asked.get(kind, {})} for kind, row in over.items()}
        changed = preferences.change(
            owner=self.actor,
            changes=changes,
            now=self.now(),
            expected_version=seen_version(self.request, before),
        )
        return self.answer(changed)
