"""The pages behind the links in mails: what will happen, a button, and what happened.

Invariant: looking changes nothing, since mail programs and scanners open links by themselves; who has no valid link
learns nothing of anybody. Without our own form only a mail program's one click may act, as RFC 8058 has it.
"""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from apps.calendar import zones
from apps.calendar.sentences import instant_in_words, joined
from apps.notifications.kinds import KIND_IN_WORDS, Kind
from apps.notifications.mail import links
from apps.notifications.mail.links import Action, Link, LinkExpired, NoSuchLink
from apps.notifications.selectors.links import offered
from apps.notifications.services import links as following
from apps.notifications.services.links import Followed, Outcome
from apps.web.account_views import AtTheRateOfStrangers

_ONE_CLICK = "One-Click"
_LATER = {
    Action.SNOOZE_QUARTER: "in 15 minutes",
    Action.SNOOZE_HOUR: "in 1 hour",
    Action.SNOOZE_TOMORROW: "tomorrow",
}


@method_decorator([csrf_exempt, never_cache], name="dispatch")
class LinkView(AtTheRateOfStrangers):
    http_method_names = ["get", "head", "post", "options"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = super().dispatch(request, *args, **kwargs)
        except NoSuchLink:
            response = render(request, "web/links/unknown.html", status=400)
        except LinkExpired:
            response = render(request, "web/links/expired.html", status=410)
        response.headers["X-Robots-Tag"] = "noindex"
        return response

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return _shown(request, links.read(token, now=datetime.now(UTC)))

    def post(self, request: HttpRequest, token: str) -> HttpResponseBase:
        now = datetime.now(UTC)
        link = links.read(token, now=now)
        if link.action is Action.UNSUBSCRIBE and request.POST.get("List-Unsubscribe") == _ONE_CLICK:
            following.use(link, now=now)
            return HttpResponse("You get no more of these mails.\n", content_type="text/plain; charset=utf-8")
        return _acted(request, link, now)


def _shown(request: HttpRequest, link: Link) -> HttpResponse:
    offer = offered(link)
    if offer.used:
        return render(request, "web/links/used.html")
    if offer.moot:
        return render(request, "web/links/moot.html", {"told": offer.moot})
    return render(request, "web/links/ask.html", {"title": offer.title, **_words(link)})


@csrf_protect
def _acted(request: HttpRequest, link: Link, now: datetime) -> HttpResponse:
    followed = following.use(link, now=now)
    match followed.outcome:
        case Outcome.USED:
            return render(request, "web/links/used.html")
        case Outcome.MOOT:
            return render(request, "web/links/moot.html", {"told": followed.told})
    told = {"title": followed.title, "until": _until(followed, now), **_words(link)}
    return render(request, "web/links/done.html", told)


def _words(link: Link) -> dict[str, Any]:
    return {
        "action": "snooze" if link.action in links.SNOOZES else link.action.name.lower(),
        "later": _LATER.get(link.action, ""),
        "kinds": joined([KIND_IN_WORDS[kind] for kind in Kind if kind in link.kinds]),
    }


def _until(followed: Followed, now: datetime) -> str:
    if followed.until is None:
        return ""
    zone = ZoneInfo(followed.owner.time_zone)
    return instant_in_words(followed.until, zone=zone, today=zones.local_date(now, zone))
