"""Whether people are told in time: reminders that are due, what goes out, and what seals the secrets of both.

Invariant: what is late is decided in `apps.ops.pipeline`; here it gets words and a fix. Nothing is written.
"""

from django.core.exceptions import ImproperlyConfigured

from apps.notifications import sealing
from apps.notifications.models import VapidKey
from apps.notifications.selectors.instruments import switched_off_endpoints
from apps.ops import pipeline
from apps.ops.doctor.examination import Verdict, warning, well, wrong
from apps.ops.pipeline import Status

_WORKER = "Look at the log of worker-notifications, then of beat and Redis, which ring for it; restart what hangs."
_KEYS = "Give SEALING_KEYS the key that sealed it again, behind the present one; docs/operations.md tells what else."
_SHOWN = 3


def reminders() -> Verdict:
    """Somebody looks for what is due, and nothing that is due waits."""
    state = pipeline.state()
    found, condition = state.reminders, pipeline.conditions_of(state)["reminders"]
    if found.swept_seconds is None:
        return wrong("nobody has looked for reminders that are due yet", fix=_WORKER)
    looked = f"looked for {found.swept_seconds:.0f} s ago"
    if condition.status is not Status.OK:
        told = f"{found.due:,} are due and not triggered, the oldest for {found.oldest_due_seconds:.0f} s; {looked}"
        return wrong(told, fix=_WORKER)
    return well(f"{found.waiting:,} wait, {looked}")


def deliveries() -> Verdict:
    """What is due to go out goes out; what failed for good waits for somebody."""
    state = pipeline.state()
    found, condition = state.reminders.deliveries, pipeline.conditions_of(state)["deliveries"]
    if condition.status is not Status.OK:
        told = f"{found.waiting:,} wait, the oldest could have gone {found.oldest_due_seconds:.0f} s ago"
        return wrong(told, fix=_WORKER)
    if found.failed:
        fix = "Read why in Admin → Deliveries, status failed; mend it, then retry them there."
        return warning(f"{found.failed:,} failed for good", fix=fix)
    return well(f"{found.waiting:,} wait, {found.sending:,} under way, {found.held:,} held")


def webhooks() -> Verdict:
    """Endpoints that we switched off."""
    found = switched_off_endpoints(most=_SHOWN + 1)
    if not found:
        return well("none was switched off for failing")
    shown = ", ".join(str(endpoint.pk) for endpoint in found[:_SHOWN])
    more = " and more" if len(found) > _SHOWN else ""
    fix = "Their owners were told, and switch them on again; Admin → Webhook endpoints says why each failed."
    return warning(f"switched off after failing for long: {shown}{more}", fix=fix)


def web_push() -> Verdict:
    """The key by which browsers' services know us, and that it can be opened."""
    key = VapidKey.objects.first()
    if key is None:
        return well("no browser asked for our key yet: it is made for the first")
    try:
        sealing.unseal(key.private)
    except (sealing.SealNotOurs, ImproperlyConfigured) as reason:
        return wrong(f"our key cannot be opened: {reason}", fix=_KEYS)
    return well(f"our key is {key.public[:12]}…")
