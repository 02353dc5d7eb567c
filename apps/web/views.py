"""The pages of the web app: the home page and the documentation of the API.

Invariant: pages only read; what changes a task goes through the API.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularSwaggerSplitView

from apps.accounts.models import User
from apps.calendar import zones
from apps.notifications.selectors import inbox
from apps.recurrence import preview
from apps.tasks import selectors
from apps.web.sections import by_due

MAX_TASKS = 50


class ApiDocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own files; its script is a file of its own, so the page needs no inline script."""

    template_name = "web/api_docs.html"
    url_name = "schema"


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """What a person has still to do, and the doors to everything else."""
    user = request.user
    if not isinstance(user, User):
        return render(request, "web/welcome.html", {"sign_up_open": settings.SIGN_UP_OPEN})
    # One more than is shown tells whether there are more.
    found = selectors.open_tasks(owner=user).select_related("list", "parent")
    tasks = list(found.defer("search", "description", "parent__search", "parent__description")[: MAX_TASKS + 1])
    shown_tasks = selectors.with_tags(tasks[:MAX_TASKS])
    now, zone = datetime.now(UTC), ZoneInfo(user.time_zone)
    today = zones.local_date(now, zone)
    for task in shown_tasks:  # for the template
        task.tags = selectors.tags_on(task)  # type: ignore[attr-defined]
        task.repeats = preview.sentence_of(task.recurrence, today=today) if task.recurrence else ""  # type: ignore[attr-defined]
    sections = by_due(shown_tasks, now=now, zone=zone)
    shown = {
        "sections": sections,
        "shown": len(shown_tasks),
        "more": len(tasks) > MAX_TASKS,
        "unread": _counted(inbox.unread_count(owner=user)),
    }
    return render(request, "web/home.html", shown)


def _counted(unread: int) -> str:
    """More than the most are not counted."""
    return f"{unread:,}{'+' if unread >= inbox.MOST_COUNTED else ''}" if unread else ""
