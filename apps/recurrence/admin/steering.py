"""Pausing, resuming and ending series from their pages, each after a page that asks. By services alone."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from apps.events.read_only import ReadOnly
from apps.recurrence import services
from apps.recurrence.admin.shown import sentence_of, title_of
from apps.recurrence.exceptions import RecurrenceRefused
from apps.recurrence.models import Series
from apps.tasks.admin.base import REFUSALS, acting

MAX_AT_ONCE = 100

# What each action asks before it is done, and what is then told.
_VERBS: dict[str, tuple[Callable[..., Series], str, str]] = {
    "pause": (services.pause_series, "Nothing is made until it is resumed; what is open stays open.", "paused"),
    "resume": (services.resume_series, "It goes on; dates that passed meanwhile are skipped.", "resumed"),
    "end": (services.end_series, "It makes no more, for good; what is open stays open and repeats no more.", "ended"),
}


class Steering(ReadOnly):
    """Pages of series that are looked at, and may be paused, resumed and ended."""

    actions = ("pause", "resume", "end")

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """Who may change series may pause, resume and end them."""
        return bool(request.user.has_perm("recurrence.change_series"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        series = self.get_object(request, unquote(object_id))
        verbs = _possible(series) if series and self.has_steer_permission(request) else []
        told = {"verbs": verbs, "checkbox": ACTION_CHECKBOX_NAME}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **told})

    @admin.action(description="Pause selected series", permissions=["steer"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Series]) -> HttpResponse | None:
        return self._asked(request, queryset, "pause")

    @admin.action(description="Resume selected series", permissions=["steer"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Series]) -> HttpResponse | None:
        return self._asked(request, queryset, "resume")

    @admin.action(description="End selected series", permissions=["steer"])
    def end(self, request: HttpRequest, queryset: QuerySet[Series]) -> HttpResponse | None:
        return self._asked(request, queryset, "end")

    def _asked(self, request: HttpRequest, queryset: QuerySet[Series], verb: str) -> HttpResponse | None:
        service, told, done = _VERBS[verb]
        chosen = list(queryset.order_by("pk")[: MAX_AT_ONCE + 1])
        if len(chosen) > MAX_AT_ONCE:
            self.message_user(request, f"At most {MAX_AT_ONCE} at once: nothing was {done}.", messages.ERROR)
            return None
        if request.POST.get("confirmed") == "yes":
            self._each(request, chosen, service, done)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb.capitalize()} series",
            "opts": self.opts,
            "series": [{"pk": one.pk, "task": title_of(one), "sentence": sentence_of(one)} for one in chosen],
            "checkbox": ACTION_CHECKBOX_NAME,
            "action": verb,
            "told": told,
        }
        return TemplateResponse(request, "admin/recurrence/confirm.html", context)

    def _each(self, request: HttpRequest, chosen: list[Series], service: Callable[..., Series], done: str) -> None:
        count = 0
        for one in chosen:
            try:
                service(series_id=one.pk, **acting(request))
                count += 1
            except (RecurrenceRefused, *REFUSALS) as reason:
                self.message_user(request, f"{title_of(one)}: {reason}", messages.WARNING)
        self.message_user(request, f"{count} {done}.", messages.SUCCESS if count else messages.WARNING)


def _possible(series: Series) -> list[str]:
    if not series.is_active:
        return []
    return ["resume" if series.paused_at is not None else "pause", "end"]
